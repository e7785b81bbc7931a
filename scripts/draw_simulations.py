"""Run the shipped scenarios and draw what their pages show: `scripts/draw_simulations.py`.

With names, only those. Writes docs/images/simulator/NAME-CHART.svg, and each scenario's figures as
a table to standard output, as its page shows them.
"""

from __future__ import annotations

import sys
from pathlib import Path

from msgspec.structs import replace

from headrace.config.loader import load_config
from headrace.config.scenario import SCENARIO
from headrace.simulate.build import engine_of
from headrace.simulate.comparison import beside_each_other
from headrace.simulate.engine import Result
from headrace.simulate.figures import figures_of
from headrace.simulate.report.charts import Plots, plots_of, plots_of_variants
from headrace.simulate.report.svg import picture
from headrace.simulate.summary import summary, table
from headrace.topology.build import load_topology

ROOT = Path(__file__).resolve().parent.parent
SCENARIOS = ROOT / "docs" / "examples" / "simulator"
IMAGES = ROOT / "docs" / "images" / "simulator"
SHOWN = {
    "evening": ("Bytes to clients, and from origins", "Load of sites"),
    "flash-crowd": ("Fullest server",),
    "site-loss": ("Fullest site", "In vain"),
    "upgrade": ("In vain",),
    "sharding": ("Bytes from origins",),
    "tiering": ("Bytes from origins",),
    "eviction": ("Hits",),
    "balance": ("Fullest site", "Late"),
    "controllers": ("Fullest site", "Late"),
    "bad-observer": ("Fullest site",),
    "new-server": ("Bytes of sites above",),
}
"""Which plots each page shows."""
WITHOUT_WARM_UP = {"new-server"}
"""Where what happens would be small beside the filling of all stores."""


def main() -> None:
    for name in sys.argv[1:] or SHOWN:
        config = load_config(SCENARIOS / f"{name}.toml", SCENARIO)
        results: dict[str, Result] = {}
        for variant in config.variants:
            one = config.as_variant(variant)
            results[variant.name] = engine_of(one, load_topology(one.network)).run()
        if results:
            plots = plots_of_variants(results)
            figures = {key: figures_of(one, {}, 0.0, 0.0) for key, one in results.items()}
            lines = list(table(beside_each_other(figures)))
        else:
            result = engine_of(config, load_topology(config.network)).run()
            plots = plots_of(result)
            lines = list(summary(result, figures_of(result, {}, 0.0, 0.0)))
        draw(name, after(plots, config.warm_up_s) if name in WITHOUT_WARM_UP else plots)
        print(f"{name}\n", *lines, "", sep="\n")


def after(plots: Plots, begins_s: float) -> Plots:
    """Return what plots show from a time on."""
    first = sum(at_s < begins_s for at_s in plots.at_s)
    charts = [
        replace(one, lines=[replace(line, values=line.values[first:]) for line in one.lines])
        for one in plots.charts
    ]
    marks = [mark for mark in plots.marks if mark.at_s >= begins_s]
    return Plots(plots.at_s[first:], marks, charts)


def draw(name: str, plots: Plots) -> None:
    """Write the pictures of one scenario."""
    IMAGES.mkdir(parents=True, exist_ok=True)
    for chart in plots.charts:
        if chart.title in SHOWN[name]:
            words = chart.title.split(",")[0].lower().replace(" ", "-")
            (IMAGES / f"{name}-{words}.svg").write_text(picture(plots, chart), encoding="utf-8")


if __name__ == "__main__":
    main()
