"""How full a server is by its own report, against what it may send. Pure."""

from __future__ import annotations

from headrace.feedback.observation import NodeReport
from headrace.feedback.states.model import ServerRecord
from headrace.feedback.states.rules import StateRules
from headrace.topology.model import Server

MOST_TIMES = 100.0
"""No server sends more than this times what it can: such a report is nonsense."""


def utilisation(server: Server, heard: NodeReport | None, rules: StateRules) -> float | None:
    """Return what share of its capacity a server sends; None: it has not said so lately.

    Of the capacity that is described and the one that it reports, the smaller counts.
    """
    if heard is None or not is_fresh(heard, rules):
        return None
    report = heard.report
    capacity_bps, own_bps = float(server.capacity_bps), report.capacity_bps
    if own_bps is not None and own_bps > 0:
        capacity_bps = min(capacity_bps, own_bps)
    share = report.egress_bps / capacity_bps
    return share if 0.0 <= share <= MOST_TIMES else None


def is_fresh(heard: NodeReport | None, rules: StateRules) -> bool:
    """Return whether a report is young enough to count."""
    return heard is not None and 0.0 <= heard.whole_age_s <= rules.report_age_s


def is_busy(server: Server, heard: NodeReport | None, rules: StateRules) -> bool:
    """Return whether a server has just reported that it serves a lot, so that it is not dead
    though it leaves probes without an answer.
    """
    if heard is None or not 0.0 <= heard.whole_age_s <= rules.busy_age_s:
        return False
    report, used = heard.report, utilisation(server, heard, rules)
    if used is not None and used >= rules.busy:
        return True
    return report.requests_per_s > 0.0 and report.machine_cpu >= rules.busy_cpu


def next_load_s(
    record: ServerRecord, is_full: bool, used: float | None, elapsed_s: float, rules: StateRules
) -> float:
    """Return how long the load has been past the threshold that ends being full, or not full."""
    if used is None:
        return record.load_s + elapsed_s if is_full else 0.0
    past = used < rules.full_below if is_full else used >= rules.full_above
    return record.load_s + elapsed_s if past else 0.0
