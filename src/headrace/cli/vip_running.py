"""Run a VIP process, and ask or tell one that runs."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Annotated
from urllib.parse import quote

import typer

from headrace.cli.admin_client import (
    AdminClient,
    AdminOption,
    ConfigOption,
    TokenOption,
    fail,
    find_admin,
    harmless,
    run,
    who,
)
from headrace.cli.own_process import begin_workers
from headrace.cli.role_file import RoleName, load_for
from headrace.cli.tables import watch_looks
from headrace.cli.vip_complaints import complaints
from headrace.cli.vip_tables import done_lines, event_line, planned_lines, status_lines
from headrace.config.units import parse_duration
from headrace.config.vip import VIP
from headrace.vip.admin.models import MOST_EVENTS, Done, EventList, Explained, Status

PLAIN_WIDTH = 140
COMMAND = "vip"
EXIT_NOT_WELL = 1
LOOK_S = 0.5

Wait = Annotated[
    str | None,
    typer.Option(
        metavar="TIME", help='Return when it is done, and with 1 when that takes longer: "5m".'
    ),
]


def run_vip(
    *,
    config: Annotated[Path, typer.Option(metavar="FILE", help="Run by this configuration file.")],
) -> None:
    """Check this server's VIPs and announce them, until a signal stops it."""
    forks = begin_workers(RoleName.VIP)
    wanted = load_for(config, VIP)
    from headrace.node.run import run as run_node
    from headrace.vip.role import VipRole

    raise typer.Exit(run_node(VipRole(), wanted, config, forks))


def status(
    *,
    watch: Annotated[bool, typer.Option("--watch", help="Again and again, until Ctrl-C.")] = False,
    check: Annotated[
        bool,
        typer.Option("--check", help="Print only what is wrong, and exit with 1 if anything is."),
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="JSON objects, one each time.")] = False,
    interval: Annotated[
        float, typer.Option(min=0.2, max=60.0, help="Seconds between tables.")
    ] = 1.0,
    admin: AdminOption = None,
    token_file: TokenOption = None,
    config: ConfigOption = None,
) -> None:
    """Show what this server announces, its sessions, its checks and its neighbours."""
    if check and (watch or as_json):
        raise typer.BadParameter(
            "says once, in lines, what is wrong: leave out --watch and --json", param_hint="--check"
        )
    client = client_of(admin, token_file, config)
    if check:
        found = run(COMMAND, lambda: client.ask(Status, "GET", "/vip/status"))
        wrong = [harmless(one) for one in complaints(found)]
        for one in wrong:
            typer.echo(one)
        raise typer.Exit(EXIT_NOT_WELL if wrong else 0)
    drawn = watch and sys.stdout.isatty() and not as_json
    watch_looks(
        COMMAND,
        _looks(client, interval, watch=watch),
        status_lines,
        first="headrace vip: asking…",
        plain_width=PLAIN_WIDTH,
        as_json=as_json,
        drawn=drawn,
    )


def events(
    about: Annotated[str, typer.Argument(metavar="[VIP|ROUTER]", help="Of this one alone.")] = "",
    *,
    limit: Annotated[
        int, typer.Option(min=1, max=MOST_EVENTS, help="So many events at most.")
    ] = 50,
    admin: AdminOption = None,
    token_file: TokenOption = None,
    config: ConfigOption = None,
) -> None:
    """Print what changed since the start and why, the newest first."""
    client = client_of(admin, token_file, config)
    path = f"/vip/events?limit={limit}&about={quote(about, safe='')}"
    found = run(COMMAND, lambda: client.ask(EventList, "GET", path)).events
    for one in found:
        typer.echo(event_line(one))
    if about and not found:
        typer.echo(f"nothing of {about!r} since the start: name a VIP or a router", err=True)


