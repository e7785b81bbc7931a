"""The pieces of work that are done in slices, but for mixed load and stores of many objects."""

from __future__ import annotations

import contextlib
import itertools
import mmap
import random
import time
from collections.abc import Callable, Iterator
from functools import partial

import xxhash

from bench.speed import handshakes, light, load, suites
from bench.speed.steady import HASHED_EACH, Ask, Load, Outcome
from bench.speed.work import (
    LARGE_BYTES,
    LARGE_SPAN_BYTES,
    LARGE_STARTS,
    MANIFEST_BYTES,
    SEGMENT_BYTES,
    Running,
    Slice,
    Taken,
    Work,
)

HUNDRED = 100
ACCEPTED_S = 0.2  # making connections is another work
CONNECTIONS = 32
TLS_CONNECTIONS = 8  # for wrk, which connects within the slice
MISS_CONNECTIONS = 8
RANGES_SEED = 1
LARGE_STEP_BYTES = 8 * 1024 * 1024  # servers keep a large file in pieces of this or more

NOT_JUDGED = frozenset(("varnish", "trafficserver", "haproxy"))
"""By whom no target of these works is, and who need fewer rounds: then a to h take ten minutes."""
_CLOSE = 'wrk.headers["Connection"] = "close"'
_MISSES = """
local number = 0
request = function()
  number = number + 1
  return wrk.format("GET", "/small/{run}-" .. number)
end
"""


def taken(outcome: Outcome, figure: float) -> Taken:
    """What our own loop found."""
    return Taken(outcome.answers, outcome.seconds, figure, outcome.busy_s)


def taken_by_wrk(figure: load.Figure) -> Taken:
    return Taken(figure.requests, figure.seconds, figure.per_s, figure.busy * figure.seconds)


@contextlib.contextmanager
def _plain_segments(peer: Running) -> Iterator[Slice]:
    """Taken by our own loop: wrk reads 8 KiB at a time, and would be the limit."""
    for _ in range(3):
        peer.check("/segment", tls=False)
    segment = Ask("segment", "/segment", SEGMENT_BYTES, peer.quick_digests["segment"])
    with Load(peer.plain, CONNECTIONS) as client:

        def run(seconds: float) -> Taken:
            outcome = client.flat_out(lambda _number: segment, seconds)
            return taken(outcome, outcome.bytes_per_s / 1e9)

        yield run
    peer.check("/segment", tls=False)


@contextlib.contextmanager
def _tls_segments(peer: Running, suite: str) -> Iterator[Slice]:
    """Nobody decrypts them in the slices: that costs as much as encrypting, and would be the limit.

    Each connection decrypts and hashes its first two, and then counts bytes.
    """
    for _ in range(3):
        peer.check("/segment", tls=True)
    ask = Ask("segment", "/segment", SEGMENT_BYTES, peer.quick_digests["segment"])
    with light.connected(peer.tls, ask, CONNECTIONS, suite=suite, whole=False) as connections:

        def run(seconds: float) -> Taken:
            used_s = time.process_time()
            found = light.flat_out(connections, seconds)
            load_s = time.process_time() - used_s
            return Taken(found.answers, seconds, found.per_s * SEGMENT_BYTES / 1e9, load_s)

        yield run
    peer.check("/segment", tls=True)


@contextlib.contextmanager
def _manifests(peer: Running, *, tls: bool) -> Iterator[Slice]:
    for _ in range(3):
        peer.check("/manifest", tls=tls)
    connections = TLS_CONNECTIONS if tls else CONNECTIONS

    def run(seconds: float) -> Taken:
        figure = _wrk(peer, seconds, connections, tls=tls)
        load.check_lengths(figure, MANIFEST_BYTES, connections)
        return taken_by_wrk(figure)

    yield run
    peer.check("/manifest", tls=tls)


