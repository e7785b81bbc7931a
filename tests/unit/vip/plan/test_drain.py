"""How a server leaves, step by step, where neighbours pass on what they do not know."""

from __future__ import annotations

from headrace.topology.model import AdminState
from headrace.topology.vips import Announce
from headrace.vip.plan.drain import LEAST_S, next_drain
from headrace.vip.plan.model import Drain, Phase
from headrace.vip.plan.wanted import Wanted

ANNOUNCE = Announce(linger_s=30.0, drain_s=10.0)
LEAVES, HURRIES = Wanted(AdminState.DRAINING), Wanted(AdminState.WITHDRAWN)
T = 1000.0


def test_it_does_not_linger_where_its_connections_are_kept() -> None:
    assert next_drain(Drain(), LEAVES, 5, ANNOUNCE, T).phase is Phase.LINGERING
    worse = next_drain(Drain(), LEAVES, 5, ANNOUNCE, T, keeps=True)
    assert worse == Drain(Phase.WORSE, T)
    # Neighbours say so only later.
    lingering = Drain(Phase.LINGERING, T)
    assert next_drain(lingering, LEAVES, 5, ANNOUNCE, T + 1, keeps=True).phase is Phase.WORSE


def test_its_connections_have_as_long_to_end_as_without() -> None:
    worse = Drain(Phase.WORSE, T)

    def phase(wanted: Wanted, left: int, after_s: float, *, keeps: bool = True) -> Phase:
        return next_drain(worse, wanted, left, ANNOUNCE, T + after_s, keeps=keeps).phase

    assert phase(LEAVES, 5, 39.9) is Phase.WORSE
    assert phase(LEAVES, 5, 40.0) is Phase.OUT
    assert phase(LEAVES, 5, 10.0, keeps=False) is Phase.OUT
    assert phase(LEAVES, 0, LEAST_S) is Phase.OUT
    assert phase(HURRIES, 5, 10.0) is Phase.OUT