def drain(
    *,
    reason: Annotated[str, typer.Option(help="Why; it is kept.", metavar="TEXT")] = "",
    for_: Annotated[
        str | None, typer.Option("--for", metavar="TIME", help='It returns by itself: "2h".')
    ] = None,
    now: Annotated[bool, typer.Option("--now", help="Do not wait for connections to end.")] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Be out at once, whoever else serves.")
    ] = False,
    wait: Wait = None,
    admin: AdminOption = None,
    token_file: TokenOption = None,
    config: ConfigOption = None,
) -> None:
    """Let this server leave: connections end, neighbours take over, its VIPs are withdrawn.

    The order is kept over restarts, until `headrace vip return`.
    """
    wait_s = _seconds(wait, "--wait")
    body: dict[str, object] = {"reason": reason, "by": who(), "now": now, "force": force}
    if for_ is not None:
        body["for_s"] = _seconds(for_, "--for")
    client = client_of(admin, token_file, config)
    _order(client, "drain", body)
    _wait(client, wait_s, _not_out)


def back(
    *,
    wait: Wait = None,
    admin: AdminOption = None,
    token_file: TokenOption = None,
    config: ConfigOption = None,
) -> None:
    """Let this server serve again: take `headrace vip drain` back."""
    wait_s = _seconds(wait, "--wait")
    client = client_of(admin, token_file, config)
    _order(client, "return", {"by": who()})
    _wait(client, wait_s, _not_serving)


def client_of(admin: str | None, token_file: Path | None, config: Path | None) -> AdminClient:
    """Return where to ask a VIP process."""
    return run(COMMAND, lambda: find_admin(admin, token_file, config, RoleName.VIP))


def explained(client: AdminClient, vip: str) -> Iterator[str]:
    """Yield why a VIP is announced as it is, by the process that runs."""
    path = f"/vip/explain?vip={quote(vip, safe='')}"
    for line in run(COMMAND, lambda: client.ask(Explained, "GET", path)).lines:
        yield harmless(line)


def planned(client: AdminClient) -> Iterator[str]:
    """Yield what the process that runs announces."""
    found = run(COMMAND, lambda: client.ask(Status, "GET", "/vip/status"))
    yield from planned_lines(found, PLAIN_WIDTH)


def _order(client: AdminClient, what: str, body: dict[str, object]) -> None:
    done = run(COMMAND, lambda: client.ask(Done, "POST", f"/vip/{what}", body))
    for line in done_lines(done, leaves=what == "drain"):
        typer.echo(harmless(line))


def _seconds(text: str | None, option: str) -> float:
    """Return a duration; 0 for none. Raises BadParameter."""
    if text is None:
        return 0.0
    try:
        return parse_duration(text)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint=option) from None


def _wait(client: AdminClient, wait_s: float, missing: Callable[[Status], Iterable[str]]) -> None:
    """Wait until nothing is missing; leave with 1 when it takes too long."""
    until_s = time.monotonic() + wait_s
    while wait_s:
        found = run(COMMAND, lambda: client.ask(Status, "GET", "/vip/status"))
        wrong = list(missing(found))
        if not wrong:
            typer.echo(f"done: {found.server} is {found.phase}")
            return
        if time.monotonic() >= until_s:
            fail(COMMAND, harmless(f"not in {wait_s:g} s: {'; '.join(wrong)}"), EXIT_NOT_WELL)
        time.sleep(LOOK_S)


def _not_out(found: Status) -> list[str]:
    """Return what a server that is to leave does yet: whoever stops its edge then cuts clients."""
    if found.phase != "out":
        return [f"it is {found.phase}"]
    kept = [one for one in found.vips if one.announced]
    return [
        f"it announces {one.vip}: {one.meaning}: headrace vip explain {one.vip}" for one in kept[:1]
    ] + ([f"and {len(kept) - 1} more VIPs"] if len(kept) > 1 else [])


def _not_serving(found: Status) -> list[str]:
    """Return what a server that is to serve lacks yet."""
    wanted = [] if found.wanted == "online" else [f"wanted {found.wanted}: {found.wanted_note}"]
    return [*wanted, *complaints(found)]


def _looks(client: AdminClient, interval_s: float, *, watch: bool) -> Iterator[Status]:
    while True:
        yield client.ask(Status, "GET", "/vip/status")
        if not watch:
            return
        time.sleep(interval_s)
