"""Nine segments for each manifest over a thousand connections: throughput, then latencies.

The latencies are taken at one offered rate, the same for all peers, that each of them can carry.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from bench.speed import load
from bench.speed.figures import percentile
from bench.speed.steady import Ask, Load, Outcome
from bench.speed.works import ACCEPTED_S, MANIFEST_BYTES, SEGMENT_BYTES, Running, Work

CONNECTIONS = 1000
OFFERED_PER_S = 250.0
OBJECTS = 64
LATE_S = 0.005


def plan(peer: Running) -> Callable[[int], Ask]:
    """Request number n: each tenth is for a manifest; both kinds go round their objects."""
    segments = [
        Ask("segment", f"/miss/mix-{n}", SEGMENT_BYTES, peer.quick_digests["segment"])
        for n in range(OBJECTS)
    ]
    manifests = [
        Ask("manifest", f"/small/mix-{n}", MANIFEST_BYTES, peer.quick_digests["manifest"])
        for n in range(OBJECTS)
    ]

    def ask(number: int) -> Ask:
        tens, place = divmod(number, 10)
        if place == 9:
            return manifests[tens % OBJECTS]
        return segments[(tens * 9 + place) % OBJECTS]

    return ask


def warmed(peer: Running) -> Callable[[int], Ask]:
    """The plan, once the peer has everything: all of it is asked for, and checked."""
    asks = plan(peer)
    with Load(peer.plain, 4) as client:
        client.flat_out(asks, 60.0, OBJECTS * 10)
    return asks


def _throughput(peer: Running, seconds: float) -> float:
    asks = warmed(peer)
    with Load(peer.plain, CONNECTIONS) as client:
        outcome = client.flat_out(asks, seconds)
    peer.load_busy = outcome.busy
    return outcome.bytes_per_s / 1e9


def _at_rate(peer: Running, seconds: float) -> Outcome:
    """Once for each start of a peer, however many figures are drawn from it."""
    if peer.steady is None:
        asks = warmed(peer)
        with Load(peer.plain, CONNECTIONS) as client:
            time.sleep(ACCEPTED_S)
            found = client.at_rate(asks, OFFERED_PER_S, 4 * seconds)
        late_s = percentile(found.late_s, 99)
        if late_s > LATE_S:
            raise load.WrongAnswer(
                f"the load generator itself was {late_s * 1000:.1f} ms late: no figure"
            )
        peer.steady = found
    return peer.steady


def _latency(which: str, rank: float) -> Callable[[Running, float], float]:
    def run(peer: Running, seconds: float) -> float:
        outcome = _at_rate(peer, seconds)
        by_kind = outcome.first_s if which == "first" else outcome.whole_s
        return 1000 * percentile([each for kind in by_kind.values() for each in kind], rank)

    return run


RATE = f"at {OFFERED_PER_S:.0f} requests/s"
WORKS = (
    Work("e1", "mixed, 1,000 connections: throughput", "GB/s", _throughput, ceiling="segment"),
    *(
        Work(f"e{number}", f"mixed {RATE}: {title}, p{rank:g}", "ms", _latency(which, rank),
             more_is_better=False)
        for number, which, title, rank in (
            (2, "first", "first byte", 50), (3, "first", "first byte", 99),
            (4, "first", "first byte", 99.9), (5, "whole", "whole answer", 50),
            (6, "whole", "whole answer", 99), (7, "whole", "whole answer", 99.9),
        )
    ),
)  # fmt: skip
