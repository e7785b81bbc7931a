"""`headrace explain`: what an edge would do with a request, without doing it."""

from __future__ import annotations

import time
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated
from urllib.parse import urlencode, urlsplit

import typer

from headrace.cli.admin_client import (
    EXIT_REFUSED,
    AdminClient,
    find_admin,
    harmless,
    harmless_json,
    run,
)
from headrace.cli.asked import read_view
from headrace.config.edge import EDGE
from headrace.config.edge.model import Config
from headrace.config.loader import load_config
from headrace.edge.admin.not_stored import WhyNotStored
from headrace.edge.explain import NAME_COLUMNS, RequestRefused, explain_request
from headrace.edge.explain_network import KnownNetwork
from headrace.errors import HeadraceError
from headrace.http.message import Field
from headrace.reasons import meaning_of
from headrace.topology.build import load_topology
from headrace.topology.membership import missing_server
from headrace.topology.view import NO_VIEW


class BadQuestion(HeadraceError):
    """The URL or a field cannot be read."""


def explain(
    url: Annotated[str, typer.Argument(metavar="URL", help="What a client asks for.")],
    *,
    config: Annotated[Path, typer.Option("--config", help="The configuration file.")],
    header: Annotated[
        list[str] | None,
        typer.Option("-H", "--header", help="A request field, `Name: value`. Repeatable."),
    ] = None,
    method: Annotated[str, typer.Option("--method", "-X", help="The request's method.")] = "GET",
    live: Annotated[
        bool,
        typer.Option(
            "--live", help="Also ask the running edge why it did not store this URL lately."
        ),
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print JSON: each name with a list of what it says.")
    ] = False,
) -> None:
    """Print what an edge would do with a URL, without asking anybody.

    The service, the key, the content type, the routes, the pool, the tries and the cache policy; of
    an edge in a network also the class, the shard, its owners, whom it asks and what it stores. The
    exit code is 1 when the edge would refuse the request.
    """
    settings = load_config(config, EDGE)
    lines = explain_request(
        settings,
        method.upper().encode(),
        *_parts(url),
        [_field(text) for text in header or []],
        now=time.time(),
        network=_network(settings),
    )
    said: list[str] = []
    refused = False
    try:
        said.extend(lines)
    except RequestRefused as error:
        refused = True
        said.append(f"refused        {error}")
    if not as_json:
        typer.echo("\n".join(said))  # before the running edge is asked, which may fail
    lately = run("explain", lambda: _lately(find_admin(None, None, config), url)) if live else []
    if as_json:
        typer.echo(harmless_json(_by_name([*said, *lately])))
    elif lately:
        typer.echo("\n".join(map(harmless, lately)))
    if refused:
        raise typer.Exit(EXIT_REFUSED)


def _network(settings: Config) -> KnownNetwork | None:
    """Return the network of an edge, as its files are now; None without one, and, with a warning,
    when they are wrong: a running edge works by the last good ones. Raises BadQuestion.
    """
    member = settings.network
    if member is None:
        return None
    try:
        topology = load_topology(member.file)
        view = NO_VIEW
        if member.view is not None and member.view.exists():
            view = read_view(member.view)
    except HeadraceError as error:
        problem = f"what is about the network is left out, for its files are wrong: {error}"
        typer.echo(f"headrace explain: {problem}", err=True)
        return None
    missing = missing_server(topology, member.server)
    if missing:
        raise BadQuestion(f"network.server: {missing}")
    return KnownNetwork(member, topology, view)


def _by_name(lines: Iterable[str]) -> dict[str, list[str]]:
    """Return what lines say, by the names that they begin with."""
    found: dict[str, list[str]] = {}
    name = ""
    for line in lines:
        name = line[:NAME_COLUMNS].strip() or name
        found.setdefault(name, []).append(line[NAME_COLUMNS:])
    return found


def _parts(url: str) -> tuple[bytes, bytes, bytes]:
    """Return the scheme, the authority and the target of a URL."""
    try:
        parts = urlsplit(url)
        authority = parts.netloc.encode("ascii" if parts.netloc.isascii() else "idna")
    except ValueError as error:  # UnicodeError among them
        raise BadQuestion(f"{url!r} is not a URL: {error}") from error
    if parts.scheme not in ("http", "https") or not authority:
        raise BadQuestion(f"{url!r} is not http(s)://host[:port]/path")
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return parts.scheme.encode(), authority, target.encode()


def _lately(client: AdminClient, url: str) -> list[str]:
    """Return what the running edge remembers of responses for this URL that it did not store."""
    reasons = client.ask(WhyNotStored, "GET", f"/reasons?{urlencode({'url': url})}").reasons
    lines = []
    for one in reasons:
        times = "once" if one.count == 1 else f"{one.count} times"
        when = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(one.last))
        lines.append(
            f"not stored     {one.reason} (status {one.status}), {times}, "
            f"last at {when}, service {one.service}"
        )
        meaning = meaning_of(one.reason)
        if meaning:
            lines.append(f"               {meaning}")
    return lines or ["not stored     nothing is remembered: it was stored, or not asked for lately"]


def _field(text: str) -> Field:
    name, colon, value = text.partition(":")
    if not colon or not name.strip():
        raise BadQuestion(f"{text!r} is not a request field: write -H 'Name: value'")
    try:
        return name.strip().lower().encode("latin-1"), value.strip().encode("latin-1")
    except UnicodeEncodeError as error:
        raise BadQuestion(f"{text!r} has characters that no request field can have") from error
