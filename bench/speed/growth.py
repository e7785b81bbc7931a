"""How the cost of a request grows with stored objects, with connections and with workers.

Cost is processor time of the server's processes for one answer: it is steadier than throughput,
and does not depend on whether the load generator keeps up.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from bench.speed import light, load
from bench.speed.figures import median
from bench.speed.peers import HEADRACE_TWO_WORKERS, Peer
from bench.speed.processes import NotStarted
from bench.speed.stand import Stand
from bench.speed.steady import Ask, Load
from bench.speed.works import MANIFEST_BYTES, SEGMENT_BYTES, Running

OBJECTS = (1_000, 10_000, 100_000, 1_000_000)
CONNECTIONS = (10, 100, 1_000, 10_000)
FILL_CONNECTIONS = 32
FILL_PIECE = 1_000
WORKERS_ROUNDS = 3
WORKERS_CONNECTIONS = 64
Say = Callable[[str], None]

# With the Host that they were stored under: a cache may rightly tell hosts apart.
_AMONG = """
math.randomseed(os.time())
request = function()
  return wrk.format("GET", "/small/grow-" .. math.random(0, {last}), {{["Host"] = "bench"}})
end
"""


@dataclass(slots=True)
class Growth:
    """Costs in microseconds of processor time for each answer, by peer and by size.

    Those of workers are of segments, by kind and by their number, as are the rates. `notes` tell
    what could not be reached, and why.
    """

    uniform_us: dict[str, dict[int, float]] = field(default_factory=dict)
    same_us: dict[str, dict[int, float]] = field(default_factory=dict)
    connections_us: dict[str, dict[int, float]] = field(default_factory=dict)
    workers_us: dict[str, dict[int, list[float]]] = field(default_factory=dict)
    workers_per_s: dict[str, dict[int, list[float]]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def of_objects(self, peer: str) -> float | None:
        """The cost with most objects as a multiple of that with fewest, the same ones asked."""
        return _last_to_first(self.same_us.get(peer, {}))

    def of_workers(self) -> float | None:
        """Segments/s over TLS of two workers as a multiple of one's."""
        rates = self.workers_per_s.get("TLS 1.3", {})
        return _last_to_first({count: median(each) for count, each in rates.items()})


def _last_to_first(found: dict[int, float]) -> float | None:
    if len(found) < 2:
        return None
    return found[max(found)] / found[min(found)]


def measure(
    stand: Stand,
    peers: list[Peer],
    seconds: float,
    fill_s: float,
    most: int,
    say: Say,
    *,
    quick: bool,
) -> Growth:
    """All of it, for these peers. A fill may take `fill_s` and stops at `most` objects.

    `quick` leaves out the workers, and most counts of connections.
    """
    found = Growth()
    for peer in peers:
        try:
            with stand.place(f"grow-{peer.name}") as place, stand.running(peer, place) as running:
                counts = (CONNECTIONS[0], CONNECTIONS[-1]) if quick else CONNECTIONS
                _connections(running, counts, seconds, found, say)
                _objects(running, seconds, fill_s, most, found, say)
            if peer.name == "headrace" and not quick:
                _workers(stand, peer, seconds, found, say)
        except (load.WrongAnswer, NotStarted, OSError) as error:
            found.notes.append(f"{peer.name}: {error}")
            say(f"  k {peer.name}: {error}")
    return found


def cost_us(running: Running, seconds: float, *, connections: int = 32, script: str = "") -> float:
    """Processor time for an answer of 1 KB, in microseconds."""
    url = f"http://127.0.0.1:{running.plain}/manifest"
    before = running.program.cpu_s()
    figure = load.wrk(url, seconds, connections, script)
    load.check_lengths(figure, MANIFEST_BYTES, connections)
    return 1e6 * (running.program.cpu_s() - before) / figure.requests


def _connections(
    running: Running, counts: tuple[int, ...], seconds: float, found: Growth, say: Say
) -> None:
    load.digest(running.plain, "/manifest", tls=False)
    for count in counts:
        cost = cost_us(running, seconds, connections=count)
        found.connections_us.setdefault(running.name, {})[count] = cost
        say(f"  k   {running.name:14} {count:>9,} connections: {cost:.1f} us an answer")


def _objects(
    running: Running, seconds: float, fill_s: float, most: int, found: Growth, say: Say
) -> None:
    """Fill, and measure at each power of ten; at the end with what there is."""
    stored, left_s = 0, fill_s
    for target in [count for count in OBJECTS if count <= most]:
        before = stored
        began = time.monotonic()
        stored = _fill(running, stored, target, began + left_s)
        left_s -= time.monotonic() - began
        if stored == before:
            break
        for kind, last in (("same", OBJECTS[0]), ("uniform", stored)):
            script = _AMONG.format(last=min(last, stored) - 1)
            cost_us(running, 1.0, script=script)
            cost = cost_us(running, seconds, script=script)
            costs = found.same_us if kind == "same" else found.uniform_us
            costs.setdefault(running.name, {})[stored] = cost
            say(f"  k   {running.name:14} {stored:>9,} objects, {kind}: {cost:.1f} us an answer")
        if stored < target:
            break
    if stored < min(most, OBJECTS[-1]):
        found.notes.append(
            f"k objects, {running.name}: {fill_s:g} s sufficed to store {stored:,} of {most:,}"
        )


def _fill(running: Running, stored: int, target: int, until: float) -> int:
    """Store objects through HTTP until there are so many or the time is over; how many."""
    digest = running.quick_digests["manifest"]
    with Load(running.plain, FILL_CONNECTIONS) as client:
        while stored < target and time.monotonic() < until:
            base, piece = stored, min(FILL_PIECE, target - stored)

            def ask(number: int, base: int = base) -> Ask:
                return Ask("fill", f"/small/grow-{base + number}", MANIFEST_BYTES, digest)

            client.flat_out(ask, 120.0, piece)
            stored += piece
    return stored


def _workers(stand: Stand, one: Peer, seconds: float, found: Growth, say: Say) -> None:
    """One worker and two, each on a core of its own.

    With two cores there is none left for the load. So it has the kernel drop what comes, and
    shares the two cores with the two workers; one worker has its core for itself. That can only
    lower the ratio: by a fifth for plain segments, and by a twentieth for encrypted ones, which
    cost the server much more and the load hardly anything.
    """
    for _ in range(WORKERS_ROUNDS):
        for count, peer in ((1, one), (2, HEADRACE_TWO_WORKERS)):
            with (
                stand.place(f"workers-{count}") as place,
                stand.running(peer, place) as running,
            ):
                for tls, kind in ((False, "plain"), (True, "TLS 1.3")):
                    rate, cost = _segments_of(running, count, seconds, tls=tls)
                    found.workers_per_s.setdefault(kind, {}).setdefault(count, []).append(rate)
                    found.workers_us.setdefault(kind, {}).setdefault(count, []).append(cost)
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
    ask = Ask("segment", "/segment", SEGMENT_BYTES, running.quick_digests["segment"])
    try:
        load.digest(port, "/segment", tls=tls)
        with light.connected(port, ask, WORKERS_CONNECTIONS, tls=tls) as connections:
            light.flat_out(connections, 0.5)
            before = running.program.cpu_s()
            rate = light.flat_out(connections, seconds)
            cost = 1e6 * (running.program.cpu_s() - before) / (rate * seconds)
    finally:
        os.sched_setaffinity(0, own)
    return rate, cost
