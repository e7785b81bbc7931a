"""Nine segments for each manifest over a thousand connections: throughput, then latencies.

The latencies are taken at one offered rate, the same for all peers, that each of them can carry.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator

from bench.speed import load
from bench.speed.figures import percentile
from bench.speed.steady import Ask, Load
from bench.speed.work import MANIFEST_BYTES, SEGMENT_BYTES, Running, Slice, Taken, Work
from bench.speed.works import ACCEPTED_S, taken

CONNECTIONS = 1000
OFFERED_PER_S = 250.0
OBJECTS = 64
LATE_S = 0.005
LONGER = 2
"""So many times as long as other slices: a tail needs many answers, and what a thousand connections
have on the way at the end takes half a second to arrive.
"""
FIRST, WHOLE = "first byte", "whole answer"
RANKS = {
    FIRST: {"e2": 50.0, "e3": 99.0, "e4": 99.9},
    WHOLE: {"e5": 50.0, "e6": 99.0, "e7": 99.9},
}


def _objects(peer: Running) -> tuple[list[Ask], list[Ask]]:
    """A request for each segment, and for each manifest."""
    segments = [
        Ask("segment", f"/miss/mix-{n}", SEGMENT_BYTES, peer.quick_digests["segment"])
        for n in range(OBJECTS)
    ]
    manifests = [
        Ask("manifest", f"/small/mix-{n}", MANIFEST_BYTES, peer.quick_digests["manifest"])
        for n in range(OBJECTS)
    ]
    return segments, manifests


def plan(peer: Running) -> Callable[[int], Ask]:
    """Request number n: each tenth is for a manifest; both kinds go round their objects."""
    segments, manifests = _objects(peer)

    def ask(number: int) -> Ask:
        tens, place = divmod(number, 10)
        if place == 9:
            return manifests[tens % OBJECTS]
        return segments[(tens * 9 + place) % OBJECTS]

    return ask


def warmed(peer: Running) -> Callable[[int], Ask]:
    """The plan, once the peer has everything: all of it is asked for, and checked."""
    segments, manifests = _objects(peer)
    every = segments + manifests
    with Load(peer.plain, 4) as client:
        client.flat_out(lambda number: every[number], 60.0, len(every))
    return plan(peer)


@contextlib.contextmanager
def _connected(peer: Running) -> Iterator[tuple[Callable[[int], Ask], Load]]:
    """What to ask for, and a load each of whose connections has been accepted and asked once.

    Servers close a connection early that has not asked for anything yet. At a fixed rate some
    would have their first request only after several rounds.
    """
    asks = warmed(peer)
    first = Ask("manifest", "/small/mix-0", MANIFEST_BYTES, peer.quick_digests["manifest"])
    with Load(peer.plain, CONNECTIONS) as client:
        time.sleep(ACCEPTED_S)
        client.flat_out(lambda _number: first, 60.0, CONNECTIONS)
        yield asks, client


@contextlib.contextmanager
def _throughput(peer: Running) -> Iterator[Slice]:
    with _connected(peer) as (asks, client):

        def run(seconds: float) -> Taken:
            outcome = client.flat_out(asks, LONGER * seconds)
            return taken(outcome, outcome.bytes_per_s / 1e9)

        yield run


@contextlib.contextmanager
def _at_rate(peer: Running) -> Iterator[Slice]:
    with _connected(peer) as (asks, client):

        def run(seconds: float) -> Taken:
            outcome = client.at_rate(asks, OFFERED_PER_S, LONGER * seconds)
            late_s = percentile(outcome.late_s, 99) if outcome.late_s else 0.0
            if late_s > LATE_S:
                raise load.LoadWasLate(
                    f"the load generator itself was {late_s * 1000:.1f} ms late: no figure"
                )
            first, whole = (
                [1000 * each for found in by_kind.values() for each in found]
                for by_kind in (outcome.first_s, outcome.whole_s)
            )
            if not first:
                raise load.WrongAnswer("nothing was answered")
            # It spins while it waits, so what it takes of its core says nothing.
            return Taken(outcome.answers, outcome.seconds, percentile(first, 50), 0.0, first, whole)

        yield run


RATE = f"mixed, 1,000 connections, {OFFERED_PER_S:.0f} requests/s"
NOT_JUDGED = frozenset(("trafficserver", "haproxy"))
WORKS = (
    Work("e1", "mixed, 1,000 connections: throughput", "GB/s", _throughput, ceiling="segment",
         seldom_for=NOT_JUDGED),
    Work("e2", f"{RATE}: first byte, p50", "ms", _at_rate, more_is_better=False,
         seldom_for=NOT_JUDGED),
)  # fmt: skip
TIMED = "e2"
