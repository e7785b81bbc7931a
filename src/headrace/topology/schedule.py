"""What maintenance that is known before wants of a server at a moment. Pure."""

from __future__ import annotations

from headrace.topology.model import AdminState, Withdrawal


def scheduled_state(withdrawal: Withdrawal, now: float) -> AdminState:
    """Return what a withdrawal wants of its servers at a Unix time."""
    if withdrawal.start <= now < withdrawal.end:
        return AdminState.WITHDRAWN
    if withdrawal.start - withdrawal.drain_s <= now < withdrawal.start:
        return AdminState.DRAINING
    return AdminState.ONLINE
