"""`headrace lab drill`: break a lab by a written scenario, under load, and report what it cost."""

from __future__ import annotations

import signal
import sys
from pathlib import Path
from typing import Annotated

import typer

from headrace.lab.network.home import DEFAULT_ROOT


def drill(
    scenarios: Annotated[
        list[str],
        typer.Argument(metavar="NAME|FILE…", help="Shipped drills, `all` of them, or your own."),
    ],
    *,
    repeat: Annotated[int, typer.Option(min=1, max=100, help="How often each is run.")] = 1,
    output: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Write a table, a page, a picture and JSON there."),
    ] = None,
    topology: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="Another topology than the scenarios want."),
    ] = None,
    name: Annotated[
        str, typer.Option("--name", metavar="NAME", help="What to call the lab.")
    ] = "drill",
    keepalived: Annotated[
        bool,
        typer.Option("--keepalived", help="Measure keepalived's VRRP beside it, as installed."),
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print all figures as JSON.")] = False,
    state_dir: Annotated[
        Path, typer.Option("--state-dir", metavar="DIR", help="Where labs have their files.")
    ] = DEFAULT_ROOT,
) -> None:
    """Build a lab, break it by written scenarios while clients ask, and report what they saw.

    Exits with 1 where a body was wrong, or what a scenario hopes for did not come.
    """
    # Imported here: the other commands of a lab need none of it to start.
    import msgspec

    from headrace.config.lab import LAB
    from headrace.config.loader import load_config
    from headrace.lab.drill.command import Wanted, run_drills
    from headrace.lab.drill.report import write_report
    from headrace.lab.drill.shipped import find_scenarios
    from headrace.lab.drill.tables import text_table
    from headrace.lab.network.missing import home_is_usable, refuse_missing
    from headrace.lab.network.topology import find_topology

    found = find_scenarios(scenarios)
    for wanted in {topology or one.topology for one in found.values()}:
        refuse_missing(load_config(find_topology(wanted), LAB))
    home_is_usable(state_dir)
    # Ended by whoever, the lab goes too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    report = run_drills(
        Wanted(found, repeat, state_dir, name, topology, keepalived),
        lambda line: typer.echo(line, err=as_json),
    )
    if as_json:
        typer.echo(msgspec.json.encode(report).decode())
    else:
        for line in ["", *text_table(one.summary for one in report.drills)]:
            typer.echo(line)
    for one in report.drills:
        for missed in one.summary.missed:
            typer.echo(f"{one.summary.name}: {missed}", err=True)
    if output is not None:
        for path in write_report(output, report):
            typer.echo(f"wrote {path}", err=True)
    if any(one.summary.missed for one in report.drills):
        raise typer.Exit(1)
