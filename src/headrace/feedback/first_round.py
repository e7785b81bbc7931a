"""What an observer waits for that starts with no memory: until it knows of each server whether it
serves, it has nothing to say, and nodes keep the view that they have. Pure.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from headrace.feedback.observation import Outcome, ProbeRecord
from headrace.feedback.states.model import Alarm, AlarmKind
from headrace.feedback.states.quorum import why_down
from headrace.feedback.states.rules import StateRules

MOST_NAMED = 5


def undetermined(
    servers: Collection[str], probes: Mapping[str, ProbeRecord], rules: StateRules
) -> list[str]:
    """Return the servers of which the own probes do not say yet that they serve or that they
    failed.
    """
    return sorted(
        name
        for name in servers
        if (one := probes.get(name)) is None
        or (one.outcome is not Outcome.OK and why_down(one, rules.alone, False, rules) is None)
    )


def unprobed_alarm(servers: Collection[str]) -> Alarm:
    """Return the alarm about servers that are taken for serving without a probe."""
    named = ", ".join(sorted(servers)[:MOST_NAMED])
    more = f" and {len(servers) - MOST_NAMED} more" if len(servers) > MOST_NAMED else ""
    return Alarm(AlarmKind.UNPROBED, "", f"decides without knowing {named}{more}"[:1024])
