"""What players say of themselves with a request: CMCD (CTA-5004). Pure.

It comes in a query parameter or in fields, and may be anything. Of all that a player may say, three
things are taken: whether its buffer ran empty, the throughput that it measured, and what is in its
buffer; each within bounds, or not at all.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from urllib.parse import unquote_to_bytes

import msgspec

from headrace.http.parser import RequestHead
from headrace.telemetry.load_report import Players

LONGEST_BYTES = 1024
MOST_KEYS = 64
_LARGEST_KBPS = 100_000_000
_LARGEST_MS = 3_600_000
_FIELDS = (b"cmcd-status", b"cmcd-request")
# No part is tried twice: a client may send what it likes.
_PAIR = re.compile(rb"[ ]*+([A-Za-z0-9.-]++)(?:=(\"(?:[^\"\\]|\\.)*+\"|[^,\"]*+))?+[ ]*+(?:,|$)")
_NUMBER = re.compile(rb"\(?([0-9]{1,12})(?:[;) .]|$)")

LEAST_BPS = 64_000
_STEPS_PER_DOUBLING = 2
BUCKETS = 42
"""Of throughput: from 64 kbit/s, two for each doubling."""


class PlayerReport(msgspec.Struct, frozen=True):
    """What one player said: None is what it did not say, or not within bounds."""

    starved: bool = False
    throughput_bps: int | None = None
    buffer_s: float | None = None


def cmcd_text(head: RequestHead) -> bytes | None:
    """Return what of a request's head is CMCD; None if there is none that is short enough."""
    found = _of_query(head.target)
    if found is None:
        parts = [value for name in _FIELDS if (value := head.headers.get(name)) is not None]
        found = b",".join(parts) if parts else None
    return found if found is not None and len(found) <= LONGEST_BYTES else None


def _of_query(target: bytes) -> bytes | None:
    at = target.find(b"CMCD=")
    if at < 1 or target[at - 1 : at] not in (b"?", b"&"):
        return None
    end = target.find(b"&", at)
    value = target[at + 5 : end if end >= 0 else len(target)]
    return unquote_to_bytes(value) if len(value) <= 3 * LONGEST_BYTES else None


def parse_cmcd(text: bytes) -> PlayerReport | None:
    """Return what a player says; None where it is no CMCD."""
    pairs: dict[bytes, bytes | None] = {}
    at = 0
    while at < len(text):
        match = _PAIR.match(text, at)
        if match is None or len(pairs) >= MOST_KEYS:
            return None
        pairs[match[1]] = match[2]
        at = match.end()
    if not pairs:
        return None
    kbps = _number(pairs.get(b"mtp"), _LARGEST_KBPS)
    buffer_ms = _number(pairs.get(b"bl"), _LARGEST_MS)
    return PlayerReport(
        starved=b"bs" in pairs and pairs[b"bs"] in (None, b"?1", b"true"),
        throughput_bps=None if not kbps else kbps * 1000,
        buffer_s=None if buffer_ms is None else buffer_ms / 1000,
    )


def _number(text: bytes | None, largest: int) -> int | None:
    match = None if text is None else _NUMBER.match(text)
    if match is None or int(match[1]) > largest:
        return None
    return int(match[1])


class PlayerCounts(msgspec.Struct, array_like=True):
    """The reports of some players, counted. `throughput` has their number by bucket."""

    reports: int = 0
    starved: int = 0
    throughput: list[int] = []

    def add(self, report: PlayerReport) -> None:
        """Count a report."""
        self.reports += 1
        self.starved += report.starved
        if report.throughput_bps is not None:
            if not self.throughput:
                self.throughput = [0] * BUCKETS
            self.throughput[_bucket(report.throughput_bps)] += 1


def _bucket(bps: float) -> int:
    if bps <= LEAST_BPS:
        return 0
    return min(BUCKETS - 1, math.ceil(_STEPS_PER_DOUBLING * math.log2(bps / LEAST_BPS)))


def players_of(parts: Iterable[PlayerCounts]) -> Players:
    """Return what several counts come to; the throughput is right within a fifth."""
    reports = starved = 0
    buckets = [0] * BUCKETS
    for part in parts:
        reports += part.reports
        starved += part.starved
        for number, count in enumerate(part.throughput[:BUCKETS]):
            buckets[number] += count
    half = sum(buckets) / 2
    median: float | None = None
    passed = 0
    for number, count in enumerate(buckets):
        passed += count
        if count and passed >= half:
            median = LEAST_BPS * 2 ** ((number - 0.5) / _STEPS_PER_DOUBLING)
            break
    return Players(reports, min(starved, reports), median)
