"""`headrace feedback`: run a feedback process, and ask or tell one that runs."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated
from urllib.parse import quote

import msgspec
import typer

from headrace.cli.admin_client import (
    AdminClient,
    AdminOption,
    ConfigOption,
    TokenOption,
    find_admin,
    harmless,
    harmless_json,
    run,
)
from headrace.cli.examples import examples
from headrace.cli.feedback_orders import give, order_lines
from headrace.cli.feedback_tables import event_json, event_line, status_lines
from headrace.cli.own_process import begin_workers
from headrace.cli.role_file import RoleName, load_for
from headrace.cli.tables import watch_looks
from headrace.config.feedback import FEEDBACK
from headrace.config.units import parse_duration
from headrace.feedback.admin.models import (
    MOST_LINES,
    USUAL_LINES,
    Because,
    DryRun,
    OrderList,
    Status,
)
from headrace.feedback.orders import Mode, Wish

PLAIN_WIDTH = 120
COMMAND = "feedback"

feedback = typer.Typer(
    name="feedback",
    help="Observe the network, take failing servers out, and bring them back.",
    add_completion=False,
    rich_markup_mode=None,
    invoke_without_command=True,
)
Reason = Annotated[str, typer.Option(help="Why; it is kept with the order.", metavar="TEXT")]
Name = Annotated[str, typer.Argument(metavar="SERVER|SITE", help="The name of either.")]


@feedback.callback()
def run_feedback(
    context: typer.Context,
    *,
    config: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Run by this configuration file.")
    ] = None,
) -> None:
    """Run a feedback process until a signal stops it; or ask and tell one that runs."""
    if context.invoked_subcommand is not None:
        return
    if config is None:
        typer.echo("headrace feedback: name its file with --config, or a command", err=True)
        raise typer.Exit(2)
    forks = begin_workers(RoleName.FEEDBACK)
    wanted = load_for(config, FEEDBACK)
    from headrace.feedback.role import FeedbackRole
    from headrace.node.run import run as run_node

    raise typer.Exit(run_node(FeedbackRole(), wanted, config, forks))


@feedback.command(name="status", epilog=examples("feedback status"))
def status(
    *,
    watch: Annotated[bool, typer.Option("--watch", help="Again and again, until Ctrl-C.")] = False,
    once: Annotated[bool, typer.Option("--once", hidden=True, help="As without it.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="JSON objects, one each time.")] = False,
    interval: Annotated[
        float, typer.Option(min=0.5, max=60.0, help="Seconds between tables.")
    ] = 1.0,
    admin: AdminOption = None,
    token_file: TokenOption = None,
    config: ConfigOption = None,
) -> None:
    """Show servers, sites and observers. Those that are not online come first."""
    client = _client(admin, token_file, config)
    watch = watch and not once
    drawn = watch and sys.stdout.isatty() and not as_json
    watch_looks(
        COMMAND,
        _looks(client, interval, watch=watch),
        status_lines,
        first="headrace feedback: asking…",
        plain_width=PLAIN_WIDTH,
        as_json=as_json,
        drawn=drawn,
    )


@feedback.command(name="why", epilog=examples("feedback why"))
def why(
    name: Name,
    *,
    admin: AdminOption = None,
    token_file: TokenOption = None,
    config: ConfigOption = None,
) -> None:
    """Say why a server or a site is as it is: from what was observed to what is published."""
    client = _client(admin, token_file, config)
    path = f"/feedback/why?name={quote(name, safe='')}"
    for line in run(COMMAND, lambda: client.ask(Because, "GET", path)).lines:
        typer.echo(harmless(line))


@feedback.command(name="dry-run", epilog=examples("feedback dry-run"))
def dry_run(
    *,
    admin: AdminOption = None,
    token_file: TokenOption = None,
    config: ConfigOption = None,
) -> None:
    """Print what the balance between sites comes to, whether its weights are in force or not."""
    client = _client(admin, token_file, config)
    for line in run(COMMAND, lambda: client.ask(DryRun, "GET", "/feedback/dry-run")).lines:
        typer.echo(harmless(line))


@feedback.command(name="history", epilog=examples("feedback history"))
def history(
    about: Annotated[str, typer.Argument(metavar="[SERVER|SITE]", help="Of this one alone.")] = "",
    *,
    limit: Annotated[
        int, typer.Option(min=1, max=MOST_LINES, help="So many events at most.")
    ] = USUAL_LINES,
    as_json: Annotated[bool, typer.Option("--json", help="Lines of JSON, with evidence.")] = False,
    admin: AdminOption = None,
    token_file: TokenOption = None,
    config: ConfigOption = None,
) -> None:
    """Print what changed, the newest first."""
    client = _client(admin, token_file, config)
    path = f"/feedback/history?limit={limit}&about={quote(about, safe='')}"
    lines = run(COMMAND, lambda: client.read("GET", path)).splitlines()
    if not lines:
        if about:
            run(
                COMMAND,
                lambda: client.ask(Because, "GET", f"/feedback/why?name={quote(about, safe='')}"),
            )
        typer.echo("headrace feedback: nothing has changed", err=True)
    for line in lines:
        typer.echo(event_json(line) if as_json else harmless(event_line(line)))


@feedback.command(name="orders", epilog=examples("feedback orders"))
def orders(
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    admin: AdminOption = None,
    token_file: TokenOption = None,
    config: ConfigOption = None,
) -> None:
    """Print the orders of operators: which are in force, which are overruled, who knows them."""
    client = _client(admin, token_file, config)
    found = run(COMMAND, lambda: client.ask(OrderList, "GET", "/feedback/orders"))
    if as_json:
        typer.echo(harmless_json(msgspec.to_builtins(found)))
        return
    for line in order_lines(found):
        typer.echo(harmless(line))
    if not found.orders:
        typer.echo("headrace feedback: no orders", err=True)


@feedback.command(name="freeze", epilog=examples("feedback freeze"))
def freeze(
    *,
    reason: Reason = "",
    admin: AdminOption = None,
    token_file: TokenOption = None,
    config: ConfigOption = None,
) -> None:
    """Keep the view as it is. Servers are still observed; `thaw` lets the view follow again."""
    give(COMMAND, _client(admin, token_file, config), "freeze", {"frozen": True, "reason": reason})


@feedback.command(name="thaw", epilog=examples("feedback thaw"))
def thaw(
    *,
    reason: Reason = "",
    admin: AdminOption = None,
    token_file: TokenOption = None,
    config: ConfigOption = None,
) -> None:
    """Let the view follow what is observed again."""
    give(COMMAND, _client(admin, token_file, config), "freeze", {"frozen": False, "reason": reason})


@feedback.command(name="want", epilog=examples("feedback want"))
def want(
    name: Name,
    wish: Annotated[
        Wish,
        typer.Argument(
            metavar="online|draining|withdrawn|none",
            help="`online`, whatever is observed; `none` takes the last wish back.",
        ),
    ],
    *,
    for_: Annotated[
        str | None, typer.Option("--for", metavar="TIME", help='It ends by itself: "2h".')
    ] = None,
    reason: Reason = "",
    admin: AdminOption = None,
    token_file: TokenOption = None,
    config: ConfigOption = None,
) -> None:
    """Want a server, or all servers of a site, drained, withdrawn or online."""
    body: dict[str, object] = {"name": name, "wish": wish.value, "reason": reason}
    if for_ is not None:
        try:
            body["for_s"] = parse_duration(for_)
        except ValueError as error:
            raise typer.BadParameter(str(error), param_hint="--for") from None
    give(COMMAND, _client(admin, token_file, config), "wish", body)


def _parsed_mode(text: str) -> str:
    """Return a mode as the admin API has it, written as the configuration has it or so."""
    wanted = text.replace("-", "_")
    if wanted not in (*Mode, "configured"):
        raise typer.BadParameter(f"{text!r} is none of states, dry-run, both and configured")
    return wanted


@feedback.command(name="mode", epilog=examples("feedback mode"))
def mode(
    wanted: Annotated[
        str,
        typer.Argument(
            metavar="states|dry-run|both|configured",
            help="`configured`: what the file says.",
            parser=_parsed_mode,
        ),
    ],
    *,
    admin: AdminOption = None,
    token_file: TokenOption = None,
    config: ConfigOption = None,
) -> None:
    """Choose what the loop does: states of servers alone, a dry run of the balance, or both."""
    give(COMMAND, _client(admin, token_file, config), "mode", {"mode": wanted})


def _client(admin: str | None, token_file: Path | None, config: Path | None) -> AdminClient:
    return run(COMMAND, lambda: find_admin(admin, token_file, config, RoleName.FEEDBACK))


def _looks(client: AdminClient, interval_s: float, *, watch: bool) -> Iterator[Status]:
    while True:
        yield client.ask(Status, "GET", "/feedback/status")
        if not watch:
            return
        time.sleep(interval_s)