def _wrk(
    peer: Running, seconds: float, connections: int, *, tls: bool, script: str = ""
) -> load.Figure:
    if not tls:
        return load.wrk_slice(
            f"http://127.0.0.1:{peer.plain}/manifest", seconds, connections, script
        )
    return load.wrk_slice(
        f"https://127.0.0.1:{peer.tls}/manifest", seconds, connections, script,
        env=suites.environment(suites.AES_128, peer.scratch),
    )  # fmt: skip


@contextlib.contextmanager
def _segment_misses(peer: Running) -> Iterator[Slice]:
    digest = peer.quick_digests["segment"]
    names = _fresh(peer, "/miss/")
    with Load(peer.plain, MISS_CONNECTIONS) as client:

        def run(seconds: float) -> Taken:
            outcome = client.flat_out(
                lambda _number: Ask("miss", next(names), SEGMENT_BYTES, digest), seconds
            )
            return taken(outcome, outcome.bytes_per_s / SEGMENT_BYTES)

        yield run


def _fresh(peer: Running, below: str) -> Iterator[str]:
    """Paths that nobody has asked for."""
    run_id = time.monotonic_ns()
    return (f"{below}{peer.name}-{run_id}-{number}" for number in itertools.count())


@contextlib.contextmanager
def _hundred(peer: Running) -> Iterator[Slice]:
    """A hundred clients ask for one cold object at once: one slice is one object."""
    names = _fresh(peer, "/miss/hundred-")
    with Load(peer.plain, HUNDRED, hashed_each=1) as client:
        time.sleep(ACCEPTED_S)

        def run(_seconds: float) -> Taken:
            path = next(names)
            ask = Ask("hundred", path, SEGMENT_BYTES, peer.quick_digests["segment"])
            before_bytes = peer.origin_log.stat().st_size
            outcome = client.flat_out(lambda _number: ask, 60.0, HUNDRED)
            with peer.origin_log.open("rb") as log:
                log.seek(before_bytes)
                asked = log.read().count(f" {path} ".encode())
            if asked != 1:
                raise load.WrongAnswer(f"a hundred clients cost {asked} requests to the origin")
            return taken(outcome, max(outcome.whole_s["hundred"]) * 1000)

        yield run


@contextlib.contextmanager
def _small_misses(peer: Running) -> Iterator[Slice]:
    """Objects of 1 KB that nobody has asked for: stored, too."""
    peer.check("/manifest", tls=False)
    url = f"http://127.0.0.1:{peer.plain}/manifest"

    def run(seconds: float) -> Taken:
        script = _MISSES.format(run=f"{peer.name}-{time.monotonic_ns()}")
        figure = load.wrk_slice(url, seconds, MISS_CONNECTIONS, script)
        load.check_lengths(figure, MANIFEST_BYTES, MISS_CONNECTIONS)
        return taken_by_wrk(figure)

    yield run


@contextlib.contextmanager
def _ranges(peer: Running) -> Iterator[Slice]:
    # Twice, so that it is kept as something that is asked for again, and every slice is open.
    load.swallow(peer.plain, "/large")
    for start in [*range(0, LARGE_BYTES, LARGE_STEP_BYTES)] * 2:
        span = (start, min(start + 1, LARGE_BYTES))
        load.digest(peer.plain, "/large", tls=False, span=span)
    for start in LARGE_STARTS:
        span = (start, start + LARGE_SPAN_BYTES)
        key = f"/large {start}"
        if load.digest(peer.plain, "/large", tls=False, span=span) != peer.digests[key]:
            raise load.WrongAnswer(f"{peer.name} gave other bytes for a range")
    assert peer.large is not None
    with (
        peer.large.open("rb") as file,
        mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ) as large,
        Load(peer.plain, CONNECTIONS) as client,
    ):
        plan = random_ranges(large)
        client.flat_out(plan, 0.5)

        def run(seconds: float) -> Taken:
            outcome = client.flat_out(plan, seconds)
            return taken(outcome, outcome.bytes_per_s / 1e9)

        yield run


