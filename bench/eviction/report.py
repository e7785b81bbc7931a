"""Results as Markdown tables: LRU's hit ratio, and how far every other policy is from it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from bench.eviction.simulation import Ratios, Result
from bench.eviction.traces import Scale

YARDSTICK = "LRU"
Measure = Callable[[Ratios], float]

INTRODUCTION = """\
# Eviction policies compared

Written by `python -m bench.eviction`. Seed {seed}, {requests:,} requests a trace (the first \
quarter only warms the cache), {titles:,} titles.

Columns: LRU's hit ratio in per cent, then each other policy's distance from it in percentage \
points. Cache sizes are shares of the footprint, which is what a cache that never evicts would \
hold in the end. The best of each row is bold. S3-FIFO here is the code that the store runs \
(`headrace.cache.eviction`). "Mixed sizes" are 2 MB segments among which channel manifests and a \
tenth of the other entries have 1 KB.

The traces are synthetic: they show how policies react to a pattern, not what a given audience \
will see. A difference of less than half a point means nothing.
"""


def report(results: Sequence[Result], *, seed: int, scale: Scale) -> str:
    """The whole document."""
    equal = [result for result in results if not result.mixed_sizes]
    mixed = [result for result in results if result.mixed_sizes]
    sections = [
        INTRODUCTION.format(seed=seed, requests=scale.requests, titles=scale.titles),
        "## Summary\n\n" + _summary(equal, mixed),
        "## Equal sizes\n\nBy requests and by bytes alike.\n\n" + _table(equal, _by_requests),
        "## Mixed sizes, by requests\n\n" + _table(mixed, _by_requests),
        "## Mixed sizes, by bytes\n\n" + _table(mixed, _by_bytes),
    ]
    return "\n".join(sections)


def _by_requests(hit: Ratios) -> float:
    return hit.requests


def _by_bytes(hit: Ratios) -> float:
    return hit.bytes


def _policies(results: Sequence[Result]) -> list[str]:
    return list(dict.fromkeys(result.policy for result in results))


def _rows(results: Sequence[Result], measure: Measure) -> dict[tuple[str, float], dict[str, float]]:
    """Per trace and cache size: each policy's ratio."""
    rows: dict[tuple[str, float], dict[str, float]] = {}
    for result in results:
        row = rows.setdefault((result.trace, result.cache_share), {})
        row[result.policy] = measure(result.hit)
    return rows


def _table(results: Sequence[Result], measure: Measure) -> str:
    others = [policy for policy in _policies(results) if policy != YARDSTICK]
    lines = [_line(["trace", "cache", f"{YARDSTICK} %", *others]), _rule(2, 1 + len(others))]
    for (trace, share), ratios in _rows(results, measure).items():
        best = max(ratios.values())
        cells = [trace, f"{share:.0%}", _bold(f"{ratios[YARDSTICK]:.1%}"[:-1], ratios, best)]
        for policy in others:
            text = _points(ratios[policy] - ratios[YARDSTICK])
            cells.append(f"**{text}**" if ratios[policy] == best else text)
        lines.append(_line(cells))
    return "\n".join(lines) + "\n"


def _bold(text: str, ratios: dict[str, float], best: float) -> str:
    return f"**{text}**" if ratios[YARDSTICK] == best else text


def _summary(equal: Sequence[Result], mixed: Sequence[Result]) -> str:
    columns = {
        "equal sizes": _rows(equal, _by_requests),
        "mixed, by requests": _rows(mixed, _by_requests),
        "mixed, by bytes": _rows(mixed, _by_bytes),
    }
    heads = [
        text
        for column in columns
        for text in (f"{column}: mean", "worst", f"best of {len(columns[column])}")
    ]
    lines = [_line(["policy", *heads]), _rule(1, len(heads))]
    for policy in _policies(equal):
        cells = [policy]
        for rows in columns.values():
            gaps = [ratios[policy] - ratios[YARDSTICK] for ratios in rows.values()]
            wins = sum(ratios[policy] == max(ratios.values()) for ratios in rows.values())
            cells += [_points(sum(gaps) / len(gaps)), _points(min(gaps)), str(wins)]
        lines.append(_line(cells))
    return "\n".join(lines) + f"\n\nMean and worst are distances from {YARDSTICK} in points.\n"


def _points(difference: float) -> str:
    return f"{difference * 100:+.1f}"


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _rule(left: int, right: int) -> str:
    return "|" + "---|" * left + "--:|" * right
