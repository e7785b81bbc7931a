"""What other nodes' failures say of a server: a hint, never enough to take it out. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from headrace.feedback.observation import NodeReport
from headrace.feedback.states.load import is_fresh
from headrace.feedback.states.rules import StateRules


def hinted_servers(reports: Mapping[str, NodeReport], rules: StateRules) -> frozenset[str]:
    """Return the servers that several others asked in vain, and most of those that asked."""
    asked: dict[str, int] = {}
    failed: dict[str, int] = {}
    for node, heard in reports.items():
        if not is_fresh(heard, rules):
            continue
        for server, counts in heard.report.siblings.items():
            if server == node or counts.asked < rules.others_asked:
                continue
            asked[server] = asked.get(server, 0) + 1
            if counts.failed >= rules.others_failed * counts.asked:
                failed[server] = failed.get(server, 0) + 1
    return frozenset(
        server
        for server, count in failed.items()
        if count >= rules.others_least and 2 * count > asked[server]
    )
