"""The report's pictures. Needs matplotlib (`requirements/bench.txt`)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")
from matplotlib import pyplot as plt

from bench.speed.figures import Line, median
from bench.speed.report import Aside, Costs

BARS = "speed-throughput.png"
GROWTH = "speed-growth.png"


def draw(lines: Sequence[Line], aside: Aside, peers: Sequence[str], directory: Path) -> list[str]:
    """Write the pictures that there are figures for; their names."""
    names = []
    if any(line.unit in ("GB/s", "requests/s", "connections/s") for line in lines):
        _bars(lines, peers, directory / BARS)
        names.append(BARS)
    if aside.same_us:
        _growth(aside, directory / GROWTH)
        names.append(GROWTH)
    return names


def _bars(lines: Sequence[Line], peers: Sequence[str], path: Path) -> None:
    units = [
        unit
        for unit in ("GB/s", "requests/s", "connections/s")
        if any(line.unit == unit for line in lines)
    ]
    figure, axes = plt.subplots(1, len(units), figsize=(4 * len(units), 3.2), squeeze=False)
    for unit, axis in zip(units, axes[0], strict=True):
        shown = [line for line in lines if line.unit == unit]
        width = 0.8 / len(peers)
        for place, peer in enumerate(peers):
            found = [line.figures.get(peer, ()) for line in shown]
            axis.bar(
                [at + place * width for at in range(len(shown))],
                [median(values) if values else 0 for values in found],
                width,
                label=peer,
            )
        axis.set_xticks([at + 0.4 for at in range(len(shown))], [line.letter for line in shown])
        axis.set_title(unit, fontsize=9)
        axis.tick_params(labelsize=8)
    axes[0][0].legend(fontsize=7)
    figure.tight_layout()
    figure.savefig(path, dpi=90, metadata={"Software": None})
    plt.close(figure)


def _growth(aside: Aside, path: Path) -> None:
    panels: list[tuple[str, Costs]] = [
        ("objects stored, the same asked for", aside.same_us),
        ("objects stored, all asked for", aside.uniform_us),
        ("connections", aside.connections_us),
    ]
    figure, axes = plt.subplots(1, len(panels), figsize=(4 * len(panels), 3.2), squeeze=False)
    for (title, costs), axis in zip(panels, axes[0], strict=True):
        for peer, found in costs.items():
            axis.plot(list(found), list(found.values()), marker="o", label=peer)
        axis.set_xscale("log")
        axis.set_ylim(bottom=0)
        axis.set_title(title, fontsize=9)
        axis.set_ylabel("µs an answer", fontsize=8)
        axis.tick_params(labelsize=8)
        axis.legend(fontsize=7)
    figure.tight_layout()
    figure.savefig(path, dpi=90, metadata={"Software": None})
    plt.close(figure)
