"""The pieces of work, each a function from a running peer to one figure."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from bench.speed import load
from bench.speed.processes import Program

SEGMENT_BYTES = 2_000_000
MANIFEST_BYTES = 1_000
LARGE_BYTES = 1_000_000_000
IDLE = 10_000

_MISSES = """
local number = math.random(1, 1000000000)
request = function()
  number = number + 1
  return wrk.format("GET", "/miss/" .. number)
end
"""
_RANGES = f"""
math.randomseed(os.time())
request = function()
  local start = math.random(0, {LARGE_BYTES} - 600000)
  wrk.headers["Range"] = "bytes=" .. start .. "-" .. (start + 524287)
  return wrk.format("GET", "/large")
end
"""
_CLOSE = 'wrk.headers["Connection"] = "close"'


@dataclass(slots=True)
class Running:
    """A started peer."""

    name: str
    program: Program
    plain: int
    tls: int
    origin_log: Path
    digests: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Work:
    """One line of the comparison. `more_is_better` says which way is up."""

    letter: str
    title: str
    unit: str
    run: Callable[[Running, float], float]
    tls: bool = False
    more_is_better: bool = True
    peers: frozenset[str] | None = None


def _url(peer: Running, path: str, *, tls: bool) -> str:
    return f"https://127.0.0.1:{peer.tls}{path}" if tls else f"http://127.0.0.1:{peer.plain}{path}"


def _hits(path: str, body_bytes: int, *, tls: bool) -> Callable[[Running, float], float]:
    def run(peer: Running, seconds: float) -> float:
        port = peer.tls if tls else peer.plain
        for _ in range(3):
            _check(peer, port, path, tls=tls)
        figure = load.wrk(_url(peer, path, tls=tls), seconds)
        load.check_lengths(figure, body_bytes)
        _check(peer, port, path, tls=tls)
        return figure.per_s * body_bytes / 1e9 if body_bytes > 100_000 else figure.per_s

    return run


def _check(peer: Running, port: int, path: str, *, tls: bool) -> None:
    if load.digest(port, path, tls=tls) != peer.digests[path]:
        raise load.WrongAnswer(f"{peer.name} gave another body for {path}")


def _cpu_per_gb(*, tls: bool) -> Callable[[Running, float], float]:
    def run(peer: Running, seconds: float) -> float:
        load.digest(peer.tls if tls else peer.plain, "/segment", tls=tls)
        before = peer.program.cpu_s()
        figure = load.wrk(_url(peer, "/segment", tls=tls), seconds)
        return (peer.program.cpu_s() - before) / (figure.requests * SEGMENT_BYTES / 1e9)

    return run


def _misses(peer: Running, seconds: float) -> float:
    figure = load.wrk(_url(peer, "/", tls=False), seconds, connections=8, script=_MISSES)
    load.check_lengths(figure, SEGMENT_BYTES)
    path = f"/miss/check-{time.monotonic_ns()}"
    if load.digest(peer.plain, path, tls=False) != peer.digests["/segment"]:
        raise load.WrongAnswer(f"{peer.name} gave another body for a miss")
    return figure.per_s


def _hundred(peer: Running, _seconds: float) -> float:
    path = f"/miss/hundred-{peer.name}-{time.monotonic_ns()}"
    took_s = load.hundred_at_once(peer.plain, path, peer.digests["/segment"])
    asked = peer.origin_log.read_text().count(f" {path} ")
    if asked != 1:
        raise load.WrongAnswer(f"a hundred clients cost {asked} requests to the origin")
    return took_s * 1000


def _ranges(peer: Running, seconds: float) -> float:
    load.digest(peer.plain, "/large", tls=False)
    for start in (0, 123_456_789, 999_000_000):
        span = (start, start + 524_288)
        key = f"/large {start}"
        if load.digest(peer.plain, "/large", tls=False, span=span) != peer.digests[key]:
            raise load.WrongAnswer(f"{peer.name} gave other bytes for a range")
    figure = load.wrk(_url(peer, "/large", tls=False), seconds, script=_RANGES)
    load.check_lengths(figure, 524_288)
    return figure.per_s * 524_288 / 1e9


def _new_connections(*, tls: bool) -> Callable[[Running, float], float]:
    def run(peer: Running, seconds: float) -> float:
        port = peer.tls if tls else peer.plain
        load.digest(port, "/manifest", tls=tls)
        return load.wrk(_url(peer, "/manifest", tls=tls), seconds, script=_CLOSE).per_s

    return run


def _idle_memory(peer: Running, _seconds: float) -> float:
    load.digest(peer.plain, "/manifest", tls=False)
    before = peer.program.resident_bytes() + load.kernel_bytes()
    held = load.idle_connections(peer.plain, IDLE)
    time.sleep(1.0)
    after = peer.program.resident_bytes() + load.kernel_bytes()
    for sock in held:
        sock.close()
    # Half of the kernel's share are the client's own ends: they are the same for every peer.
    return (after - before) / IDLE / 1024


WORKS = (
    Work("a", "2 MB segments, plain", "GB/s", _hits("/segment", SEGMENT_BYTES, tls=False)),
    Work("b", "2 MB segments, TLS 1.3", "GB/s", _hits("/segment", SEGMENT_BYTES, tls=True), True),
    Work("c", "1 KB manifests, plain", "requests/s", _hits("/manifest", MANIFEST_BYTES, tls=False)),
    Work("d", "1 KB manifests, TLS 1.3", "requests/s",
         _hits("/manifest", MANIFEST_BYTES, tls=True), True),
    Work("f1", "misses of distinct 2 MB objects", "objects/s", _misses),
    Work("f2", "a hundred clients, one cold 2 MB object: the last has it after", "ms", _hundred,
         more_is_better=False),
    Work("g", "random 512 KiB ranges of a 1 GB file", "GB/s", _ranges,
         peers=frozenset(("headrace", "nginx"))),
    Work("h1", "new connections, plain", "connections/s", _new_connections(tls=False)),
    Work("h2", "new connections, TLS 1.3", "connections/s", _new_connections(tls=True), True),
    Work("i", "memory for an idle plain connection, server and kernel, of 10,000", "KiB",
         _idle_memory, more_is_better=False),
    Work("j1", "CPU for 1 GB of segments, plain", "s", _cpu_per_gb(tls=False),
         more_is_better=False),
    Work("j2", "CPU for 1 GB of segments, TLS 1.3", "s", _cpu_per_gb(tls=True), True,
         more_is_better=False),
)  # fmt: skip
