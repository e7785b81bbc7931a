"""What a process that announces adds to a node's metrics and report."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from headrace.node.running import Node
from headrace.telemetry.facts import RoleFacts, RoleMetric
from headrace.telemetry.report import Report
from headrace.vip.admin.questions import Answer, AskCounts, Counts
from headrace.vip.announced import CHANGES
from headrace.vip.plan.health import Found


class VipReport(Report, kw_only=True):
    """Node, workers, counts, and what is announced (null while no worker answers)."""

    vip: Counts | None = None


async def vip_facts(node: Node, watchdog_bites: int) -> RoleFacts:
    """Return what the worker counts, as shown."""
    bites = RoleMetric(
        "vip_watchdog_bites",
        "Times that the process which checks hung and was killed.",
        watchdog_bites,
        only_grows=True,
    )
    found = await node.workers.ask_each(AskCounts(), Answer)
    if not found or found[0].counts is None:
        return RoleFacts((bites,), {"vip": None})
    counts = found[0].counts
    report: dict[str, Any] = {"vip": counts}
    return RoleFacts((bites, *metrics(counts)), report)


GAUGES = {
    "sessions": ("sessions", "BGP sessions that are configured."),
    "sessions_up": ("sessions_up", "BGP sessions that are established."),
    "bfd": ("bfd", "Sessions whose routers are to be watched by BFD from here."),
    "bfd_up": ("bfd_up", "Sessions whose routers answer to BFD."),
    "vips": ("vips", "VIPs that this server is a candidate for."),
    "announced": ("announced", "VIPs that are announced."),
    "owned_announced": ("owned_announced", "Own VIPs that are announced."),
    "damped": ("damped", "VIPs that are sound, but failed again and again."),
    "draining": ("draining", "1 while the server drains."),
    "out": ("out", "1 while the server is withdrawn."),
    "check_last_s": ("check_seconds", "What the last check took."),
    "check_slowest_s": ("check_slowest_seconds", "What the slowest of the latest checks took."),
    "late_s": ("late_seconds", "How late the process ran lately, at most."),
    "received": ("received_prefixes", "Prefixes that routers announce and that are taken."),
    "speaker_problem": ("speaker_problem", "1 while the speaker cannot be started."),
    "addresses_problem": ("addresses_problem", "1 while addresses cannot be bound."),
    "learnt_prefixes": ("learnt_prefixes", "Prefixes of learnt coverage that nodes are told."),
    "learnt_waiting": ("learnt_waiting", "Changes of learnt coverage that wait for approval."),
    "handover_on": ("handover", "1 while packets of others' connections are passed on and taken."),
    "learnt_alarms": ("learnt_alarms", "Coverage of which too much is announced to be learnt."),
}
COUNTERS = {
    "checks_unmade": ("checks_unmade", "Checks without a result, by this process's fault."),
    "dropped": ("dropped_kinds", "Kinds of what routers announce that were not taken."),
    "speaker_starts": ("speaker_starts", "Times that the speaker was started."),
    "not_kept": ("not_kept", "Times that the state could not be written."),
    "handover_passed": (
        "handover_passed_packets",
        "Packets of unknown connections passed on to the server that may know them.",
    ),
    "handover_taken": ("handover_taken_packets", "Packets that other servers passed on to here."),
    "handover_passed_bytes": ("handover_passed_bytes", "Bytes of what was passed on."),
    "handover_taken_bytes": ("handover_taken_bytes", "Bytes of what others passed on to here."),
    "handover_refused": (
        "handover_refused_packets",
        "Packets to the tunnel, or in it, that are not what siblings pass on.",
    ),
    "handover_over": ("handover_dropped_packets", "Packets to be passed on that were too many."),
    "learnt_not_taken": ("learnt_not_taken", "Prefixes announced that may not be learnt."),
}


def metrics(counts: Counts) -> Iterator[RoleMetric]:
    """Yield each count, by the name that it is shown by."""
    values = msgspec.to_builtins(counts)
    for key, (name, meaning) in GAUGES.items():
        yield RoleMetric(f"vip_{name}", meaning, float(values[key]))
    for key, (name, meaning) in COUNTERS.items():
        yield RoleMetric(f"vip_{name}", meaning, float(values[key]), only_grows=True)
    # All kinds from the start: a rate lacks the event with which a counter appears.
    checks = {one.value: 0 for one in Found} | counts.checks
    for kind, count in sorted(checks.items()):
        meaning = f"Checks that ended so: {kind}."
        yield RoleMetric(f"vip_checks_{kind}", meaning, count, only_grows=True)
    changes = dict.fromkeys(CHANGES, 0) | counts.changes
    for kind, count in sorted(changes.items()):
        meaning = f"Changes of the plan of this kind: {kind}."
        yield RoleMetric(f"vip_changes_{kind}", meaning, count, only_grows=True)
