"""`headrace locate`: where a client would be sent for a URL, and how that is decided."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated
from urllib.parse import quote, urlsplit

import msgspec
import typer

from headrace.cli.admin_client import harmless, harmless_json
from headrace.cli.asked import parts_of, read_view
from headrace.errors import HeadraceError
from headrace.router.explain import Explanation, explain
from headrace.routing.decide import Routing
from headrace.routing.question import Question
from headrace.topology.build import load_topology
from headrace.topology.classify import Classes
from headrace.topology.coverage import CoverageTable, client_of
from headrace.topology.geo import GeoTable
from headrace.topology.placement import Placement
from headrace.topology.snapshot import version_of
from headrace.topology.view import NO_VIEW

EXIT_NOWHERE = 1
TIMEOUT_S = 3.0
_LARGEST_ANSWER_BYTES = 4 * 1024 * 1024
_NO_ROUTERS = {
    401: "\n    is that its admin API? ask where clients do",
    421: "\n    is that an edge? ask a router",
}
"""What a status says that a router does not answer this question with."""
_COLUMN = 12


class BadLocate(HeadraceError):
    """The command does not say what it should, or what it names cannot be read."""


class RouterRefused(HeadraceError):
    """The router does not answer, or not with a decision."""


def locate(
    url: Annotated[str, typer.Argument(metavar="URL", help="What the client asks for.")],
    *,
    client: Annotated[
        str | None, typer.Option(metavar="ADDRESS", help="The client's address. Unset: unknown.")
    ] = None,
    network: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The network's description.")
    ] = None,
    view: Annotated[
        Path | None, typer.Option(metavar="FILE", help="A view of the network's state.")
    ] = None,
    geo: Annotated[
        Path | None, typer.Option(metavar="FILE", help="A geographic file (.mmdb).")
    ] = None,
    router: Annotated[
        str | None,
        typer.Option(metavar="URL", help="Ask this running router instead of deciding here."),
    ] = None,
    token_file: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The router's debug token.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Print where a client would be sent for a URL, step by step.

    The decision is made from the description (`--network`) by the code that routers run, or asked
    of a running router (`--router`), whose configuration must allow debug answers. The exit code is
    1 when nothing can serve the client.
    """
    found = _decision(url, client, network, view, geo, router, token_file)
    if as_json:
        typer.echo(harmless_json(msgspec.to_builtins(found)))
    else:
        for line in _lines(found):
            typer.echo(harmless(line))
    if not found.candidates:
        raise typer.Exit(EXIT_NOWHERE)


def _decision(
    url: str,
    client: str | None,
    network: Path | None,
    view: Path | None,
    geo: Path | None,
    router: str | None,
    token_file: Path | None,
) -> Explanation:
    """Return the decision, made here or asked for. Raises HeadraceError."""
    if network is not None and router is None:
        if token_file is not None:
            raise BadLocate("--token-file is for a running router: name it with --router")
        return _decide(url, client, network, view, geo)
    if router is not None and network is None:
        if view is not None or geo is not None:
            raise BadLocate("a running router has its own view and geographic file")
        return _ask(router, url, client, token_file)
    raise BadLocate("name either the description (--network) or a running router (--router)")


def _decide(
    url: str, client: str | None, network: Path, view: Path | None, geo: Path | None
) -> Explanation:
    """Return the decision that a router with these files makes. Raises HeadraceError."""
    address = None if client is None else _client(client)
    scheme, authority, path = parts_of(url)
    topology = load_topology(network)
    state = NO_VIEW if view is None else read_view(view)
    classified = Classes(topology.classes).of(authority, path)
    if classified is None:
        raise BadLocate(f"no class of {network} has the host and path of {url}")
    routing = Routing(
        topology,
        Placement(topology, state),
        CoverageTable(topology),
        None if geo is None else GeoTable(geo),
        state,
    )
    secure = True if scheme == b"https" else None
    question = Question(address, classified.content, classified.shard, secure)
    return explain(routing, question, version_of(topology), state.version)


def _client(text: str) -> bytes:
    try:
        return client_of(ip_address(text))
    except ValueError:
        raise BadLocate(f"{text!r} is not an address: write 203.0.113.7 or 2001:db8::7") from None


def _ask(router: str, url: str, client: str | None, token_file: Path | None) -> Explanation:
    """Return the decision of a running router. Raises HeadraceError."""
    target = f"/v1/locate?debug&url={quote(url, safe='')}"
    if client is not None:
        target += f"&client={quote(str(ip_address(client_of(ip_address(_checked(client))))))}"
    headers = {}
    if token_file is not None:
        headers["Authorization"] = f"Bearer {_token(token_file)}"
    connection = _connection(router)
    try:
        connection.request("GET", target, headers=headers)
        response = connection.getresponse()
        body = response.read(_LARGEST_ANSWER_BYTES)
    except (OSError, http.client.HTTPException, UnicodeError) as error:
        raise RouterRefused(f"{router} does not answer: {error}") from error
    finally:
        connection.close()
    if response.status != 200:
        hint = _NO_ROUTERS.get(response.status, "")
        raise RouterRefused(f"{router} answers {response.status}: {_detail(body)}{hint}")
    try:
        return msgspec.json.decode(body, type=Explanation)
    except msgspec.DecodeError as error:
        raise RouterRefused(f"{router} answers otherwise than a router: {error}") from error


def _checked(client: str) -> str:
    _client(client)
    return client


def _connection(router: str) -> http.client.HTTPConnection:
    try:
        parts = urlsplit(router)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise BadLocate(f"{router!r} is not a URL: {error}") from None
    if parts.scheme not in ("http", "https") or not host or parts.path.strip("/") or parts.query:
        raise BadLocate(f"{router!r} is not http(s)://host[:port]")
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    try:
        host.encode("idna")  # what connecting to it does first
        return kind(host, port, timeout=TIMEOUT_S)
    except (UnicodeError, http.client.InvalidURL):
        raise BadLocate(f"{router!r} has no host name or address: write http(s)://host") from None


def _token(path: Path) -> str:
    try:
        token = path.read_text(encoding="ascii").strip()
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not ASCII"
        raise BadLocate(f"cannot read the token from {path}: {reason}") from error
    if not token.isprintable() or " " in token:
        raise BadLocate(f"{path} holds no token: write it alone, on one line")
    return token


def _detail(body: bytes) -> str:
    """Return what a problem document says, of a body that may be anything."""
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return harmless(body[:200].decode("utf-8", "replace"))
    return harmless(str(found.get("detail", found))[:300]) if isinstance(found, dict) else ""


def _lines(found: Explanation) -> Iterator[str]:
    """Yield a decision for people: a line for each step, then the answer."""
    seen = f"view {found.view}" if found.view else "no view"
    yield f"{'network':{_COLUMN}}version {found.network}, {seen}"
    for step in found.steps:
        yield f"{step.step:{_COLUMN}}{step.says}"
    if found.candidates:
        yield ""
    for number, each in enumerate(found.candidates, 1):
        last = " (only when nothing else serves)" if each.spare else ""
        where = each.base_url or "not reachable in the client's scheme"
        name = f"server {each.server}" if each.server else "external"
        yield f"{number:>2}  {where}  site {each.site}, {name}{last}"
