"""How a site that is full as a whole is relieved without the balance: in proportion, and calmly.
Pure.

It keeps a share of its clients, and the sites behind it get the others. To close it and open it
again would move all of its clients to and fro for ever. The share follows the rules of a server's
relief (`relief`): lowered when nothing more comes of the last change, raised when the load does not
rise, and each time that raising it filled the site again, that waits twice as long.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

import msgspec

from headrace.feedback.states.groups import Groups
from headrace.feedback.states.model import SERVING, ServerRecord, SiteRecord
from headrace.feedback.states.relief import aim, believable, load_of
from headrace.feedback.states.rules import StateRules
from headrace.feedback.states.signals import Evidenced

_STILL = 0.01
"""A load that changes by less, as a share of capacity, does not count as moving."""

NO_RECORD = SiteRecord()


def relieve_sites(
    before: Mapping[str, SiteRecord],
    records: Mapping[str, ServerRecord],
    evidenced: Mapping[str, Evidenced],
    groups: Groups,
    elapsed_s: float,
    rules: StateRules,
) -> dict[str, SiteRecord]:
    """Return the next records of those sites that are not as if they had never been full."""
    concerned = [
        site
        for site, servers in groups.by_site.items()
        if site in before or any(records[one.name].shut for one in servers if one.name in records)
    ]
    if not concerned:
        return {}
    loads = {
        site: load_of(
            {
                one.name: records[one.name]
                for one in servers
                if one.name in records and records[one.name].state in SERVING
            },
            evidenced,
            rules,
        )
        for site, servers in groups.by_site.items()
    }
    found = {}
    for site in concerned:
        sent, can = loads[site]
        goal = max(aim(rules), _used(loads[other] for other in _helpers(site, groups)))
        servers = groups.by_site[site]
        knows = any(evidenced[one.name].used is not None for one in servers)
        found[site] = _next(
            before.get(site, NO_RECORD),
            (sent / can if can else 0.0) if knows else None,
            goal,
            elapsed_s,
            rules,
            shut=any(records[one.name].shut for one in servers),
        )
    return {site: one for site, one in found.items() if one.share < 1.0 or one.wait_s > 0.0}


def _helpers(site: str, groups: Groups) -> Collection[str]:
    """Return the sites whose clients have this one too, itself included."""
    return {site}.union(*(group.sites for group in groups.of_site.get(site, ())))


def _used(loads: Iterable[tuple[float, float]]) -> float:
    """Return what share of what they can send sites send together."""
    all_loads = [(sent, can) for sent, can in loads if can]
    most = believable(sent / can for sent, can in all_loads)
    can_all = sum(can for _sent, can in all_loads)
    return sum(min(sent / can, most) * can for sent, can in all_loads) / can_all if can_all else 0.0


def _next(
    before: SiteRecord,
    used: float | None,
    goal: float,
    elapsed_s: float,
    rules: StateRules,
    *,
    shut: bool,
) -> SiteRecord:
    """Return a site's next record. None is lowered below what the sites that could help send on the
    average: that would only fill these.
    """
    share, mark, calm_s = before.share, before.mark, min(before.calm_s + elapsed_s, 1e9)
    raised = before.raised
    wait_s = before.wait_s * 0.5 ** (elapsed_s / rules.full_half_life_s)
    wait_s = min(max(wait_s, rules.full_wait_s), rules.full_longest_wait_s)
    sent = 0.0 if used is None else used  # nobody knows its load: it returns as one that is idle
    if shut if share == 1.0 else sent >= rules.full_above:
        if sent < mark - _STILL:
            mark, calm_s = sent, 0.0
        if calm_s >= rules.full_wait_s or share == 1.0:
            lowered = share * min(max(goal / sent, rules.full_cut), 1.0) if sent > 0 else share
            share, mark, calm_s = max(lowered, min(rules.full_floor, share)), sent, 0.0
            if raised:
                wait_s, raised = min(wait_s * 2, rules.full_longest_wait_s), False
    elif share < 1.0 and sent < goal:
        if sent > mark + _STILL:
            mark, calm_s = sent, 0.0
        if calm_s >= wait_s:
            most = share * goal / sent if sent > 0 else 1.0
            share, mark, calm_s = min(1.0, share + rules.full_step, most), sent, 0.0
            raised = True
    else:
        mark, calm_s = sent, 0.0
    if share == 1.0 and wait_s <= rules.full_wait_s:
        return NO_RECORD
    return msgspec.structs.replace(
        before,
        share=share,
        mark=min(mark, 1e3),
        calm_s=calm_s,
        raised=raised,
        wait_s=wait_s,
    )
