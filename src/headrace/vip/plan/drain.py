"""How a server leaves: it lingers, then it is worse than its neighbours, then it is out. Pure.

While it lingers, its VIPs stay: packets of running connections would reach a neighbour, which knows
nothing of them. Whoever names servers sends it no new clients meanwhile, and its connections end by
themselves. Where neighbours pass on what they do not know, it need not linger: it is worse at once,
and its connections have as long to end. Being worse takes LEAST_S at least, so that routers and
neighbours have seen it before it withdraws.
"""

from __future__ import annotations

from headrace.topology.model import AdminState
from headrace.topology.vips import Announce
from headrace.vip.plan.model import Drain, Phase
from headrace.vip.plan.wanted import Wanted

LEAST_S = 5.0


def first(wanted: Wanted, now: float) -> Drain:
    """Return the phase of a server that has announced nothing yet."""
    return Drain(Phase.SERVING if wanted.state is AdminState.ONLINE else Phase.OUT, now)


def next_drain(
    drain: Drain,
    wanted: Wanted,
    connections: int | None,
    announce: Announce,
    now: float,
    *,
    keeps: bool = False,
) -> Drain:
    """Return the phase at a time. `connections` are those that are left (None: not known); `keeps`:
    they stay open when the VIPs move to neighbours.
    """
    if wanted.state is AdminState.ONLINE:
        return drain if drain.phase is Phase.SERVING else Drain(Phase.SERVING, now)
    if wanted.force:
        return drain if drain.phase is Phase.OUT else Drain(Phase.OUT, now)
    if drain.since > now:  # the clock was set back
        drain = Drain(drain.phase, now)
    if drain.phase is Phase.SERVING:
        drain = Drain(Phase.LINGERING, now)
    ended = connections == 0
    hurries = wanted.state is AdminState.WITHDRAWN
    if drain.phase is Phase.LINGERING and (
        ended or hurries or keeps or now - drain.since >= announce.linger_s
    ):
        drain = Drain(Phase.WORSE, now)
    passed_s = now - drain.since
    if drain.phase is Phase.WORSE and (
        passed_s >= announce.drain_s + (announce.linger_s if keeps and not hurries else 0.0)
        or (ended and passed_s >= LEAST_S)
    ):
        drain = Drain(Phase.OUT, now)
    return drain
