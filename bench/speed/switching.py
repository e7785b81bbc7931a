"""What a switch to another origin in mid-body costs, and when a stalled origin is left."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator
from functools import partial

import xxhash

from bench.speed.faulty import FaultyOrigin
from bench.speed.figures import median
from bench.speed.load import WrongAnswer
from bench.speed.peers import start_headrace
from bench.speed.result import SwitchingFound
from bench.speed.stand import Stand
from bench.speed.steady import Ask, Load
from bench.speed.work import SEGMENT_BYTES

STALL_S = 0.5
SWITCHES = 100
STALLS = 10


def measure(stand: Stand, number: int) -> SwitchingFound:
    """One round: medians and counts. Raises WrongAnswer, NotStarted.

    `requests` and `connects` are what a switch took of the other origin, on average, where it keeps
    connections; `connects_unkept` where it keeps none. `longer_ms` is by how much a body took
    longer that was switched. `left_after` is when a stalled origin was left at the latest, as a
    multiple of the time limit.
    """
    with _edge(stand, f"switching-{number}", keeps=True) as (port, one, other):
        _whole_ms(port, "warm", "cut", 10, other)
        whole_ms = _whole_ms(port, f"{number}", "sound", SWITCHES, other)
        requests, connects = len(other.asked_at), other.connections
        switched_ms = _whole_ms(port, f"{number}", "cut", SWITCHES, other)
        requests, connects = len(other.asked_at) - requests, other.connections - connects
        _whole_ms(port, f"{number}", "stall", STALLS, other)
        left_s = [other.asked_at[path] - since for path, since in one.stalled_at.items()]
    with _edge(stand, f"switching-unkept-{number}", keeps=False) as (port, _one, other):
        _whole_ms(port, f"{number}", "cut", SWITCHES, other)
        unkept = other.connections / SWITCHES
    return SwitchingFound(
        requests / SWITCHES, connects / SWITCHES, unkept, whole_ms, switched_ms - whole_ms,
        max(left_s) / STALL_S,
    )  # fmt: skip


@contextlib.contextmanager
def _edge(
    stand: Stand, name: str, *, keeps: bool
) -> Iterator[tuple[int, FaultyOrigin, FaultyOrigin]]:
    """An edge's port, and its two origins: the first one fails, the second does not."""
    body = os.urandom(SEGMENT_BYTES)
    with (
        FaultyOrigin(body, sound=False) as one,
        FaultyOrigin(body, sound=True, keeps=keeps) as other,
        stand.place(name) as place,
    ):
        program = start_headrace(place, origins=_pool(one, other))
        with program.stopped_at_end():
            program.wait_for(place.plain)
            yield place.plain, one, other


def _pool(one: FaultyOrigin, other: FaultyOrigin) -> str:
    origins = "".join(
        f'[[service.pool.origin]]\nname = "{name}"\nurl = "http://127.0.0.1:{origin.port}"\n'
        for name, origin in (("one", one), ("other", other))
    )
    return (
        f'[[service.pool]]\nname = "two"\noutliers = {{ failures = 0 }}\n{origins}'
        f'[[service.retry]]\nname = "default"\nstall = {STALL_S}\n'
    )


def _whole_ms(port: int, run: str, kind: str, count: int, other: FaultyOrigin) -> float:
    """Fetch so many objects, one after the other; the median time that one took."""
    digest = xxhash.xxh3_64_intdigest(other.body)
    took: list[float] = []
    with Load(port, 1, hashed_each=1) as client:
        for number in range(count):
            ask = Ask(kind, f"/{kind}/{run}-{number}", SEGMENT_BYTES, digest)
            began = time.perf_counter()
            outcome = client.flat_out(partial(_same, ask), 60.0, 1)
            took.append(time.perf_counter() - began)
            if outcome.answers != 1:
                raise WrongAnswer(f"{ask.path} was not answered")
    return 1000 * median(took)


def _same(ask: Ask, _number: int) -> Ask:
    return ask
