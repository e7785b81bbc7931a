"""The access log: JSON lines written by a background thread, fed by a bounded queue.

The request path pays for one append. When the disk is slower than the traffic, or the reader of a
pipe hangs, records are dropped and counted rather than held: the queue is bounded in records and
in bytes. Nothing here but the thread ever waits for the file: not writing, not opening, not
rotating, not closing. What a line shows is `access_line`'s.
"""

from __future__ import annotations

import contextlib
import os
import select
import stat
import threading
from collections import deque
from pathlib import Path

from headrace.errors import HeadraceError
from headrace.telemetry.access_line import AccessRecord, ClientAddress, LineFormatter

QUEUE_RECORDS = 32768
QUEUE_BYTES = 16 * 1024 * 1024
RECORD_BYTES = 600  # a record without its texts
LAST_WORDS_S = 1.0
LOOK_MS = 200
FLUSH_INTERVAL_S = 0.1
BATCH_RECORDS = 64  # encoding holds the interpreter: let the event loop in after this many
FILE_BATCH_BYTES = 256 * 1024
PIPE_BATCH_BYTES = 4096  # writes up to PIPE_BUF are not interleaved with other writers'
SAMPLE_BITS = 16
SAMPLE_MASK = (1 << SAMPLE_BITS) - 1


class AccessLogError(HeadraceError):
    """The access log's file cannot be opened."""


class AccessLog:
    """A log that costs its caller one append; see `write`.

    `path` is a file, "-" for standard output, or None to log nothing. `sample` is the share
    (0 to 1) of responses below 400 that `wanted` lets through; errors always pass. With `cmcd`
    records are to say what players do.
    """

    def __init__(
        self,
        path: Path | str | None,
        sample: float = 1.0,
        client_address: ClientAddress = "truncated",
        *,
        query: bool = False,
        cmcd: bool = False,
        queue_records: int = QUEUE_RECORDS,
        queue_bytes: int = QUEUE_BYTES,
    ) -> None:
        """Open the log. Raises AccessLogError when the file cannot be opened."""
        self.enabled = path is not None
        self.cmcd = cmcd
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

    def adopt(
        self,
        sample: float,
        client_address: ClientAddress,
        *,
        query: bool = False,
        cmcd: bool = False,
    ) -> None:
        """Take new settings for the records to come; the file stays open."""
        self.cmcd = cmcd
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
        + len(record.cmcd or b"")
    )
