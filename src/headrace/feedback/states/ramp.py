"""How a server returns: its weight rises in steps, while a quorum sees it serve. Pure."""

from __future__ import annotations

from headrace.feedback.states.model import ServerRecord, State
from headrace.feedback.states.rules import StateRules

LONGEST_STEP_S = 10.0
"""What one step of the controller counts for at most: one that was stopped has seen nothing."""

_BY_RAMP = frozenset({State.RECOVERING, State.SUSPECT, State.FULL})


def next_ramp(ramp: float, elapsed_s: float, rules: StateRules) -> float:
    """Return how far a server has returned after so much more time."""
    if rules.ramp_s <= 0:
        return 1.0
    return min(1.0, ramp + min(elapsed_s, LONGEST_STEP_S) / rules.ramp_s)


def weight(record: ServerRecord, rules: StateRules) -> float:
    """Return the share of a server's capacity that it has returned to."""
    if record.state in {State.FAILED, State.WITHDRAWN}:
        return 0.0
    if record.state not in _BY_RAMP or record.ramp >= 1.0:
        return 1.0
    risen = int(record.ramp * rules.ramp_steps + 1e-9) / rules.ramp_steps
    return rules.ramp_from + (1.0 - rules.ramp_from) * risen


def offered(record: ServerRecord, rules: StateRules) -> float:
    """Return the share of a server's capacity that counts for new clients: what it has returned to,
    less what its load forbids."""
    return weight(record, rules) * record.relief
