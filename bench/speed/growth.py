"""How the cost of an answer grows with connections and with workers.

Cost is processor time of the server's processes for one answer: it is steadier than throughput,
and does not depend on whether the load generator keeps up.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator, Sequence

from bench.speed import light, load
from bench.speed.compared import OWN
from bench.speed.peers import HEADRACE_TWO_WORKERS, Peer
from bench.speed.processes import NotStarted
from bench.speed.result import Aside, plain, rounded
from bench.speed.stand import Stand
from bench.speed.steady import Ask
from bench.speed.suites import AES_128
from bench.speed.work import MANIFEST_BYTES, SEGMENT_BYTES, Running

CONNECTIONS = (10, 100, 1_000, 10_000)
WORKERS_ROUNDS = 3
WORKERS_CONNECTIONS = 64
Say = Callable[[str], None]


def measure(stand: Stand, peers: Sequence[Peer], seconds: float, aside: Aside, say: Say) -> None:
    """All of it, for these peers; what could not be measured is noted."""
    for peer in peers:
        with _noted(peer.name, aside, say), stand.alone(peer) as running:
            _connections(running, seconds, aside, say)
        if peer.name == OWN:
            with _noted(peer.name, aside, say):
                _workers(stand, peer, seconds, aside, say)


@contextlib.contextmanager
def _noted(name: str, aside: Aside, say: Say) -> Iterator[None]:
    """Note what could not be measured, and continue."""
    try:
        yield
    except (load.WrongAnswer, NotStarted, OSError) as error:
        aside.notes.append(plain(f"k, {name}: {error}"))
        say(f"  k   {name:14} {error}")


def _connections(running: Running, seconds: float, aside: Aside, say: Say) -> None:
    running.check("/manifest", tls=False)
    url = f"http://127.0.0.1:{running.plain}/manifest"
    for count in CONNECTIONS:
        before_s = running.program.cpu_s()
        figure = load.wrk(url, seconds, count)
        load.check_lengths(figure, MANIFEST_BYTES, count)
        cost = 1e6 * (running.program.cpu_s() - before_s) / figure.requests
        aside.connections_us.setdefault(running.name, {})[count] = rounded(cost)
        say(f"  k   {running.name:14} {count:>9,} connections: {cost:.1f} us an answer")


def _workers(stand: Stand, one: Peer, seconds: float, aside: Aside, say: Say) -> None:
    """One worker and two, each on a core of its own.

    With two cores there is none left for the load. So it has the kernel drop what comes, and
    shares the two cores with the two workers; one worker has its core for itself. That can only
    lower the ratio: by a fifth for plain segments, and by a twentieth for encrypted ones, which
    cost the server much more and the load hardly anything.
    """
    for _ in range(WORKERS_ROUNDS):
        for count, peer in ((1, one), (2, HEADRACE_TWO_WORKERS)):
            with stand.alone(peer) as running:
                for tls, kind in ((False, "plain"), (True, "TLS 1.3")):
                    rate, cost = _segments_of(running, count, seconds, tls=tls)
                    for kept, value in ((aside.workers_per_s, rate), (aside.workers_us, cost)):
                        by_count = kept.setdefault(kind, {})
                        by_count.setdefault(count, []).append(rounded(value))
                    say(
                        f"  k   {peer.name:14} {count:>9} workers, {kind}: "
                        f"{rate:,.0f} segments/s, {cost:.0f} us each"
                    )


def _segments_of(
    running: Running, workers: int, seconds: float, *, tls: bool
) -> tuple[float, float]:
    """Segments/s of so many workers, and what one costs in microseconds."""
    own = os.sched_getaffinity(0)
    if workers > 1:
        running.program.spread(range(workers))
        os.sched_setaffinity(0, range(workers))
    port = running.tls if tls else running.plain
    suite = AES_128 if tls else None
    ask = Ask("segment", "/segment", SEGMENT_BYTES, running.quick_digests["segment"])
    try:
        load.digest(port, "/segment", tls=tls)
        with light.connected(port, ask, WORKERS_CONNECTIONS, suite=suite) as connections:
            light.flat_out(connections, 0.5)
            before_s = running.program.cpu_s()
            found = light.flat_out(connections, seconds)
            cost = 1e6 * (running.program.cpu_s() - before_s) / found.answers
    finally:
        os.sched_setaffinity(0, own)
    return found.per_s, cost
