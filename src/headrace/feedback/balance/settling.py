"""From where traffic is best served to where it is sent next: calmly, no more than need be. Pure.

Between the best weights while sites may be used to their targets, and those while they may be used
to the release threshold below, the weights before stay as they are: hysteresis. A step is bounded,
and smaller where what is on its way, together with what has not left yet, would be too much for a
site. Sites that are tied by moved clients settle together; the others are left alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from headrace.feedback.balance.groups import Cluster
from headrace.feedback.balance.rules import BalanceRules

Shares = dict[int, float]
_SAME = 1e-6
_MARGIN = 0.2
_HALVINGS = 4


@dataclass(frozen=True, slots=True)
class Situation:
    """What a step is decided by. For each cluster: what it wants, where it was sent `before`, where
    its traffic has `arrived`, and the `best` weights for targets and those for the release
    threshold. For each site, what it carries (`whole`) and what of that others use (`beside`).
    """

    clusters: Sequence[Cluster]
    demand: Sequence[float]
    before: Sequence[Shares]
    arrived: Sequence[Shares]
    best: Sequence[Shares]
    released: Sequence[Shares]
    whole: Sequence[float]
    beside: Sequence[float]


def settle(now: Situation, rules: BalanceRules) -> list[Shares]:
    """Return where each cluster is sent next."""
    sent = [own_of(cluster) for cluster in now.clusters]
    moved = [number for number in range(len(sent)) if _is_moved(now, number, sent[number])]
    load = list(now.beside)
    still = set(range(len(sent))).difference(moved)
    for number, wanted in enumerate(now.demand):
        if number in still:
            for site, share in sent[number].items():
                load[site] += wanted * share
    for numbers in _tied(now, moved):
        for number, shares in zip(numbers, _next(now, numbers, load, rules), strict=True):
            sent[number] = shares
    return sent


def own_of(cluster: Cluster) -> Shares:
    """Return where a cluster is while nothing is moved."""
    return {site: own for site, own in zip(cluster.sites, cluster.own, strict=True) if own}


def _is_moved(now: Situation, number: int, own: Shares) -> bool:
    return any(
        not _alike(one[number], own) for one in (now.best, now.released, now.before, now.arrived)
    )


def _alike(one: Shares, other: Shares) -> bool:
    return all(
        abs(one.get(site, 0.0) - other.get(site, 0.0)) < _SAME for site in one.keys() | other.keys()
    )


def _tied(now: Situation, moved: Sequence[int]) -> Iterator[list[int]]:
    """Yield clusters that share sites, directly or by others."""
    parent: dict[int, int] = {}

    def root(site: int) -> int:
        while parent.setdefault(site, site) != site:
            parent[site] = parent[parent[site]]
            site = parent[site]
        return site

    for number in moved:
        sites = [site for one in _all_of(now, number) for site in one]
        for site in sites:
            first, other = root(sites[0]), root(site)
            parent[max(first, other)] = min(first, other)
    found: dict[int, list[int]] = {}
    for number in moved:
        found.setdefault(root(next(iter(now.best[number]))), []).append(number)
    yield from found.values()


def _all_of(now: Situation, number: int) -> tuple[Shares, ...]:
    return now.best[number], now.released[number], now.before[number], now.arrived[number]


def _next(
    now: Situation, numbers: Sequence[int], load: Sequence[float], rules: BalanceRules
) -> list[Shares]:
    """Return where clusters that are tied are sent next; `load` is what all others make."""
    goal = _goal(now, numbers)
    before = [now.before[number] for number in numbers]
    if not _worth_it(now, numbers, goal, rules):
        return before
    parts = _parts(now, numbers, before, goal, rules)
    allowed = _allowed(now, numbers, goal, load)
    for _ in range(_HALVINGS):
        sent = [_mix(*each) for each in zip(before, goal, parts, strict=True)]
        full = _too_full(now, numbers, sent, load, allowed)
        if not full:
            return sent
        parts = [
            part / 2 if any(shares.get(site, 0.0) > old.get(site, 0.0) for site in full) else part
            for part, shares, old in zip(parts, goal, before, strict=True)
        ]
    return [_mix(*each) for each in zip(before, goal, parts, strict=True)]


def _parts(
    now: Situation,
    numbers: Sequence[int],
    before: Sequence[Shares],
    goal: Sequence[Shares],
    rules: BalanceRules,
) -> list[float]:
    """Return how much of the way each cluster goes: so that no site changes too much."""
    coming: dict[int, float] = {}
    leaving: dict[int, float] = {}
    for number, old, new in zip(numbers, before, goal, strict=True):
        for site in sorted(old.keys() | new.keys()):
            change = now.demand[number] * (new.get(site, 0.0) - old.get(site, 0.0))
            total = coming if change > 0 else leaving
            total[site] = total.get(site, 0.0) + abs(change)
    part = {
        site: min(1.0, rules.step * now.whole[site] / max(amount, 1.0))
        for total in (leaving, coming)
        for site, amount in total.items()
        if amount > rules.step * now.whole[site]
    }
    return [
        min((part.get(site, 1.0) for site in old.keys() | new.keys()), default=1.0)
        for old, new in zip(before, goal, strict=True)
    ]


def _goal(now: Situation, numbers: Sequence[int]) -> list[Shares]:
    """Return the weights between the best and the released ones that are nearest to those before.

    Each between them is as good for the sites' loads: they are sums of both.
    """
    along = across = 0.0
    for number in numbers:
        best, released, before = now.best[number], now.released[number], now.before[number]
        weight = max(now.demand[number], 1.0) ** 2
        for site in best.keys() | released.keys() | before.keys():
            way = released.get(site, 0.0) - best.get(site, 0.0)
            along += weight * way * way
            across += weight * way * (before.get(site, 0.0) - best.get(site, 0.0))
    part = across / along if along > 0 else 0.0
    # What must move is moved a little farther than need be, so that it need not move again soon.
    part = _MARGIN if part < 0.0 else min(part, 1.0)
    return [_mix(now.best[number], now.released[number], part) for number in numbers]


def _worth_it(
    now: Situation, numbers: Sequence[int], goal: Sequence[Shares], rules: BalanceRules
) -> bool:
    """Return whether a site's load would change by enough; the last bit home always counts."""
    change: dict[int, float] = {}
    home = True
    for number, after in zip(numbers, goal, strict=True):
        before, wanted = now.before[number], now.demand[number]
        home = home and _alike(after, own_of(now.clusters[number]))
        for site in sorted(after.keys() | before.keys()):
            more = wanted * (after.get(site, 0.0) - before.get(site, 0.0))
            change[site] = change.get(site, 0.0) + more
    return home or any(
        abs(amount) > rules.least * now.whole[site] for site, amount in change.items()
    )


