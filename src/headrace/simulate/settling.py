"""How long traffic takes to come to rest after something has happened. Pure.

What is compared is which share of all that clients get comes from which site, not how much it is:
so the growth of the day is no movement. Traffic is at rest from when on it stays for five minutes
where it is then, but for a twentieth of it; or, where fewer viewers bring more noise than that, but
for one and a half times what it strayed before.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate

from headrace.simulate.engine import Result
from headrace.topology.model import SiteKind

WITHIN = 0.05
REST_S = 300.0
_NOISE = 1.5
_MOST_WITHIN = 0.1
_LEAST = 4
"""After an event that is so soon followed by the next one, nothing can be said."""

Shares = Sequence[Sequence[float]]
"""For each interval the share of each site."""


def settled_s(result: Result, first: int) -> float:
    """Return the longest time that it took after any event from the interval `first` on; 0 where
    nothing happened. Where it never comes to rest, it is the time until the next event or the end.
    """
    series = result.series
    sites = [one.clients_bps for one in series.sites.values() if one.kind is not SiteKind.MID]
    if not sites or not result.happenings:
        return 0.0
    shares = [_shares(bps) for bps in zip(*sites, strict=True)]
    count = len(shares)
    rest = max(_LEAST, round(REST_S / series.interval_s))
    starts = sorted({int(one.at_s / series.interval_s) for one in result.happenings})
    starts = [start for start in starts if start < count]
    took = [
        settled(shares[start:end], rest, _allowed(shares[max(before, start - rest) : start]))
        for before, start, end in zip([0, *starts[:-1]], starts, [*starts[1:], count], strict=True)
        if start >= first and end - start >= _LEAST
    ]
    return series.interval_s * max(took, default=0)


def settled(shares: Shares, rest: int, within: float) -> int:
    """Return after how many intervals traffic is at rest: stays where it is for `rest` more, or to
    the end, but for a part of `within`.
    """
    sums = _sums(shares)
    count = len(shares)
    for start in range(count - _LEAST + 1):
        end = min(start + rest, count)
        mean = _mean(sums, start, end)
        if all(_apart(shares[at], mean) <= within for at in range(start, end)):
            return start
    return count


def _allowed(before: Shares) -> float:
    """Return which part may be elsewhere, by how much strayed before it happened."""
    if len(before) < _LEAST:
        return WITHIN
    mean = _mean(_sums(before), 0, len(before))
    strayed = max(_apart(one, mean) for one in before)
    return min(max(WITHIN, _NOISE * strayed), _MOST_WITHIN)


def _shares(bps: Sequence[float]) -> list[float]:
    total = sum(bps)
    return [one / total for one in bps] if total else [0.0] * len(bps)


def _apart(one: Sequence[float], other: Sequence[float]) -> float:
    """Return which part of the traffic is elsewhere."""
    return sum(abs(was - now) for was, now in zip(one, other, strict=True)) / 2


def _sums(shares: Shares) -> list[list[float]]:
    """Return for each site the sums of its shares until each interval, 0 first."""
    return [list(accumulate(of_site, initial=0.0)) for of_site in zip(*shares, strict=True)]


def _mean(sums: Sequence[Sequence[float]], start: int, end: int) -> list[float]:
    return [(of_site[end] - of_site[start]) / (end - start) for of_site in sums]
