"""A text stream that never holds its writer up: lines are queued, and a thread writes them.

Standard error may be a pipe whose reader hangs. Then only the thread waits; the queue is bounded
in bytes, what does not fit is dropped and counted, and a line says how much was lost as soon as
lines go out again. The descriptor's flags are left alone, for other processes share it.
"""

from __future__ import annotations

import contextlib
import io
import os
import queue
import select
import threading
from collections.abc import Callable

QUEUE_BYTES = 4 * 1024 * 1024
OVERHEAD_BYTES = 100
ATOMIC_BYTES = 4096  # PIPE_BUF: so much is not interleaved with what others write
LAST_WORDS_S = 1.0
LOOK_MS = 200


class QueuedStream(io.TextIOBase):
    """Writes to a descriptor from a thread; see the module. `dropped` counts lost writes.

    `lost` makes the line that reports a number of lost writes.
    """

    def __init__(
        self, descriptor: int, lost: Callable[[int], str], *, limit_bytes: int = QUEUE_BYTES
    ) -> None:
        self.dropped = 0
        self._descriptor = descriptor
        self._lost = lost
        self._limit_bytes = limit_bytes
        # Both may be entered again by a destructor that logs while they are in use.
        self._queue: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        self._lock = threading.RLock()
        self._queued_bytes = 0
        self._told = 0
        self._ends_in_line = False
        self._ending = False
        self._thread = threading.Thread(target=self._run, name="log", daemon=True)
        self._thread.start()

    def write(self, text: str) -> int:
        """Queue the text; never waits."""
        data = text.encode("utf-8", "backslashreplace")
        cost = len(data) + OVERHEAD_BYTES
        with self._lock:
            if self._queued_bytes + cost > self._limit_bytes:
                self.dropped += 1
                return len(text)
            self._queued_bytes += cost
        if data:
            self._queue.put(data)
        return len(text)

    def flush(self) -> None:
        """Do nothing: there is nothing to wait for."""

    def writable(self) -> bool:
        """Return True: a text stream to write to."""
        return True

    def isatty(self) -> bool:
        """Return whether lines go to a terminal."""
        return os.isatty(self._descriptor)

    def fileno(self) -> int:
        """Return the descriptor that is written to."""
        return self._descriptor

    def end(self, within_s: float = LAST_WORDS_S) -> None:
        """Wait a moment for what is queued to go out, then leave the thread alone."""
        self._ending = True
        self._queue.put(b"")
        self._thread.join(within_s)

    def _run(self) -> None:
        while True:
            data = self._queue.get()
            if not data:
                if self._ending:
                    return
                continue
            with self._lock:
                self._queued_bytes -= len(data) + OVERHEAD_BYTES
            self._put_out(data)

    def _put_out(self, data: bytes) -> None:
        if self._ends_in_line:
            data = b"\n" + data
        if self._written(data):
            lost = self.dropped - self._told
            if lost and self._written(self._lost(lost).encode()):
                self._told += lost
        else:
            with self._lock:
                self.dropped += 1

    def _written(self, data: bytes) -> bool:
        at = 0
        while at < len(data):
            try:
                at += os.write(self._descriptor, data[at : at + ATOMIC_BYTES])
            except BlockingIOError:
                self._wait_for_room()
            except OSError:
                self._ends_in_line = self._ends_in_line or at > 0
                return False
        self._ends_in_line = False
        return True

    def _wait_for_room(self) -> None:
        poll = select.poll()
        poll.register(self._descriptor, select.POLLOUT)
        with contextlib.suppress(OSError):
            poll.poll(LOOK_MS)