def random_ranges(large: mmap.mmap) -> Callable[[int], Ask]:
    """Another range for each request; each that will be hashed comes with its digest."""
    chance = random.Random(RANGES_SEED)

    def ask(number: int) -> Ask:
        start = chance.randrange(LARGE_BYTES - LARGE_SPAN_BYTES)
        digest = None
        if number % HASHED_EACH == 0:
            digest = xxhash.xxh3_64_intdigest(large[start : start + LARGE_SPAN_BYTES])
        return Ask("range", "/large", LARGE_SPAN_BYTES, digest, start)

    return ask


@contextlib.contextmanager
def _new_connections(peer: Running) -> Iterator[Slice]:
    peer.check("/manifest", tls=False)

    def run(seconds: float) -> Taken:
        return taken_by_wrk(_wrk(peer, seconds, CONNECTIONS, tls=False, script=_CLOSE))

    yield run


@contextlib.contextmanager
def _full_handshakes(peer: Running) -> Iterator[Slice]:
    """By our own loop: wrk resumes sessions, so it would measure the other work."""
    peer.check("/manifest", tls=True)
    ask = Ask("full", "/manifest", MANIFEST_BYTES, peer.quick_digests["manifest"])

    def run(seconds: float) -> Taken:
        used_s = time.process_time()
        found = handshakes.flat_out(peer.tls, ask, seconds, suites.AES_128)
        load_s = time.process_time() - used_s
        return Taken(found.answers, found.seconds, found.in_time / found.seconds, load_s)

    yield run


@contextlib.contextmanager
def _resumed(peer: Running) -> Iterator[Slice]:
    """By wrk, which keeps each connection's session for the next; that it can is checked first."""
    peer.check("/manifest", tls=True)
    if not handshakes.resumes(peer.tls, suites.AES_128):
        raise load.WrongAnswer("does not resume sessions")

    def run(seconds: float) -> Taken:
        return taken_by_wrk(_wrk(peer, seconds, TLS_CONNECTIONS, tls=True, script=_CLOSE))

    yield run


WORKS = (
    Work("a", "2 MB segments, plain", "GB/s", _plain_segments, ceiling="segment"),
    Work("b1", "2 MB segments, TLS 1.3, AES-128", "GB/s",
         partial(_tls_segments, suite=suites.AES_128), True, ceiling="segment"),
    Work("b2", "2 MB segments, TLS 1.3, AES-256", "GB/s",
         partial(_tls_segments, suite=suites.AES_256), True, ceiling="segment"),
    Work("c", "1 KB manifests, plain", "requests/s", partial(_manifests, tls=False),
         ceiling="manifest"),
    Work("d", "1 KB manifests, TLS 1.3", "requests/s", partial(_manifests, tls=True), True,
         ceiling="manifest"),
    Work("f1", "misses of distinct 2 MB objects", "objects/s", _segment_misses, ceiling="segment",
         seldom_for=frozenset(("haproxy",))),
    Work("f2", "a hundred clients, one cold 2 MB object: the last has it after", "ms", _hundred,
         more_is_better=False),
    Work("f3", "misses of distinct 1 KB objects", "objects/s", _small_misses,
         seldom_for=NOT_JUDGED),
    Work("g", "random 512 KiB ranges of a 1 GB file", "GB/s", _ranges,
         peers=frozenset(("headrace", "nginx")), ceiling="segment"),
    Work("h1", "new connections, plain", "connections/s", _new_connections,
         seldom_for=NOT_JUDGED),
    Work("h2", "new connections, TLS 1.3, full handshake", "connections/s", _full_handshakes,
         True, seldom_for=NOT_JUDGED),
    Work("h3", "new connections, TLS 1.3, resumed", "connections/s", _resumed, True,
         seldom_for=NOT_JUDGED),
)  # fmt: skip