def _allowed(
    now: Situation, numbers: Sequence[int], goal: Sequence[Shares], load: Sequence[float]
) -> dict[int, float]:
    """Return what each site may have at most on the way: what it carries, or, where that is too
    little anyway, what it has or will have."""
    most: dict[int, float] = {}
    for table in (
        [now.arrived[number] for number in numbers],
        [now.before[number] for number in numbers],
        goal,
    ):
        found = _loads(now, numbers, table, load)
        for site, amount in found.items():
            most[site] = max(most.get(site, now.whole[site]), amount)
    return most


def _too_full(
    now: Situation,
    numbers: Sequence[int],
    sent: Sequence[Shares],
    load: Sequence[float],
    allowed: dict[int, float],
) -> set[int]:
    """Return the sites that get too much if all that is to come is there before anything that is
    to leave has left."""
    worst = [
        {
            site: max(shares.get(site, 0.0), now.arrived[number].get(site, 0.0))
            for site in shares.keys() | now.arrived[number].keys()
        }
        for number, shares in zip(numbers, sent, strict=True)
    ]
    return {
        site
        for site, amount in _loads(now, numbers, worst, load).items()
        if amount > allowed.get(site, now.whole[site]) * (1.0 + _SAME)
    }


def _loads(
    now: Situation, numbers: Sequence[int], table: Sequence[Shares], load: Sequence[float]
) -> dict[int, float]:
    found: dict[int, float] = {}
    for number, shares in zip(numbers, table, strict=True):
        for site, share in sorted(shares.items()):
            found[site] = found.get(site, load[site]) + share * now.demand[number]
    return found


def _mix(one: Shares, other: Shares, part: float) -> Shares:
    if part <= 0.0:
        return one
    if part >= 1.0:
        return other
    return {
        site: share
        for site in sorted(one.keys() | other.keys())
        if (share := one.get(site, 0.0) * (1.0 - part) + other.get(site, 0.0) * part) > _SAME
    }
