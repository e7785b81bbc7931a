"""Plans as text for people. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from headrace.bgp.announcement import Announcement, community_text
from headrace.topology.tree import aligned
from headrace.vip.plan.assumed import ALL_WELL, Assumed, assumed_plans, carried, holders
from headrace.vip.plan.meanings import MEANINGS
from headrace.vip.plan.model import Address, Plan, PlannedVip
from headrace.vip.plan.order import SiteOrder

NOBODY = "nobody"


def plan_lines(order: SiteOrder, plan: Plan) -> Iterator[str]:
    """Yield what a server announces, a line for each VIP."""
    announced = len(plan.announcements)
    yield f"{plan.server} in {order.site.name}: {announced} of {len(plan.vips)} announced"
    if not plan.vips:
        return
    yield ""
    head = ("VIP", "of", "rank", "announced", "why")
    rows = [
        (str(one.vip), one.owner, str(one.rank), _route(one.announcement), _why(one))
        for one in plan.vips
    ]
    yield from _table(head, rows)


def vip_lines(order: SiteOrder, plans: Mapping[str, Plan], vip: Address) -> Iterator[str]:
    """Yield who may announce a VIP, in order, what each does, and who has it."""
    candidates = order.vips[vip]
    yield (
        f"{vip}: VIP {candidates.index + 1} of {candidates.owner} in {order.site.name}, told apart "
        f"by {order.site.announce.preference.value}"
    )
    yield ""
    rows = [
        (str(rank), name, _route(one.announcement), _why(one))
        for rank, name in enumerate(candidates.names)
        for one in plans[name].vips
        if one.vip == vip
    ]
    yield from _table(("rank", "server", "announced", "why"), rows)
    yield ""
    yield f"{holders(plans).get(vip, NOBODY)} has it"


def takeover_lines(order: SiteOrder, assumed: Assumed, now: float) -> Iterator[str]:
    """Yield who carries what in an assumed state, and then if one more server failed."""
    before = carried(order, assumed_plans(order, ALL_WELL, now))
    plans = assumed_plans(order, assumed, now)
    after = carried(order, plans)
    if assumed != ALL_WELL:
        yield "who carries what"
        yield from _carried(order, before, after)
        yield ""
    yield "if one more server fails" if assumed != ALL_WELL else "if a server fails"
    rows = []
    for name in order.servers:
        if name in assumed.failed:
            continue
        more = replace(assumed, failed=(*assumed.failed, name))
        found = carried(order, assumed_plans(order, more, now, plans))
        takers = [
            f"{taker or NOBODY} {_percent(gain, total)}"
            for taker, gain, total in _gains(order, after, found, name)
        ]
        fullest = max(
            (sum(by.values()) / order.servers[one].capacity_bps, one)
            for one, by in (*found.items(), (name, {}))
            if one
        )
        most = f"{fullest[1]} ×{fullest[0]:.2f}" if fullest[0] else "-"
        rows.append((name, ", ".join(takers) or "-", most))
    yield from _table(("server", "its load goes to", "the most of what it should carry"), rows)


def _carried(
    order: SiteOrder,
    before: Mapping[str, Mapping[str, float]],
    after: Mapping[str, Mapping[str, float]],
) -> Iterator[str]:
    rows = []
    for name in (*order.servers, ""):
        had, has = sum(before.get(name, {}).values()), after.get(name, {})
        if not had and not has:
            continue
        capacity = order.servers[name].capacity_bps if name else sum(has.values())
        of = [f"{owner} {_percent(bps, _load(order, owner))}" for owner, bps in has.items()]
        factor = f"×{sum(has.values()) / capacity:.2f}" if name else ""
        rows.append((name or NOBODY, factor, ", ".join(of) or "-"))
    yield from _table(("server", "load", "of whom"), rows)


def _gains(
    order: SiteOrder,
    before: Mapping[str, Mapping[str, float]],
    after: Mapping[str, Mapping[str, float]],
    lost: str,
) -> list[tuple[str, float, float]]:
    """Return who carries what a server carried: name, bits per second, of how many."""
    total = sum(before.get(lost, {}).values())
    found = []
    for name, by_owner in after.items():
        gain = sum(by_owner.values()) - sum(before.get(name, {}).values())
        if name != lost and gain > 1e-6 * max(1.0, total):
            found.append((name, gain, total))
    return sorted(found, key=lambda one: (-one[1], one[0]))


def _load(order: SiteOrder, name: str) -> float:
    return float(order.servers[name].capacity_bps)


def _percent(part: float, whole: float) -> str:
    return f"{100 * part / whole:.0f} %"


def _why(one: PlannedVip) -> str:
    note = f" ({one.note})" if one.note else ""
    return f"{one.why.value}: {MEANINGS[one.why]}{note}"


def _route(route: Announcement | None) -> str:
    if route is None:
        return "-"
    words = [f"/{route.prefix.prefixlen}", f"med {route.med}"]
    if route.prepend:
        words.append(f"prepend {route.prepend}")
    words.extend(community_text(one) for one in sorted(route.communities))
    words.extend(community_text(one) for one in sorted(route.large_communities))
    return " ".join(words)


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    yield from ("  ".join(row).rstrip() for row in aligned([head, *rows]))
