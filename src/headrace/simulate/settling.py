"""How long a network takes to come to rest after something has happened. Pure.

At rest is a network whose fullest edge site stays within a tenth of what it comes to in the end:
before the next thing happens, or the simulation ends.
"""

from __future__ import annotations

from collections.abc import Sequence

from headrace.simulate.engine import Result
from headrace.topology.model import SiteKind

WITHIN = 0.1
_LAST_SHARE = 0.25
_LEAST = 4


def settled_s(result: Result, first: int) -> float:
    """Return the longest time that it took after any event from the interval `first` on; 0 where
    nothing happened.
    """
    series = result.series
    edges = [one.load() for one in series.sites.values() if one.kind is SiteKind.EDGE]
    if not edges or not result.happenings:
        return 0.0
    highest = [max(loads) for loads in zip(*edges, strict=True)]
    starts = sorted({int(one.at_s / series.interval_s) for one in result.happenings})
    ends = [*starts[1:], len(highest)]
    return series.interval_s * max(
        (
            _settled(highest[start:end])
            for start, end in zip(starts, ends, strict=True)
            if start >= first and end - start >= _LEAST
        ),
        default=0,
    )


def _settled(loads: Sequence[float]) -> int:
    """Return after how many intervals a load is at rest."""
    last = loads[-max(1, int(len(loads) * _LAST_SHARE)) :]
    rest = sum(last) / len(last)
    away = [number for number, load in enumerate(loads) if abs(load - rest) > WITHIN * rest]
    return away[-1] + 1 if away else 0
