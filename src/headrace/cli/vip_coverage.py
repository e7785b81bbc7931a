"""`headrace vip coverage`: what a server learns of the ISP's clients, and what waits for a word."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Annotated

import msgspec
import typer

from headrace.cli.admin_client import (
    AdminClient,
    AdminOption,
    ConfigOption,
    TokenOption,
    harmless,
    run,
    who,
)
from headrace.cli.examples import examples
from headrace.cli.tables import utc
from headrace.cli.vip_running import COMMAND, client_of
from headrace.errors import HeadraceError
from headrace.vip.learn.history import Entry
from headrace.vip.learn.status import CoverageStatus, LearningStatus, WaitingChange

EXIT_WAITS = 1

coverage = typer.Typer(
    name="coverage",
    help="Coverage that is learnt from what the ISP's routers announce.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Named = Annotated[
    str | None,
    typer.Argument(metavar="[COVERAGE]", help="The coverage. Unset: the only one that is learnt."),
]
Change = Annotated[
    str | None,
    typer.Option(
        "--change", metavar="DIGEST", help="The change that was seen with `diff`. Unset: asked for."
    ),
]


class NothingWaits(HeadraceError):
    """There is no change to decide on, or it is not clear which."""


@coverage.command(name="show", epilog=examples("vip coverage show"))
def show(
    *,
    history: Annotated[
        int, typer.Option(min=0, max=200, help="So many entries of the history.")
    ] = 10,
    as_json: Json = False,
    admin: AdminOption = None,
    token_file: TokenOption = None,
    config: ConfigOption = None,
) -> None:
    """Show what is in force, what is heard, what is refused, and what happened."""
    client = client_of(admin, token_file, config)
    found = run(COMMAND, lambda: client.ask(LearningStatus, "GET", "/vip/coverage"))
    if as_json:
        typer.echo(json.dumps(msgspec.to_builtins(found), indent=2))
        return
    for line in _shown(found, history):
        typer.echo(harmless(line))


@coverage.command(name="diff", epilog=examples("vip coverage diff"))
def diff(
    name: Named = None,
    *,
    as_json: Json = False,
    admin: AdminOption = None,
    token_file: TokenOption = None,
    config: ConfigOption = None,
) -> None:
    """Show what the changes that wait would change. The exit code is 1 when any waits."""
    client = client_of(admin, token_file, config)
    found = run(COMMAND, lambda: client.ask(LearningStatus, "GET", "/vip/coverage"))
    waiting = [one for one in found.coverage if one.waiting and name in (None, one.name)]
    if as_json:
        changes = {one.name: msgspec.to_builtins(one.waiting) for one in waiting}
        typer.echo(json.dumps(changes, indent=2))
    for one in waiting if not as_json else ():
        assert one.waiting is not None
        for line in _changes(one.name, one.waiting):
            typer.echo(harmless(line))
    if not waiting and not as_json:
        typer.echo("nothing waits")
    raise typer.Exit(EXIT_WAITS if waiting else 0)


@coverage.command(name="approve", epilog=examples("vip coverage approve"))
def approve(
    name: Named = None,
    *,
    change: Change = None,
    admin: AdminOption = None,
    token_file: TokenOption = None,
    config: ConfigOption = None,
) -> None:
    """Take the change that waits, on this server. Nodes have it within seconds.

    What one server of a site takes is added; a prefix goes when all of them have let it go.
    """
    client = client_of(admin, token_file, config)
    run(COMMAND, lambda: _decide("approve", name, change, client))


@coverage.command(name="reject", epilog=examples("vip coverage reject"))
def reject(
    name: Named = None,
    *,
    change: Change = None,
    admin: AdminOption = None,
    token_file: TokenOption = None,
    config: ConfigOption = None,
) -> None:
    """Leave the change that waits, until what routers announce is another."""
    client = client_of(admin, token_file, config)
    run(COMMAND, lambda: _decide("reject", name, change, client))


def _shown(found: LearningStatus, history: int) -> Iterator[str]:
    if found.problem:
        yield found.problem
    for one in found.coverage:
        yield from _coverage(one)
    shown = found.history[:history]
    if shown:
        yield ""
        yield "history, the newest first"
    for entry in shown:
        yield f"  {utc(entry.at)}  {entry.coverage}  {_entry(entry)}"


def _coverage(one: CoverageStatus) -> Iterator[str]:
    yield f"{one.name}: learnt at {one.site}, {one.taking}"
    yield (
        f"  in force  {one.prefixes} prefixes: {_number(one.v4_addresses)} IPv4 addresses, "
        f"{_number(one.v6_networks)} IPv6 networks"
    )
    unsettled = f", {one.unsettled} of them changed lately or often" if one.unsettled else ""
    yield f"  heard     {one.heard} prefixes{unsettled}"
    if one.alarm:
        yield f"  ALARM     {one.alarm}"
    if one.lapsed:
        families = " and ".join(one.lapsed)
        yield f"  LAPSED    no router was heard for too long: nothing of {families} is in force"
    if one.waiting is not None:
        yield (
            f"  WAITS     {one.waiting.digest}: {one.waiting.why}; see `headrace vip coverage diff`"
        )
    for each in one.refused:
        yield f"  refused   {each.reason} {each.count} times, first {each.first}: {each.remedy}"


def _changes(name: str, waiting: WaitingChange) -> Iterator[str]:
    yield f"{name}: change {waiting.digest} waits since {utc(waiting.since)}: {waiting.why}"
    yield (
        f"  comes  {waiting.prefixes_added} prefixes: {_number(waiting.v4_added)} IPv4 addresses, "
        f"{_number(waiting.v6_added)} IPv6 networks"
    )
    yield (
        f"  goes   {waiting.prefixes_removed} prefixes: {_number(waiting.v4_removed)} IPv4 "
        f"addresses, {_number(waiting.v6_removed)} IPv6 networks"
    )
    yield f"  share  {100 * waiting.share:.1f} % of the addresses"
    for sign, count, texts in (
        ("+", waiting.prefixes_added, waiting.added),
        ("-", waiting.prefixes_removed, waiting.removed),
    ):
        yield from (f"  {sign} {text}" for text in texts)
        if count > len(texts):
            yield f"  {sign} and {count - len(texts)} more"


def _decide(what: str, name: str | None, change: str | None, client: AdminClient) -> None:
    """Decide on a change. Raises HeadraceError."""
    if name is None or change is None:
        found = client.ask(LearningStatus, "GET", "/vip/coverage")
        waiting = [one for one in found.coverage if one.waiting and name in (None, one.name)]
        if len(waiting) != 1 or waiting[0].waiting is None:
            names = ", ".join(one.name for one in waiting) or "nothing waits"
            raise NothingWaits(f"it is not clear which change is meant: {names}")
        name = waiting[0].name
        if change is None:
            for line in _changes(name, waiting[0].waiting):
                typer.echo(harmless(line))
            if not typer.confirm(f"{what} this change?"):
                raise typer.Exit(EXIT_WAITS)
            change = waiting[0].waiting.digest
    body = {"coverage": name, "digest": change, "by": who()}
    typer.echo(harmless(_entry(client.ask(Entry, "POST", f"/vip/coverage/{what}", body))))


def _entry(entry: Entry) -> str:
    said = [entry.kind]
    if entry.digest:
        said.append(
            f"{entry.digest}: {entry.added} prefixes come, {entry.removed} go, "
            f"{100 * entry.share:.1f} % of the addresses"
        )
    said += [entry.detail] if entry.detail and not entry.digest else []
    said += [f"by {entry.by}"] if entry.by else []
    return "  ".join(said)


def _number(value: float) -> str:
    return f"{value:,.0f}".replace(",", " ")
