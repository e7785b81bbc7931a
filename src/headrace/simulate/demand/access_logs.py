"""Demand as it was: the requests of clients in the access logs of edges, in order of time.

A log may be anything: lines that are none of ours are counted and passed over, those of other
servers of the network as well, since simulated servers ask each other by themselves, and the
network's own probes and checks, which are no demand. So is a line of quite another time than those
before and after it: one would move all that follows.
"""

from __future__ import annotations

import glob
import heapq
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from ipaddress import ip_address
from operator import itemgetter
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta

from headrace.errors import HeadraceError
from headrace.simulate.demand.log_lines import lines_of
from headrace.telemetry.own_requests import CHECK_AGENT, PROBE_AGENT
from headrace.topology.coverage import client_of

_UNSTORED = frozenset({"bypass", "pass"})
_Text = Annotated[str, Meta(max_length=4096)]


class NoLogs(HeadraceError):
    """There is no log to be read."""


class LoggedLine(msgspec.Struct, frozen=True, gc=False):
    """What counts of a line of an access log."""

    time: Annotated[str, Meta(min_length=20, max_length=40)]
    host: _Text
    path: _Text
    status: Annotated[int, Meta(ge=100, le=999)]
    bytes: Annotated[int, Meta(ge=0, le=2**50)]
    method: _Text = "GET"
    client: Annotated[str, Meta(max_length=64)] | None = None
    cache: Annotated[str, Meta(max_length=32)] = ""
    peer: Annotated[str, Meta(max_length=1024)] | None = None
    user_agent: _Text | None = None


_decoder = msgspec.json.Decoder(LoggedLine)


@dataclass(frozen=True, slots=True)
class Request:
    """A client's request. `client` is its address, or its network's (None: not known)."""

    at: float
    client: bytes | None
    host: bytes
    path: bytes
    size_bytes: int
    stored: bool


@dataclass(slots=True)
class Passed:
    """Lines that were passed over, by why; and logs that end too early, or are broken.
    `read_bytes` is how far the logs have been read.
    """

    unreadable: int = 0
    of_servers: int = 0
    of_probes: int = 0
    failed: int = 0
    misplaced: int = 0
    damaged_files: int = 0
    read_bytes: int = field(default=0, compare=False)


def logs_of(patterns: Sequence[str]) -> list[Path]:
    """Return the files that patterns such as `access*.log` mean. Raises NoLogs."""
    found = sorted({Path(name) for pattern in patterns for name in glob.glob(pattern)})
    if not found:
        raise NoLogs(f"no file is called {' or '.join(patterns)}: name the access logs of edges")
    return found


def read_logs(paths: Iterable[Path], passed: Passed) -> Iterator[Request]:
    """Yield the requests of clients, in order of time; count in `passed` what is passed over.

    Raises UnreadableLog.
    """
    logs = [_in_place(_lines(path, passed), passed) for path in paths]
    clients: dict[str, bytes | None] = {}
    latest = 0.0
    for at, line in heapq.merge(*logs, key=itemgetter(0)):
        # A line is written when its response ends, so that some stand behind later ones.
        latest = max(latest, at)
        text = line.client or ""
        if text not in clients:
            if len(clients) >= _MOST_CLIENTS:
                clients.clear()
            clients[text] = _client(text)
        yield Request(
            latest, clients[text], line.host.encode(), line.path.encode(), line.bytes,
            line.cache not in _UNSTORED,
        )  # fmt: skip


_MOST_CLIENTS = 1_000_000


LEAP_S = 30 * 86400.0
"""A line that is so far from the one before it is believed if the next one is near it."""

_Timed = tuple[float, LoggedLine]


def _in_place(lines: Iterator[_Timed], passed: Passed) -> Iterator[_Timed]:
    """Yield the lines of a log, less those of quite another time than their neighbours."""
    latest: float | None = None
    doubtful: _Timed | None = None
    for one in lines:
        if latest is not None and abs(one[0] - latest) <= LEAP_S:
            if doubtful is not None:
                passed.misplaced += 1
                doubtful = None
            latest = one[0]
            yield one
        elif doubtful is not None and abs(one[0] - doubtful[0]) <= LEAP_S:
            latest = one[0]
            yield doubtful
            yield one
            doubtful = None
        else:
            passed.misplaced += doubtful is not None
            doubtful = one
    if doubtful is not None and latest is None:
        yield doubtful
    elif doubtful is not None:
        passed.misplaced += 1


def _damaged(passed: Passed) -> None:
    passed.damaged_files += 1


def _read(passed: Passed, size_bytes: int) -> None:
    passed.read_bytes += size_bytes


def _lines(path: Path, passed: Passed) -> Iterator[_Timed]:
    for text in lines_of(path, partial(_damaged, passed), partial(_read, passed)):
        try:
            line = _decoder.decode(text)
            at = datetime.fromisoformat(line.time)
            if at.tzinfo is None:
                at = at.replace(tzinfo=UTC)
            at_s = at.timestamp()
        except (msgspec.DecodeError, ValueError, OverflowError, RecursionError):
            passed.unreadable += 1
            continue
        if line.peer is not None:
            passed.of_servers += 1
        elif line.user_agent in _OWN:
            passed.of_probes += 1
        elif line.status not in _SERVED or line.method != "GET":
            passed.failed += 1
        else:
            yield at_s, line


_SERVED = frozenset({200, 206, 304})
_OWN = frozenset({PROBE_AGENT, CHECK_AGENT})


def _client(text: str) -> bytes | None:
    try:
        return client_of(ip_address(text))
    except ValueError:
        return None
