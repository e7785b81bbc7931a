"""Demand as it was: the requests of clients in the access logs of edges, in order of time.

A log may be anything: lines that are none of ours are counted and passed over, those of other
servers of the network as well, since simulated servers ask each other by themselves.
"""

from __future__ import annotations

import glob
import gzip
import heapq
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta

from headrace.errors import HeadraceError
from headrace.topology.coverage import client_of

_LONGEST_LINE = 64 * 1024
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
    """Lines that were passed over, by why."""

    unreadable: int = 0
    of_servers: int = 0
    failed: int = 0


def logs_of(patterns: Sequence[str]) -> list[Path]:
    """Return the files that patterns such as `access*.log` mean. Raises NoLogs."""
    found = sorted({Path(name) for pattern in patterns for name in glob.glob(pattern)})
    if not found:
        raise NoLogs(f"no file is called {' or '.join(patterns)}: name the access logs of edges")
    return found


def read_logs(paths: Iterable[Path], passed: Passed) -> Iterator[Request]:
    """Yield the requests of clients, in order of time; count in `passed` what is passed over.

    Raises OSError.
    """
    merged = heapq.merge(*(_lines(path, passed) for path in paths), key=lambda line: line.time)
    clients: dict[str, bytes | None] = {}
    latest = 0.0
    for line in merged:
        try:
            at = datetime.fromisoformat(line.time).timestamp()
        except ValueError:
            passed.unreadable += 1
            continue
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


def _lines(path: Path, passed: Passed) -> Iterator[LoggedLine]:
    opened = gzip.open if path.suffix == ".gz" else open
    with opened(path, "rb") as file:
        while text := file.readline(_LONGEST_LINE):
            try:
                line = _decoder.decode(text)
            except (msgspec.DecodeError, ValueError, RecursionError):
                passed.unreadable += 1
                continue
            if line.peer is not None:
                passed.of_servers += 1
            elif line.status not in _SERVED or line.method != "GET":
                passed.failed += 1
            else:
                yield line


_SERVED = frozenset({200, 206, 304})


def _client(text: str) -> bytes | None:
    try:
        return client_of(ip_address(text))
    except ValueError:
        return None
