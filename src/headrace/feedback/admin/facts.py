"""What a feedback process adds to a node's metrics and report."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from headrace.feedback.admin.questions import Answer, AskCounts, Counts
from headrace.feedback.states.model import State
from headrace.node.running import Node
from headrace.telemetry.facts import RoleFacts, RoleMetric
from headrace.telemetry.report import Report


class FeedbackReport(Report, kw_only=True):
    """Node, workers, counts, and what the loop counts (null while no worker answers)."""

    feedback: Counts | None = None


async def feedback_facts(node: Node) -> RoleFacts:
    """Return what the worker counts, as shown."""
    found = await node.workers.ask_each(AskCounts(), Answer)
    if not found or found[0].counts is None:
        return RoleFacts(report={"feedback": None})
    counts = found[0].counts
    report: dict[str, Any] = {"feedback": counts}
    return RoleFacts(metrics=tuple(_metrics(counts)), report=report)


_GAUGES = {
    "decides": "1 while this process decides, 0 while it follows another.",
    "frozen": "1 while an operator keeps the view as it is.",
    "view": "The version of the view in force.",
    "lateness_s": "By how much the last decision came later than it should.",
    "probes_late_s": "By how much a probe of the last turn began too late, at most.",
    "alarms": "What the loop cannot settle by itself.",
    "observers_heard": "Observers that are heard, this one included.",
    "observers": "Observers that are configured.",
    "waiting": "Nodes that wait for a view.",
}
_COUNTERS = {
    "refused_documents": "Documents of other observers that were refused or did not come.",
    "refused_questions": "Questions of whoever does not know the secret of the network.",
    "probes_unmade": "Probes without a result, by this machine's fault.",
    "undelivered": "Views that a file or a socket did not take.",
}


def _metrics(counts: Counts) -> Iterator[RoleMetric]:
    values = msgspec.to_builtins(counts)
    for name, meaning in _GAUGES.items():
        yield RoleMetric(f"feedback_{_unit(name)}", meaning, float(values[name]))
    if counts.view_age_s is not None:
        yield RoleMetric(
            "feedback_view_age_seconds", "Time since the view was made.", counts.view_age_s
        )
    for name, meaning in _COUNTERS.items():
        yield RoleMetric(f"feedback_{name}", meaning, float(values[name]), only_grows=True)
    yield RoleMetric(
        "feedback_reports", "Reports of nodes that were taken.", counts.reports, only_grows=True
    )
    for kind, count in sorted(counts.refused_reports.items()):
        yield RoleMetric(
            f"feedback_reports_refused_{kind}",
            f"Reports that were refused, or did not come: {kind}.",
            count,
            only_grows=True,
        )
    for state in State:
        count = counts.states.get(state, 0)
        yield RoleMetric(f"feedback_servers_{state}", f"Servers that are {state}.", count)
    for outcome, count in sorted(counts.probes.items()):
        yield RoleMetric(
            f"feedback_probes_{outcome}",
            f"Probes that ended so: {outcome}.",
            count,
            only_grows=True,
        )


def _unit(name: str) -> str:
    return f"{name.removesuffix('_s')}_seconds" if name.endswith("_s") else name
