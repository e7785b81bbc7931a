"""`headrace simulate`: a network under a scenario, or under yesterday's requests, by a virtual
clock; and two networks beside each other.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def simulate(
    path: Annotated[
        Path | None, typer.Argument(metavar="FILE", help="The scenario: scenario.toml.")
    ] = None,
    *,
    network: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Another network than the scenario's.")
    ] = None,
    against: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Compare with this network, or with the figures that --json printed.",
        ),
    ] = None,
    log: Annotated[
        list[str] | None,
        typer.Option(
            metavar="FILES", help="Access logs of edges ('access*.log'), in place of a demand."
        ),
    ] = None,
    seed: Annotated[
        int | None, typer.Option(min=0, help="Another seed than the scenario's.")
    ] = None,
    report: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write a page with plots: report.html.")
    ] = None,
    csv: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Write tables for other programs there.")
    ] = None,
    memory: Annotated[
        str | None,
        typer.Option(
            metavar="SIZE", help="Take no more memory: 4GB. Without: what the machine has left."
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the figures as JSON.")] = False,
) -> None:
    """Simulate a network: its routing, sharding, tiers, stores and control, under a scenario or
    under recorded requests.

    The same seed brings the same figures, to the last request.
    """
    # Imported here: the other commands need none of it to start.
    from headrace.cli.simulation import Output, run
    from headrace.simulate.bounds import MemoryBound

    if path is None and (network is None or not log):
        raise typer.BadParameter("name a scenario, or a --network and --log")
    bound = MemoryBound(None if memory is None else _size(memory))
    run(path, network, against, log or [], seed, Output(report, csv, as_json), bound)


def _size(text: str) -> int:
    from headrace.config.units import parse_size

    try:
        return parse_size(text)
    except ValueError as error:
        raise typer.BadParameter(f"--memory: {error}") from None
