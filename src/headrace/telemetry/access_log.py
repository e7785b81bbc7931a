"""The access log: JSON lines written by a background thread, fed by a bounded queue.

The request path pays for one append. When the disk is slower than the traffic, or the reader of a
pipe hangs, records are dropped and counted rather than held: the queue is bounded in records and
in bytes. Nothing here but the thread ever waits for the file: not writing, not opening, not
rotating, not closing. Query strings, full client addresses and the path part of
Referer are left out unless asked for, since they carry tokens and identify people.
"""

from __future__ import annotations

import contextlib
import ipaddress
import os
import re
import select
import stat
import threading
import time
from collections import deque
from functools import lru_cache
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

import msgspec

from headrace.errors import HeadraceError

ClientAddress = Literal["full", "truncated", "none"]

QUEUE_RECORDS = 32768
QUEUE_BYTES = 16 * 1024 * 1024
RECORD_BYTES = 600  # a record without its texts
LAST_WORDS_S = 1.0
LOOK_MS = 200
FLUSH_INTERVAL_S = 0.1
BATCH_RECORDS = 64  # encoding holds the interpreter: let the event loop in after this many
FILE_BATCH_BYTES = 256 * 1024
PIPE_BATCH_BYTES = 4096  # writes up to PIPE_BUF are not interleaved with other writers'
TEXT_LIMIT = 2048
SHORT_TEXT_LIMIT = 512
SAMPLE_BITS = 16
SAMPLE_MASK = (1 << SAMPLE_BITS) - 1


class AccessLogError(HeadraceError):
    """The access log's file cannot be opened."""


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
    why it was not stored, or what failed.
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


