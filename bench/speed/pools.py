"""What it costs a miss that its body could be continued from another origin, while none fails."""

from __future__ import annotations

import time

from bench.speed.figures import median
from bench.speed.peers import HEADRACE_WITH_POOL, Peer
from bench.speed.stand import Stand
from bench.speed.steady import Ask, Load
from bench.speed.works import MISS_CONNECTIONS, SEGMENT_BYTES

TURNS = 7  # the machine's own noise is ten times what is looked for


def cost_ratio(stand: Stand, one: Peer, number: int, seconds: float) -> float:
    """Processor time of a miss with three origins that can be switched between, as a multiple of
    that with one. Both are measured in turn. Raises WrongAnswer, NotStarted.
    """
    costs: dict[str, list[float]] = {"one": [], "three": []}
    for turn in range(TURNS):
        order = [("one", one), ("three", HEADRACE_WITH_POOL)]
        for name, peer in order if turn % 2 == 0 else order[::-1]:
            costs[name].append(_cost_us(stand, peer, f"{name}-{number}-{turn}", seconds))
    return median(costs["three"]) / median(costs["one"])


def _cost_us(stand: Stand, peer: Peer, name: str, seconds: float) -> float:
    with (
        stand.place(f"pools-{name}") as place,
        stand.running(peer, place) as running,
        Load(running.plain, MISS_CONNECTIONS) as client,
    ):
        digest = running.quick_digests["segment"]
        run_id = time.monotonic_ns()

        def ask(number: int) -> Ask:
            return Ask("miss", f"/miss/{run_id}-{number}", SEGMENT_BYTES, digest)

        before_s = running.program.cpu_s()
        outcome = client.flat_out(ask, seconds)
        return 1e6 * (running.program.cpu_s() - before_s) / outcome.answers
