"""`headrace lab drill`: break a lab by a written scenario, under load, and report what it cost."""

from __future__ import annotations

import signal
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from headrace.lab.network.home import DEFAULT_ROOT


def drill(
    scenarios: Annotated[
        list[str],
        typer.Argument(metavar="NAME|FILE…", help="Shipped drills, `all` of them, or your own."),
    ],
    *,
    repeat: Annotated[
        int, typer.Option(min=1, max=100, metavar="N", help="How often each is run.")
    ] = 1,
    output: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Write a table, a page, a picture and JSON there."),
    ] = None,
    topology: Annotated[
        str | None,
        typer.Option(
            metavar="FILE", help="Another topology than the scenarios want, shipped or a file."
        ),
    ] = None,
    name: Annotated[
        str, typer.Option("--name", metavar="NAME", help="What to call the lab.")
    ] = "drill",
    keepalived: Annotated[
        bool,
        typer.Option("--keepalived", help="Measure keepalived's VRRP beside it, as installed."),
    ] = False,
    resume: Annotated[
        bool,
        typer.Option("--continue", help="Make only the runs that --output does not have yet."),
    ] = False,
    players: Annotated[
        list[str] | None,
        typer.Option(
            "--player", metavar="NAME", help="Let one play meanwhile: ffmpeg, hls.js. Repeatable."
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print all figures as JSON.")] = False,
    state_dir: Annotated[
        Path, typer.Option("--state-dir", metavar="DIR", help="Where labs have their files.")
    ] = DEFAULT_ROOT,
) -> None:
    """Build a lab, break it by written scenarios while clients ask, and report what they saw.

    Exits with 1 where a body was wrong, a player failed for good, or what a scenario hopes for did
    not come.
    """
    # Imported here: the other commands of a lab need none of it to start.
    from headrace.lab.drill.command import Wanted
    from headrace.lab.drill.report import read_report
    from headrace.lab.drill.shipped import find_scenarios

    before = read_report(output) if resume else None
    found = find_scenarios(scenarios)
    played = tuple(dict.fromkeys(players or ()))
    wanted = Wanted(found, repeat, state_dir, name, topology, keepalived, before, played)
    _run(wanted, output, as_json)


def _run(wanted: Any, output: Path | None, as_json: bool) -> None:
    """Run what is wanted, and print and write what came of it."""
    import msgspec

    from headrace.lab.drill.command import run_drills
    from headrace.lab.drill.players.audience import refuse_missing_players
    from headrace.lab.drill.players_table import players_rows
    from headrace.lab.drill.report import write_report
    from headrace.lab.drill.tables import aligned, text_table
    from headrace.lab.network.missing import home_is_usable

    refuse_missing_players(wanted.players)
    home_is_usable(wanted.root)
    # Ended by whoever, the lab goes too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))

    def keep(report: Any) -> None:
        if output is not None:
            write_report(output, report)

    report = run_drills(wanted, lambda line: typer.echo(line, err=as_json), keep)
    if as_json:
        typer.echo(msgspec.json.encode(report).decode())
    else:
        for line in ["", *text_table(each.summary for each in report.drills)]:
            typer.echo(line)
        rows = players_rows(each.summary for each in report.drills)
        for line in ["", *aligned(rows)] if rows else ():
            typer.echo(line)
    missed = [(each.summary.name, what) for each in report.drills for what in each.summary.missed]
    for drilled, what in missed:
        typer.echo(f"{drilled}: {what}", err=True)
    if output is not None:
        for path in write_report(output, report):
            typer.echo(f"wrote {path}", err=True)
    if missed:
        raise typer.Exit(1)
