"""`headrace explain`: what an edge would do with a request, without doing it."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated
from urllib.parse import urlencode, urlsplit

import typer

from headrace.cli.admin_client import EXIT_REFUSED, AdminClient, find_admin, run
from headrace.config.edge import EDGE
from headrace.config.loader import load_config
from headrace.edge.admin.top import WhyNotStored
from headrace.edge.explain import RequestRefused, explain_request
from headrace.errors import HeadraceError
from headrace.http.message import Field
from headrace.reasons import meaning_of


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
) -> None:
    """Print what an edge would do with a URL, without asking anybody.

    The service, the key, the content type, the routes, the pool, the tries and the cache policy.
    The exit code is 1 when the edge would refuse the request.
    """
    lines = explain_request(
        load_config(config, EDGE),
        method.upper().encode(),
        *_parts(url),
        [_field(text) for text in header or []],
        now=time.time(),
    )
    refused = False
    try:
        for line in lines:
            typer.echo(line)
    except RequestRefused as error:
        refused = True
        typer.echo(f"refused        {error}")
    if live:
        for line in run("explain", lambda: _lately(find_admin(None, None, config), url)):
            typer.echo(line)
    if refused:
        raise typer.Exit(EXIT_REFUSED)


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
