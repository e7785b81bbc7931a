"""The pieces of work, each a function from a running peer to one figure."""

from __future__ import annotations

import mmap
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import xxhash

from bench.speed import load
from bench.speed.processes import Program
from bench.speed.steady import HASHED_EACH, Ask, Load, Outcome

SEGMENT_BYTES = 2_000_000
MANIFEST_BYTES = 1_000
LARGE_BYTES = 1_000_000_000
LARGE_STARTS = (0, 123_456_789, 999_000_000)
LARGE_SPAN_BYTES = 524_288
IDLE = 10_000
HUNDRED = 100
ACCEPTED_S = 0.2  # making connections is another work
CONNECTIONS = 32
MISS_CONNECTIONS = 8
RANGES_SEED = 1
RANGES_WARM_S = 1.5

_CLOSE = 'wrk.headers["Connection"] = "close"'


@dataclass(slots=True)
class Running:
    """A started peer.

    `digests` are SHA-256 by path, `quick_digests` XXH3 by content; `large` is the large file.
    `steady` is what was found at a fixed rate, when that was measured already; `cpu_s_per_gb` what
    plain or TLS segments cost, by whether it is TLS, likewise. `load_busy` is the
    share of its core that the load generator took for the last figure, where that could limit it.
    """

    name: str
    program: Program
    plain: int
    tls: int
    origin_log: Path
    digests: dict[str, str] = field(default_factory=dict)
    quick_digests: dict[str, int] = field(default_factory=dict)
    steady: Outcome | None = None
    cpu_s_per_gb: dict[bool, float] = field(default_factory=dict)
    load_busy: float | None = None
    large: Path | None = None


@dataclass(frozen=True, slots=True)
class Work:
    """One line of the comparison. `more_is_better` says which way is up.

    `ceiling` is the content that the bare loop sends for comparison, "segment" or "manifest".
    """

    letter: str
    title: str
    unit: str
    run: Callable[[Running, float], float]
    tls: bool = False
    more_is_better: bool = True
    peers: frozenset[str] | None = None
    ceiling: str | None = None


def _url(peer: Running, path: str, *, tls: bool) -> str:
    return f"https://127.0.0.1:{peer.tls}{path}" if tls else f"http://127.0.0.1:{peer.plain}{path}"


def _flat_out(
    peer: Running,
    plan: Callable[[int], Ask],
    seconds: float,
    connections: int = CONNECTIONS,
    *,
    tls: bool = False,
) -> Outcome:
    with Load(peer.tls if tls else peer.plain, connections, tls=tls) as client:
        outcome = client.flat_out(plan, seconds)
    peer.load_busy = outcome.busy
    return outcome


def _wrk(peer: Running, path: str, seconds: float, *, tls: bool, script: str = "") -> load.Figure:
    figure = load.wrk(_url(peer, path, tls=tls), seconds, CONNECTIONS, script)
    peer.load_busy = figure.busy
    return figure


def _segments(peer: Running, seconds: float, *, tls: bool) -> float:
    """Segments in GB/s, taken by our own loop: wrk would be the limit.

    What they cost the peer is noted, for the other work that is about that.
    """
    port = peer.tls if tls else peer.plain
    for _ in range(3):
        _check(peer, port, "/segment", tls=tls)
    before_s = peer.program.cpu_s()
    segment = Ask("segment", "/segment", SEGMENT_BYTES, peer.quick_digests["segment"])
    outcome = _flat_out(peer, lambda _number: segment, seconds, tls=tls)
    gb, gb_per_s = outcome.answers * SEGMENT_BYTES / 1e9, outcome.bytes_per_s / 1e9
    peer.cpu_s_per_gb[tls] = (peer.program.cpu_s() - before_s) / gb
    _check(peer, port, "/segment", tls=tls)
    return gb_per_s


def _manifests(peer: Running, seconds: float, *, tls: bool) -> float:
    port = peer.tls if tls else peer.plain
    for _ in range(3):
        _check(peer, port, "/manifest", tls=tls)
    figure = _wrk(peer, "/manifest", seconds, tls=tls)
    load.check_lengths(figure, MANIFEST_BYTES)
    _check(peer, port, "/manifest", tls=tls)
    return figure.per_s


def _check(peer: Running, port: int, path: str, *, tls: bool) -> None:
    if load.digest(port, path, tls=tls) != peer.digests[path]:
        raise load.WrongAnswer(f"{peer.name} gave another body for {path}")


