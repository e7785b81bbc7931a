"""OpenSSL between a socket and memory: what comes is put in, what OpenSSL writes is taken out.

What must hold: **what one connection's OpenSSL writes goes to that connection or nowhere.** The
memory that OpenSSL writes to (a `MemoryBIO`, for windows a `Ring`) is shared by all connections of
a thread, and OpenSSL may write at any call: an answer to a new key while it reads, an alert, a
ticket. So every call stands in a `try` whose `finally` checks that memory (`TlsMemory._use`;
`TlsSocket.recv` and `send` write it out, for they are called for each request): however the call
ends, what was written is taken out and kept with the connection, or `TlsBroken` is raised and the
connection ends.

What a client makes OpenSSL do without sending data is bounded as well (`tls_records`).
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import time
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from headrace.http.server.tls_native import serving
from headrace.http.server.tls_records import SILENT_RECORDS, RecordMeter, silent_now
from headrace.http.server.tls_ring import Ring
from headrace.reasons import Reason

RECORD_BYTES = 16 * 1024
RECORDS_AT_ONCE = 64  # so many are given to OpenSSL before it is checked what they brought
BYTES_AT_ONCE = 4 * 1024  # or the whole record that these end in
ANSWERS_BYTES = 16 * 1024  # of OpenSSL's own, kept while the client takes nothing

_Arguments = ParamSpec("_Arguments")
_Result = TypeVar("_Result")


class TlsBroken(OSError):
    """The connection cannot continue, for what the client sent or for want of memory.

    `reason` is a word for the metrics.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(f"the TLS connection must end: {reason}")
        self.reason = reason


class TlsMemory:
    """One connection's OpenSSL, its socket, and what is on its way between the two.

    `outgoing` may be shared by all connections of a thread: it is empty between any two calls, and
    its memory stays in the processor's cache.
    """

    __slots__ = (
        "_answered", "_fed", "_incoming", "_later", "_meter", "_outgoing", "_pending", "_silent",
        "_silent_since", "_sock", "_tls",
    )  # fmt: skip

    def __init__(
        self, sock: socket.SocketType, context: ssl.SSLContext, outgoing: ssl.MemoryBIO
    ) -> None:
        """Take over `sock`, which does not block."""
        self._sock = sock
        self._incoming = ssl.MemoryBIO()
        self._outgoing: ssl.MemoryBIO | Ring = outgoing
        self._tls = serving(context, self._incoming, outgoing)
        self._pending: bytes | memoryview | None = None  # encrypted, not yet with the kernel
        self._answered = 0  # bytes of OpenSSL's own behind it
        self._meter = RecordMeter()
        self._later: bytes | memoryview = b""  # received, not yet given to OpenSSL
        self._fed = 0  # records that OpenSSL has, of which it is not known what they brought
        self._silent = 0  # records that brought no data
        self._silent_since = 0.0

    def _use(
        self,
        call: Callable[_Arguments, _Result],
        *args: _Arguments.args,
        **kwargs: _Arguments.kwargs,
    ) -> _Result:
        """Call OpenSSL, and take what it wrote out of the memory that all connections share.

        Calls are made through this, or in the same way: see the module's docstring.
        """
        try:
            return call(*args, **kwargs)
        finally:
            if self._outgoing.pending:
                self._keep_written()

    def _keep_written(self) -> None:
        """Take what OpenSSL wants sent behind what waits already. Raises TlsBroken."""
        before = self._pending
        try:
            written = bytes(self._outgoing.read())
            if before is not None:
                self._answered += len(written)
                written = bytes(before) + written
        except MemoryError:
            self._forget_written()
            raise TlsBroken(Reason.NO_MEMORY.word) from None
        self._pending = written
        if self._answered > ANSWERS_BYTES:
            raise TlsBroken(Reason.UNREAD_ANSWERS.word)

    def _forget_written(self) -> None:
        outgoing = self._outgoing
        if isinstance(outgoing, Ring):
            outgoing.clear()
            return
        while outgoing.pending:
            outgoing.read(RECORD_BYTES)

    # What comes.

    def _take(self, size_bytes: int) -> int:
        received = self._sock.recv(size_bytes)
        self._received(received)
        return len(received)

    def _received(self, data: bytes) -> None:
        if data:
            self._feed(data)
        else:
            self._incoming.write_eof()

    def _feed(self, data: bytes | memoryview) -> None:
        """Feed OpenSSL what has come, but only so many records at once; keep the others.

        The memory that it reads from never shrinks: whoever sends much must not leave it large.
        """
        end, records = self._meter.advance(data, RECORDS_AT_ONCE, BYTES_AT_ONCE)
        self._fed += records
        if end == len(data):
            self._incoming.write(data)
            self._later = b""  # an empty view would keep all of it
        else:
            view = memoryview(data)
            self._incoming.write(view[:end])
            self._later = view[end:]

    def _count_silent(self, pieces: int) -> None:
        """Count the records that brought no data: OpenSSL has used all, and so many pieces came.

        Raises TlsBroken.
        """
        silent, self._fed = self._fed - pieces, 0
        if silent <= 0:
            return
        now = time.monotonic()
        self._silent = silent_now(self._silent, now - self._silent_since) + silent
        self._silent_since = now
        if self._silent > SILENT_RECORDS:
            raise TlsBroken(Reason.RECORDS_WITHOUT_DATA.word)

    # What goes.

    def send_answers(self) -> None:
        """Send what OpenSSL has written by itself, if the socket takes it; else later."""
        if self._pending is not None:
            with contextlib.suppress(OSError):
                self._flush()

    def _flush(self) -> None:
        pending = self._pending
        if pending is None:
            return
        try:
            sent = self._sock.send(pending)
        except BlockingIOError:
            sent = 0
        if sent < len(pending):
            self._pending = memoryview(pending)[sent:]
            raise ssl.SSLWantWriteError(ssl.SSL_ERROR_WANT_WRITE, "the socket is full")
        self._pending = None
        self._answered = 0