class AccessLog:
    """A log that costs its caller one append; see `write`.

    `path` is a file, "-" for standard output, or None to log nothing. `sample` is the share
    (0 to 1) of responses below 400 that `wanted` lets through; errors always pass.
    """

    def __init__(
        self,
        path: Path | str | None,
        sample: float = 1.0,
        client_address: ClientAddress = "truncated",
        *,
        query: bool = False,
        queue_records: int = QUEUE_RECORDS,
        queue_bytes: int = QUEUE_BYTES,
    ) -> None:
        """Open the log. Raises AccessLogError when the file cannot be opened."""
        self.enabled = path is not None
        self.write_errors = 0
        self._refused = 0  # by the request path
        self._lost = 0  # by the thread
        self._path = path
        self._threshold = round(sample * (1 << SAMPLE_BITS))
        self._formatter = LineFormatter(client_address, query=query)
        self._limit = queue_records
        self._limit_bytes = queue_bytes
        # Each is written by one thread only, so that neither needs a lock.
        self._bytes_put = 0
        self._bytes_taken = 0
        self._queue: deque[AccessRecord] = deque()
        self._descriptor = -1
        self._fresh: deque[int] = deque()  # opened for a rotation, for the thread to take up
        self._batch_bytes = FILE_BATCH_BYTES
        self._wake = threading.Event()
        self._closing = False
        self._thread: threading.Thread | None = None
        if path is not None:
            self._descriptor = _open(path)
            self._batch_bytes = _batch_bytes(self._descriptor)
            self._thread = threading.Thread(target=self._run, name="access-log", daemon=True)
            self._thread.start()

    @property
    def path(self) -> Path | str | None:
        """Where it goes."""
        return self._path

    @property
    def dropped(self) -> int:
        """How many records were lost."""
        return self._refused + self._lost

    def adopt(self, sample: float, client_address: ClientAddress, *, query: bool = False) -> None:
        """Take new settings for the records to come; the file stays open."""
        self._threshold = round(sample * (1 << SAMPLE_BITS))
        self._formatter = LineFormatter(client_address, query=query)

    def wanted(self, status: int, token: int) -> bool:
        """Return whether this response is to be logged; `token` is any evenly spread integer.

        Ask before building the record. The same token always gets the same answer, so a
        hash of the request id keeps or drops a request on every server alike.
        """
        if not self.enabled:
            return False
        return status >= 400 or (token & SAMPLE_MASK) < self._threshold

    def write(self, record: AccessRecord) -> None:
        """Queue one record; never blocks. A full queue drops it and counts it in `dropped`.

        The record's texts are held until it is written, so they count against the bound.
        """
        cost_bytes = _cost_bytes(record)
        queued_bytes = self._bytes_put - self._bytes_taken
        if len(self._queue) >= self._limit or queued_bytes + cost_bytes > self._limit_bytes:
            self._refused += 1
            return
        self._bytes_put += cost_bytes
        self._queue.append(record)

    def reopen(self) -> None:
        """Continue in a newly opened file of the same name, after a rotation renamed the old one.

        Raises AccessLogError and keeps the old file when the new one cannot be opened.
        """
        if self._path is None or self._path == "-":
            return
        self._fresh.append(_open(self._path))
        self._wake.set()

    def end(self) -> None:
        """Stop the thread when it has written what is queued, and do not wait for it."""
        self._closing = True
        self.enabled = False
        self._wake.set()

    def close(self, within_s: float = LAST_WORDS_S) -> None:
        """End the log, with a moment for what is queued; what then still is gets lost."""
        self.end()
        thread, self._thread = self._thread, None
        if thread is not None:
            thread.join(within_s)
        self._lost += len(self._queue)
        self._queue.clear()

    def _run(self) -> None:
        closing = False
        while not closing:
            self._wake.wait(FLUSH_INTERVAL_S)
            closing = self._closing
            if not closing:
                self._wake.clear()
            self._take_up_fresh()
            self._drain()
        if self._path != "-":
            os.close(self._descriptor)

    def _take_up_fresh(self) -> None:
        while self._fresh:
            old, self._descriptor = self._descriptor, self._fresh.popleft()
            self._batch_bytes = _batch_bytes(self._descriptor)
            os.close(old)

    def _drain(self) -> None:
        batch = bytearray()
        lines = 0
        queue = self._queue
        while queue:
            try:
                record = queue.popleft()
            except IndexError:  # given up meanwhile
                break
            self._bytes_taken += _cost_bytes(record)
            line = self._formatter.line(record)
            full = lines >= BATCH_RECORDS or len(batch) + len(line) > self._batch_bytes
            if lines and full:
                self._write_out(batch, lines)
                batch = bytearray()
                lines = 0
            batch += line
            lines += 1
        if lines:
            self._write_out(batch, lines)

    def _write_out(self, batch: bytearray, lines: int) -> None:
        with memoryview(batch) as rest:
            at = 0
            while at < len(rest):
                try:
                    at += os.write(self._descriptor, rest[at:])
                except BlockingIOError:
                    if not self._has_room():
                        self._lost += lines
                        return
                except OSError:
                    self.write_errors += 1
                    self._lost += lines
                    return

    def _has_room(self) -> bool:
        """Wait until a pipe takes more; False when its end, or a new file, came first."""
        poll = select.poll()
        poll.register(self._descriptor, select.POLLOUT)
        while not self._closing and not self._fresh:
            if poll.poll(LOOK_MS):
                return True
        return bool(poll.poll(0))


class LineFormatter:
    """Turn records into lines, leaving out what the settings say is not to be kept."""

    def __init__(self, client_address: ClientAddress = "truncated", *, query: bool = False) -> None:
        """Open the log. Raises AccessLogError when the file cannot be opened."""
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


def _open(path: Path | str) -> int:
    if path == "-":
        return 1
    # Opening a pipe for writing alone waits for a reader, and ends with it.
    with contextlib.suppress(OSError):
        if stat.S_ISFIFO(os.stat(path).st_mode):
            return os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NONBLOCK
        return os.open(path, flags, 0o640)
    except OSError as error:
        raise AccessLogError(
            f"cannot open the access log {str(path)!r}: {error.strerror}; create its directory "
            "and let the user that runs headrace write there, or set access_log.path"
        ) from error


def _batch_bytes(descriptor: int) -> int:
    regular = stat.S_ISREG(os.fstat(descriptor).st_mode)
    return FILE_BATCH_BYTES if regular else PIPE_BATCH_BYTES


def _cost_bytes(record: AccessRecord) -> int:
    return (
        RECORD_BYTES
        + len(record.host)
        + len(record.path)
        + len(record.query or b"")
        + len(record.range or b"")
        + len(record.user_agent or b"")
        + len(record.referer or b"")
    )


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
