"""`headrace simulate`: a network under a scenario, by a virtual clock."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer


def simulate(
    path: Annotated[Path, typer.Argument(metavar="FILE", help="The scenario: scenario.toml.")],
    *,
    seed: Annotated[
        int | None, typer.Option(min=0, help="Another seed than the scenario's.")
    ] = None,
    report: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write a page with plots: report.html.")
    ] = None,
    csv: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Write tables for other programs there.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the figures as JSON.")] = False,
) -> None:
    """Simulate a network: its routing, sharding, tiers, stores and control, under a scenario.

    The same seed brings the same figures, to the last request.
    """
    from headrace.config.loader import load_config
    from headrace.config.scenario import SCENARIO
    from headrace.simulate.build import engine_of
    from headrace.simulate.figures import as_dict, figures_of
    from headrace.simulate.progress import ProgressBar
    from headrace.simulate.report.page import page
    from headrace.simulate.report.tables import write_tables
    from headrace.simulate.summary import summary
    from headrace.topology.build import load_topology

    config = load_config(path, SCENARIO)
    if seed is not None:
        config = config.model_copy(update={"seed": seed})
    engine = engine_of(config, load_topology(config.network))
    bar = ProgressBar()
    result = engine.run(bar)
    bar.end()
    prices = config.prices
    figures = figures_of(result, prices.site, prices.otherwise, prices.origin)
    if report is not None:
        report.write_text(page(result, figures), encoding="utf-8")
    if csv is not None:
        write_tables(csv, result, figures)
    if as_json:
        typer.echo(json.dumps(as_dict(figures), indent=2))
        return
    for line in summary(result, figures):
        typer.echo(line)
