"""What `headrace simulate` does: runs one network or two, and writes what came of it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import typer

from headrace.config.loader import load_config
from headrace.config.scenario import SCENARIO
from headrace.config.scenario.model import ScenarioConfig
from headrace.errors import HeadraceError
from headrace.simulate.bounds import MemoryBound
from headrace.simulate.build import engine_of
from headrace.simulate.comparison import beside_each_other, comparison
from headrace.simulate.demand.access_logs import NoLogs, Passed, logs_of, read_logs
from headrace.simulate.engine import Progress, Result
from headrace.simulate.figures import Figures, as_dict, figures_of, read_figures
from headrace.simulate.progress import ProgressBar
from headrace.simulate.replay import Moves, replay
from headrace.simulate.report.files import check_directory, check_file, write_file
from headrace.simulate.report.page import page, page_of_variants
from headrace.simulate.report.tables import write_tables
from headrace.simulate.summary import summary, table
from headrace.topology.build import load_topology

_FIGURES = ".json"


class Unclear(HeadraceError):
    """What is asked for cannot be done at once."""


@dataclass(frozen=True, slots=True)
class Output:
    """What is to be written beside the summary, or in its place."""

    report: Path | None
    csv: Path | None
    as_json: bool

    def check(self) -> None:
        """Raise UnwritableOutput where something cannot be written, before anything is run."""
        if self.report is not None:
            check_file(self.report)
        if self.csv is not None:
            check_directory(self.csv)


def run(
    path: Path | None,
    network: Path | None,
    against: Path | None,
    logs: Sequence[str],
    seed: int | None,
    output: Output,
    memory: MemoryBound,
) -> None:
    """Simulate, and print what came of it. Raises HeadraceError."""
    config = _config(path, network, seed)
    output.check()
    if config.variants and (logs or against is not None):
        raise Unclear(
            f"{path} has variants, which are compared with each other: take [[variant]] out, or "
            f"leave out {'--log' if logs else '--against'}"
        )
    if config.variants:
        _run_variants(config, output, memory)
        return
    others = [against] if against is not None and against.suffix != _FIGURES else []
    networks = [*others, config.network]
    # Read before the run, which may be long.
    earlier = [read_figures(against)] if against is not None and not others else []
    moves = None
    if logs:
        results, moves = _replayed(config, networks, logs, memory)
    else:
        each = [config.model_copy(update={"network": one}) for one in networks]
        results = [_run(one, memory) for one in each]
    figures = [*earlier, *(_figures(one, config) for one in results)]
    _write(results[-1], figures[-1], output)
    if output.as_json:
        typer.echo(json.dumps(as_dict(figures[-1]), indent=2))
        return
    for line in _lines(results[-1], figures, moves if others else None):
        typer.echo(line)


def _run_variants(config: ScenarioConfig, output: Output, memory: MemoryBound) -> None:
    results = {one.name: _run(config.as_variant(one), memory) for one in config.variants}
    figures = {name: _figures(one, config) for name, one in results.items()}
    if output.report is not None:
        write_file(output.report, page_of_variants(results, figures))
    if output.csv is not None:
        for name, result in results.items():
            write_tables(output.csv / name, result, figures[name])
    if output.as_json:
        document = {name: as_dict(one) for name, one in figures.items()}
        typer.echo(json.dumps(document, indent=2))
        return
    for line in [config.title, "", *table(beside_each_other(figures))]:
        typer.echo(line)


def _lines(result: Result, figures: Sequence[Figures], moves: Moves | None) -> Iterator[str]:
    if len(figures) == 1:
        return summary(result, figures[0])
    return comparison(figures[0], figures[-1], moves)


def _config(path: Path | None, network: Path | None, seed: int | None) -> ScenarioConfig:
    if path is None:
        assert network is not None
        # Of a replay nothing of a scenario counts but what its defaults say.
        return ScenarioConfig(network=network, length_s=2.0)
    config = load_config(path, SCENARIO)
    changed: dict[str, object] = {} if seed is None else {"seed": seed}
    return config.model_copy(update=changed if network is None else {**changed, "network": network})


def _run(config: ScenarioConfig, memory: MemoryBound) -> Result:
    bar = ProgressBar()
    try:
        return engine_of(config, load_topology(config.network)).run(_watched(bar, memory))
    finally:
        bar.end()


def _watched(bar: ProgressBar, memory: MemoryBound) -> Progress:
    """Return what shows the progress, and ends a run that takes too much memory."""

    def progress(share: float, requests: int) -> None:
        memory.check()
        bar(share, requests)

    return progress


def _replayed(
    config: ScenarioConfig, networks: Sequence[Path], patterns: Sequence[str], memory: MemoryBound
) -> tuple[list[Result], Moves]:
    topologies = [load_topology(one) for one in networks]
    passed = Passed()
    paths = logs_of(patterns)
    size_bytes = sum(path.stat().st_size for path in paths if path.is_file()) or 1
    bar = ProgressBar()
    watched = _watched(bar, memory)

    def progress(_share: float, count: int) -> None:
        watched(min(1.0, passed.read_bytes / size_bytes), count)

    try:
        results, moves = replay(config, topologies, read_logs(paths, passed), progress=progress)
    finally:
        bar.end()
    for count, what in (
        (passed.unreadable, "lines are none of an access log"),
        (passed.of_servers, "requests of other servers, which ask by themselves here"),
        (passed.of_probes, "probes and checks of servers, which are no demand"),
        (passed.failed, "requests that were not served, or no GET"),
        (passed.misplaced, "requests of quite another time than those around them"),
        (passed.damaged_files, "ends of compressed logs that are cut short or broken"),
    ):
        if count:
            typer.echo(f"passed over: {count:,} {what}", err=True)
    if not moves.requests:
        raise NoLogs("the logs have no request of a client that was served: name those of edges")
    return results, moves


def _figures(result: Result, config: ScenarioConfig) -> Figures:
    prices = config.prices
    return figures_of(result, prices.site, prices.otherwise, prices.origin)


def _write(result: Result, figures: Figures, output: Output) -> None:
    if output.report is not None:
        write_file(output.report, page(result, figures))
    if output.csv is not None:
        write_tables(output.csv, result, figures)
