"""`headrace purge`: ask a running edge's admin API to forget objects."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from headrace.cli.admin_client import (
    EXIT_REFUSED,
    AdminClient,
    AdminRefused,
    AdminUsage,
    ConfigOption,
    NodeUnreachable,
    TokenOption,
    find_admin,
    harmless,
    run,
)
from headrace.edge.admin.objects import PendingPurges, Purged
from headrace.edge.admin.requests import LARGEST_LISTING

MOST_AT_ONCE = 32

# Several threads decode it at once. Where two are the first, msgspec 0.22 can end the process.
msgspec.json.Decoder(Purged)


def purge(
    urls: Annotated[
        list[str] | None,
        typer.Argument(metavar="URL", help="URLs to purge; `-` reads them from stdin."),
    ] = None,
    *,
    prefix: Annotated[
        list[str] | None, typer.Option(help="Purge every URL that begins so.")
    ] = None,
    tag: Annotated[
        list[str] | None, typer.Option(help="Purge what carries this Surrogate-Key or Cache-Tag.")
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="Purge everything.")] = False,
    soft: Annotated[
        bool,
        typer.Option(
            "--soft",
            help="Mark stale instead of removing: revalidate, and serve "
            "stale where that is allowed.",
        ),
    ] = False,
    service: Annotated[str | None, typer.Option(help="Only this service.")] = None,
    listing: Annotated[
        bool,
        typer.Option("--list", help="Purge nothing: list the purges not carried out to the end."),
    ] = False,
    admin: Annotated[
        list[str] | None,
        typer.Option(
            help="The admin API: 127.0.0.1:9090 or unix:/path. Repeatable: each edge is asked.",
            metavar="ADDRESS",
        ),
    ] = None,
    token_file: TokenOption = None,
    config: ConfigOption = None,
) -> None:
    """Remove objects from the caches of running edges.

    It is in force on all their workers when this ends. An edge that cannot be asked does not keep
    the others from it; the exit code is 1 then.
    """

    def work() -> bool:
        if listing:
            if urls or prefix or tag or everything or soft or service:
                raise AdminUsage("--list only lists: leave out the rest, or leave out --list")
            return _listed_at(_clients(admin, token_file, config))
        bodies = requests_for(
            _with_stdin(urls or []), prefix or [], tag or [], everything, soft=soft, service=service
        )
        clients = _clients(admin, token_file, config)
        if len(clients) == 1:
            return not [body for body in bodies if not _purged(clients[0], body, "")]
        return _at_each(clients, lambda client: _all_purged(client, bodies))

    if not run("purge", work):
        raise typer.Exit(EXIT_REFUSED)


def requests_for(
    urls: Iterable[str],
    prefixes: Iterable[str],
    tags: Iterable[str],
    everything: bool,
    *,
    soft: bool,
    service: str | None,
) -> list[dict[str, Any]]:
    """Return the bodies of POST /purge, one for each thing named.

    Raises AdminUsage when there is none.
    """
    named: list[dict[str, Any]] = [{"url": url} for url in urls]
    named += [{"prefix": prefix} for prefix in prefixes]
    named += [{"tag": tag} for tag in tags]
    if everything and named:
        raise AdminUsage("--all purges everything: leave out the rest, or leave out --all")
    if everything:
        named = [{"all": True}]
    if not named:
        raise AdminUsage("nothing to purge: name a URL, --prefix, --tag or --all")
    more: dict[str, Any] = {"soft": soft} if service is None else {"soft": soft, "service": service}
    return [{**body, **more} for body in named]


def _clients(
    admin: list[str] | None, token_file: Path | None, config: Path | None
) -> list[AdminClient]:
    """Return whom to ask. Raises AdminUsage."""
    if not admin:
        return [find_admin(None, token_file, config)]
    return [find_admin(place, token_file, config) for place in admin]


def _at_each(clients: list[AdminClient], work: Callable[[AdminClient], bool]) -> bool:
    """Do this at all of several edges at once, so that none waits for one that hangs; return
    whether all did it.
    """
    with ThreadPoolExecutor(min(MOST_AT_ONCE, len(clients))) as threads:
        return all([*threads.map(work, clients)])


def _all_purged(client: AdminClient, bodies: list[dict[str, Any]]) -> bool:
    """Carry out all purges at one edge of several; whether it did them."""
    where = f"{client.address}: "
    try:
        return not [body for body in bodies if not _purged(client, body, where)]
    except NodeUnreachable as error:
        typer.echo(f"headrace purge: not purged there: {error}", err=True)
        return False


def _purged(client: AdminClient, body: dict[str, Any], where: str) -> bool:
    """Carry out one purge and say so, with where; whether the edge did it."""
    try:
        answer = client.ask(Purged, "POST", "/purge", body)
    except AdminRefused as error:
        typer.echo(f"headrace purge: {where}{_subject(body)} not purged: {error}", err=True)
        return False
    typer.echo(f"{where}purged {_subject(body)}: generation {answer.generation}")
    return True


def _listed_at(clients: list[AdminClient]) -> bool:
    """List at all of them; whether all answered."""
    if len(clients) > 1:
        return _at_each(clients, _listed)
    _list(clients[0], "")
    return True


def _listed(client: AdminClient) -> bool:
    """List at one edge of several; whether it answered."""
    try:
        _list(client, f"{client.address}: ")
    except (NodeUnreachable, AdminRefused) as error:
        typer.echo(f"headrace purge: {client.address}: not listed: {error}", err=True)
        return False
    return True


def _list(client: AdminClient, where: str) -> None:
    purges = client.ask(PendingPurges, "GET", f"/purges?limit={LARGEST_LISTING}").purges
    for one in purges:
        made = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(one.made))
        words = [str(one.generation), made, "soft" if one.soft else "hard", one.kind]
        words += [one.value] if one.value else []
        words += [f"scheme={one.scheme}"] if one.scheme else []
        words += [f"service={one.service}"] if one.service else []
        typer.echo(harmless(where + " ".join(words)))
    if not purges:
        typer.echo(f"{where}no purge is under way", err=True)
    elif len(purges) == LARGEST_LISTING:
        typer.echo(f"{where}only the newest {LARGEST_LISTING} are listed", err=True)


def _with_stdin(urls: Iterable[str]) -> list[str]:
    found: list[str] = []
    for url in urls:
        if url == "-":
            found += [line.strip() for line in sys.stdin if line.strip()]
        else:
            found.append(url)
    return found


def _subject(body: dict[str, Any]) -> str:
    for kind in ("url", "prefix", "tag"):
        if kind in body:
            return str(body[kind]) if kind == "url" else f"{kind} {body[kind]}"
    return "everything"
