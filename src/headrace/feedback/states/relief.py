"""How a server that sends nearly all that it can is relieved: in proportion, and calmly. Pure.

Its weight is lowered by how much it sends too much, never switched off: all that leaves at once
fills the next server. How long clients take to follow is not known, so the loop waits for what it
did last to take effect. It lowers a weight again only when the load no longer falls, and raises it
again only when the load no longer rises.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Iterable, Mapping

import msgspec

from headrace.feedback.states.model import SERVING, ServerRecord, State
from headrace.feedback.states.ramp import weight
from headrace.feedback.states.rules import StateRules
from headrace.feedback.states.signals import Evidenced, Finding
from headrace.feedback.states.table import Signal

_STILL = 0.01
"""A load that changes by less, as a share of capacity, does not count as moving."""
_MOST_OF_SECOND = 1.25

Records = dict[str, ServerRecord]


def relieve(
    records: Mapping[str, ServerRecord],
    evidenced: Mapping[str, Evidenced],
    findings: Mapping[str, Finding],
    elapsed_s: float,
    rules: StateRules,
) -> Records:
    """Return the next records of servers with their relief, site by site."""
    sites: dict[str, Records] = {}
    for name, record in records.items():
        sites.setdefault(evidenced[name].server.site, {})[name] = record
    after: Records = dict(records)
    for site in sites.values():
        if any(_concerns(record, evidenced[name].record) for name, record in site.items()):
            after.update(_site(site, evidenced, findings, elapsed_s, rules))
    return after


def _concerns(record: ServerRecord, before: ServerRecord) -> bool:
    return record.state is State.FULL or before.relief < 1.0 or before.shut


def _site(
    site: Records,
    evidenced: Mapping[str, Evidenced],
    findings: Mapping[str, Finding],
    elapsed_s: float,
    rules: StateRules,
) -> Records:
    serving = {name for name, record in site.items() if record.state in SERVING}
    mean = _mean({name: site[name] for name in serving}, evidenced, rules)
    full = bool(serving) and all(site[name].state is State.FULL for name in serving)
    shut = full and (mean >= 1.0 or any(evidenced[name].record.shut for name in serving))
    found: Records = {}
    for name, record in site.items():
        if name in serving and findings[name].signal is not Signal.PIN:
            found[name] = _next(record, evidenced[name], mean, elapsed_s, rules, shut=shut)
        else:
            found[name] = msgspec.structs.replace(
                record, relief=1.0, mark=0.0, calm_s=0.0, shut=False, raised=False, wait_s=0.0
            )
    return {**found, **_relative({name: found[name] for name in serving})}


def _mean(records: Records, evidenced: Mapping[str, Evidenced], rules: StateRules) -> float:
    """Return what share of what they can send servers send together. Those that do not say it
    count as if they were where full ones are to come to."""
    sent, can = load_of(records, evidenced, rules)
    return sent / can if can else 0.0


def load_of(
    records: Mapping[str, ServerRecord], evidenced: Mapping[str, Evidenced], rules: StateRules
) -> tuple[float, float]:
    """Return what servers send together, and what they can send."""
    sent = can = 0.0
    said = {name: used for name in records if (used := evidenced[name].used) is not None}
    most = believable(said.values())
    for name, record in records.items():
        one = evidenced[name]
        has_bps = weight(record, rules) * one.server.capacity_bps
        if name in said:
            sent += min(said[name], most) * one.server.capacity_bps
        else:
            sent += aim(rules) * has_bps
        can += has_bps
    return sent, can


def believable(loads: Iterable[float]) -> float:
    """Return above what none of several loads counts for all together: some more than the second
    highest. One that lies is not to speak for the others."""
    highest = heapq.nlargest(2, loads)
    return highest[1] * _MOST_OF_SECOND if len(highest) > 1 else math.inf


def aim(rules: StateRules) -> float:
    """Return the load that full servers are to come to: well below where they are full again."""
    return rules.full_below - (rules.full_above - rules.full_below) / 2


def _next(
    record: ServerRecord,
    one: Evidenced,
    mean: float,
    elapsed_s: float,
    rules: StateRules,
    *,
    shut: bool,
) -> ServerRecord:
    """Return a server's record with its next relief.

    None is lowered below what the servers of its site send on the average: that would only fill
    the others.
    """
    before, used = one.record, one.used
    goal = max(aim(rules), mean)
    relief, mark, calm_s = before.relief, before.mark, min(before.calm_s + elapsed_s, 1e9)
    raised = before.raised
    wait_s = max(before.wait_s * 0.5 ** (elapsed_s / rules.full_half_life_s), rules.full_wait_s)
    if used is None:
        # Nobody knows its load: it returns as one that is idle.
        mark, sent = 0.0, 0.0
    else:
        sent = used
    if used is not None and used >= rules.full_above:
        begins = record.state is State.FULL and before.state is not State.FULL
        if used < mark - _STILL:
            mark, calm_s = used, 0.0
        if begins or (record.state is State.FULL and calm_s >= rules.full_wait_s):
            lowered = relief * min(max(goal / used, rules.full_cut), 1.0)
            relief, mark, calm_s = max(lowered, min(rules.full_floor, relief)), used, 0.0
            if raised:
                wait_s, raised = min(wait_s * 2, rules.full_longest_wait_s), False
    elif relief < 1.0 and sent < goal:
        if sent > mark + _STILL:
            mark, calm_s = sent, 0.0
        if calm_s >= wait_s:
            most = relief * goal / sent if sent > 0 else 1.0
            relief, mark, calm_s = min(1.0, relief + rules.full_step, most), sent, 0.0
            raised = True
    else:
        mark, calm_s = sent, 0.0
    return msgspec.structs.replace(
        record,
        relief=relief,
        mark=min(mark, 1e3),
        calm_s=calm_s,
        shut=shut,
        raised=raised,
        wait_s=wait_s,
    )


def _relative(serving: Records) -> Records:
    """Return records in which one server at least has its whole weight: only what servers have in
    relation to the others of their site moves anybody."""
    most = max((record.relief for record in serving.values()), default=1.0)
    if most >= 1.0:
        return serving
    return {
        name: msgspec.structs.replace(record, relief=min(1.0, record.relief / most), raised=True)
        for name, record in serving.items()
    }
