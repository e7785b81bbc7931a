"""A line of the access log: what a response's record shows of it. Pure, but for a cached second.

Query strings, full client addresses and the path part of Referer are left out unless asked for,
since they carry tokens and identify people.
"""

from __future__ import annotations

import contextlib
import ipaddress
import re
import time
from functools import lru_cache
from typing import Literal
from urllib.parse import urlsplit

import msgspec

from headrace.telemetry.cmcd import parse_cmcd

ClientAddress = Literal["full", "truncated", "none"]

TEXT_LIMIT = 2048
SHORT_TEXT_LIMIT = 512


class OriginUse(msgspec.Struct, frozen=True, gc=False):
    """What one response took of its origins.

    `origin` is "pool/origin", the one asked last; `failed` says which failed and how, in order.
    """

    origin: str
    tries: int
    switches: int
    failed: str


class AccessRecord(msgspec.Struct, gc=False):
    """One finished response as the request path knows it: raw values, no formatting.

    `started` is Unix seconds; durations are seconds; `client` is an address without a port, or
    "" for a Unix socket. `cache` is one of the words of the metrics (hit, stale_hit, revalidated,
    miss, partial, collapsed, bypass, pass, error). `ended` says how the response ended:
    "complete", or why it was cut short ("client_gone", "slow_client", "stopped", …).
    `origins` is None when no origin was asked. `reason` is the detail of the answer's Cache-Status:
    why it was not stored, or what failed. `server` is where a router sent the client; `peer` the
    site and the name of the server of the network that asked. `cmcd` is what the player said, where
    that is to be logged.
    """

    started: float
    request_id: str
    service: str
    client: str
    method: bytes
    host: bytes
    path: bytes
    query: bytes | None
    status: int
    bytes_sent: int
    duration_s: float
    first_byte_s: float | None
    cache: str
    age_s: float | None
    range: bytes | None
    protocol: str
    tls: str | None
    user_agent: bytes | None
    referer: bytes | None
    ended: str = "complete"
    origins: OriginUse | None = None
    reason: str = ""
    server: str = ""
    peer: str | None = None
    cmcd: bytes | None = None


class AccessLine(msgspec.Struct, omit_defaults=True):
    """One line of the log, in the order in which its fields are written."""

    time: str
    request_id: str
    service: str
    client: str | None
    method: str
    host: str
    path: str
    status: int
    bytes: int
    duration_s: float
    first_byte_s: float | None
    cache: str
    protocol: str
    query: str | None = None
    age_s: int | None = None
    range: str | None = None
    tls: str | None = None
    user_agent: str | None = None
    referer: str | None = None
    reason: str = ""
    ended: str = "complete"
    origin: str | None = None
    origin_tries: int = 0
    origin_switches: int = 0
    origin_failures: str = ""
    server: str = ""
    peer: str | None = None
    starved: bool | None = None
    throughput_bps: int | None = None
    buffer_s: float | None = None


class LineFormatter:
    """Turn records into lines, leaving out what the settings say is not to be kept."""

    def __init__(self, client_address: ClientAddress = "truncated", *, query: bool = False) -> None:
        self._client_address = client_address
        self._query = query
        self._encoder = msgspec.json.Encoder()
        self._second = -1
        self._second_text = ""

    def line(self, record: AccessRecord) -> bytes:
        """Return the record as one JSON object and a newline."""
        return self._encoder.encode(self.shown(record)) + b"\n"

    def shown(self, record: AccessRecord) -> AccessLine:
        """Return what may be shown of the record, under the names that it is shown by."""
        query = record.query if self._query else None
        path = record.path.partition(b"?")[0]  # a target that could not be taken apart is whole
        first_byte_s = record.first_byte_s
        origins = record.origins
        player = None if record.cmcd is None else parse_cmcd(record.cmcd)
        return AccessLine(
            time=self._time(record.started),
            request_id=record.request_id,
            service=record.service,
            client=self._client(record.client),
            method=_text(record.method, SHORT_TEXT_LIMIT),
            host=_text(record.host, SHORT_TEXT_LIMIT),
            path=_text(path, TEXT_LIMIT),
            status=record.status,
            bytes=record.bytes_sent,
            duration_s=round(record.duration_s, 6),
            first_byte_s=None if first_byte_s is None else round(first_byte_s, 6),
            cache=record.cache,
            protocol=record.protocol,
            query=None if query is None else _text(query, TEXT_LIMIT),
            age_s=None if record.age_s is None else int(record.age_s),
            range=None if record.range is None else _text(record.range, SHORT_TEXT_LIMIT),
            tls=record.tls,
            user_agent=_optional_text(record.user_agent),
            referer=_referer_origin(record.referer),
            reason=record.reason,
            ended=record.ended,
            origin=None if origins is None else origins.origin,
            origin_tries=0 if origins is None else origins.tries,
            origin_switches=0 if origins is None else origins.switches,
            origin_failures="" if origins is None else origins.failed,
            server=record.server,
            peer=record.peer,
            starved=None if player is None else player.starved,
            throughput_bps=None if player is None else player.throughput_bps,
            buffer_s=None if player is None else player.buffer_s,
        )

    def _time(self, started: float) -> str:
        second = int(started)
        if second != self._second:
            self._second = second
            self._second_text = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second))
        return f"{self._second_text}.{int((started - second) * 1000):03d}Z"

    def _client(self, client: str) -> str | None:
        return shown_address(client, self._client_address)


def shown_address(client: str, how: ClientAddress) -> str | None:
    """Return what may be shown of a client's address; None: nothing, or it has none."""
    if how == "none" or not client:
        return None
    return client if how == "full" else truncated_address(client)


@lru_cache(4096)
def truncated_address(client: str) -> str | None:
    """Return the network a client is in: an IPv4 address's /24, an IPv6 address's /48.

    An IPv4 address mapped into IPv6 counts as IPv4. None for text that is no address.
    """
    try:
        address = ipaddress.ip_address(client.partition("%")[0])
    except ValueError:
        return None
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    prefix = 24 if address.version == 4 else 48
    return str(ipaddress.ip_network((address, prefix), strict=False).network_address)


# What clients send stands in the log, and the log in terminals and in readers that go line by line:
# controls beyond ASCII (JSON escapes those in it), line ends that only Unicode knows, and marks
# that turn the direction of writing are shown escaped.
_UNSEEMLY = re.compile("[\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]")


def _text(value: bytes, limit: int) -> str:
    text = value[:limit].decode("utf-8", "backslashreplace")
    if text.isascii() and "\x7f" not in text:
        return text
    return _UNSEEMLY.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def _optional_text(value: bytes | None) -> str | None:
    return None if value is None else _text(value, SHORT_TEXT_LIMIT)


def _referer_origin(value: bytes | None) -> str | None:
    if value is None:
        return None
    with contextlib.suppress(ValueError):
        parts = urlsplit(_text(value, TEXT_LIMIT))
        host = parts.netloc.rpartition("@")[2]
        if parts.scheme and host:
            return f"{parts.scheme}://{host[:255]}"
    return None
