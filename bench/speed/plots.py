"""The page's pictures. Needs matplotlib (`requirements/bench.txt`)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")
from matplotlib import pyplot as plt

from bench.speed.compared import OWN, Compared, all_works
from bench.speed.result import Result


def draw(result: Result, directory: Path) -> list[str]:
    """Write the pictures that there are figures for; their names."""
    names = []
    works = all_works(result)
    compared = [work for work in works if work.ratios]
    name = result.machine.name
    if compared:
        names.append(f"speed-ratios-{name}.png")
        _ratios(compared, result.peers, directory / names[-1])
    stores = {each.letter: each for each in works if each.letter[0] == "s" and each.cpu_us}
    panels = {
        "objects stored, all asked for": {
            peer: {
                10 ** int(letter[1:]): work.cpu_us[peer].median
                for letter, work in stores.items()
                if peer in work.cpu_us
            }
            for peer in result.peers
            if any(peer in work.cpu_us for work in stores.values())
        },
        "connections": result.aside.connections_us,
    }
    panels = {title: costs for title, costs in panels.items() if costs}
    if panels:
        names.append(f"speed-growth-{name}.png")
        _growth(panels, directory / names[-1])
    return names


def _ratios(works: Sequence[Compared], peers: Sequence[str], path: Path) -> None:
    """A point for each ratio with a line for its range; right of 1 is in our favour."""
    others = [peer for peer in peers if peer != OWN]
    figure, axis = plt.subplots(figsize=(8, 0.42 * len(works) + 1.2))
    for place, peer in enumerate(others):
        rows = [(at, work.ratios[peer]) for at, work in enumerate(works) if peer in work.ratios]
        if not rows:
            continue
        axis.errorbar(
            [found.median for _, found in rows],
            [at + (place - (len(others) - 1) / 2) * 0.15 for at, _ in rows],
            xerr=[
                [found.median - found.low for _, found in rows],
                [found.high - found.median for _, found in rows],
            ],
            fmt="o", markersize=3, linewidth=1, label=peer,
        )  # fmt: skip
    axis.axvline(1.0, color="grey", linewidth=0.8)
    axis.set_xscale("log")
    ticks = [0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0]
    axis.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    axis.minorticks_off()
    axis.set_yticks(range(len(works)), [f"{work.letter} {work.title}" for work in works])
    axis.invert_yaxis()
    axis.tick_params(labelsize=7)
    axis.set_title("Ratio to each server: Headrace is better on the right of 1", fontsize=9)
    axis.legend(fontsize=7)
    figure.tight_layout()
    figure.savefig(path, dpi=90, bbox_inches="tight", metadata={"Software": None})
    plt.close(figure)


def _growth(panels: dict[str, dict[str, dict[int, float]]], path: Path) -> None:
    figure, axes = plt.subplots(1, len(panels), figsize=(4 * len(panels), 3.2), squeeze=False)
    for (title, costs), axis in zip(panels.items(), axes[0], strict=True):
        for peer, found in costs.items():
            axis.plot(list(found), list(found.values()), marker="o", label=peer)
        axis.set_xscale("log")
        axis.set_ylim(bottom=0)
        axis.set_title(title, fontsize=9)
        axis.set_ylabel("µs an answer", fontsize=8)
        axis.tick_params(labelsize=8)
        axis.legend(fontsize=7)
    figure.tight_layout()
    figure.savefig(path, dpi=90, bbox_inches="tight", metadata={"Software": None})
    plt.close(figure)