def _cpu_per_gb(peer: Running, seconds: float, *, tls: bool) -> float:
    if tls not in peer.cpu_s_per_gb:
        _segments(peer, seconds, tls=tls)
    return peer.cpu_s_per_gb[tls]


def _misses(peer: Running, seconds: float) -> float:
    run_id = time.monotonic_ns()
    digest = peer.quick_digests["segment"]

    def ask(number: int) -> Ask:
        return Ask("miss", f"/miss/{run_id}-{number}", SEGMENT_BYTES, digest)

    return _flat_out(peer, ask, seconds, MISS_CONNECTIONS).bytes_per_s / SEGMENT_BYTES


def _hundred(peer: Running, _seconds: float) -> float:
    path = f"/miss/hundred-{peer.name}-{time.monotonic_ns()}"
    ask = Ask("hundred", path, SEGMENT_BYTES, peer.quick_digests["segment"])
    with Load(peer.plain, HUNDRED, hashed_each=1) as client:
        time.sleep(ACCEPTED_S)
        outcome = client.flat_out(lambda _number: ask, 60.0, HUNDRED)
    asked = peer.origin_log.read_text().count(f" {path} ")
    if asked != 1:
        raise load.WrongAnswer(f"a hundred clients cost {asked} requests to the origin")
    return max(outcome.whole_s["hundred"]) * 1000


def _ranges(peer: Running, seconds: float) -> float:
    load.digest(peer.plain, "/large", tls=False)
    for start in LARGE_STARTS:
        span = (start, start + LARGE_SPAN_BYTES)
        key = f"/large {start}"
        if load.digest(peer.plain, "/large", tls=False, span=span) != peer.digests[key]:
            raise load.WrongAnswer(f"{peer.name} gave other bytes for a range")
    assert peer.large is not None
    with peer.large.open("rb") as file, mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ) as large:
        # Also opens every slice once, which is not what this work is about.
        _flat_out(peer, random_ranges(large), max(seconds, RANGES_WARM_S))
        outcome = _flat_out(peer, random_ranges(large), seconds)
    return outcome.bytes_per_s / 1e9


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


def _new_connections(peer: Running, seconds: float, *, tls: bool) -> float:
    load.digest(peer.tls if tls else peer.plain, "/manifest", tls=tls)
    return _wrk(peer, "/manifest", seconds, tls=tls, script=_CLOSE).per_s


def _idle_memory(peer: Running, _seconds: float) -> float:
    load.digest(peer.plain, "/manifest", tls=False)
    before = peer.program.resident_bytes() + load.kernel_bytes()
    held = load.idle_connections(peer.plain, IDLE)
    try:
        time.sleep(1.0)
        after = peer.program.resident_bytes() + load.kernel_bytes()
        load.check_open(held)
    finally:
        for sock in held:
            sock.close()
    # A part of the kernel's share are the client's own ends: they are the same for every peer.
    return (after - before) / IDLE / 1024


WORKS = (
    Work("a", "2 MB segments, plain", "GB/s", partial(_segments, tls=False), ceiling="segment"),
    Work("b", "2 MB segments, TLS 1.3", "GB/s", partial(_segments, tls=True), True,
         ceiling="segment"),
    Work("c", "1 KB manifests, plain", "requests/s", partial(_manifests, tls=False),
         ceiling="manifest"),
    Work("d", "1 KB manifests, TLS 1.3", "requests/s", partial(_manifests, tls=True), True,
         ceiling="manifest"),
    Work("f1", "misses of distinct 2 MB objects", "objects/s", _misses, ceiling="segment"),
    Work("f2", "a hundred clients, one cold 2 MB object: the last has it after", "ms", _hundred,
         more_is_better=False),
    Work("g", "random 512 KiB ranges of a 1 GB file", "GB/s", _ranges,
         peers=frozenset(("headrace", "nginx")), ceiling="segment"),
    Work("h1", "new connections, plain", "connections/s", partial(_new_connections, tls=False)),
    Work("h2", "new connections, TLS 1.3", "connections/s", partial(_new_connections, tls=True),
         True),
    Work("i", "memory for an idle plain connection, server and kernel, of 10,000", "KiB",
         _idle_memory, more_is_better=False),
    Work("j1", "CPU for 1 GB of segments, plain", "s", partial(_cpu_per_gb, tls=False),
         more_is_better=False),
    Work("j2", "CPU for 1 GB of segments, TLS 1.3", "s", partial(_cpu_per_gb, tls=True), True,
         more_is_better=False),
)  # fmt: skip
