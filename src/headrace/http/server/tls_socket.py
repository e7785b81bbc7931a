"""TLS on a non-blocking socket that hands many records to the kernel with one system call.

`ssl.SSLSocket` makes a system call for each record of 16 KiB, and each wakes the receiver: more
than half of the processor time of a TLS delivery was the kernel's. Here OpenSSL encrypts a window
into memory, and one `send` takes it all. Measured for 2 MB bodies, one core, AES-256-GCM: 0.83 s
for a gigabyte with `SSLSocket`, 0.76 with TCP_CORK around it, 0.70 with windows of 64 KiB in
memory, 0.62 with 256 KiB, 0.60 with 512.

What must hold: **what one connection's OpenSSL writes goes to that connection or nowhere.** The
memory that OpenSSL writes to is shared by all connections of a thread, and OpenSSL may write at any
call: an answer to a new key while it reads, an alert, a ticket. So every call stands in a `try`
whose `finally` looks at that memory (`TlsSocket._use`; `recv` and `send` write it out, for they
are called for each request): however the call ends, what was written is taken out and kept
with the connection, or `TlsBroken` is raised and the connection ends.

What a client makes OpenSSL do without sending data is bounded as well (`tls_records`).
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import time
from collections.abc import Callable
from pathlib import Path
from typing import ParamSpec, TypeVar

from headrace.http.server.client_hello import (
    HELLO_BYTES,
    ClientHello,
    HelloRecords,
    NotAHello,
    parse_hello,
)
from headrace.http.server.tls_context import PROTOCOLS, CertificateContext
from headrace.http.server.tls_records import HEADER_BYTES, SILENT_RECORDS, RecordMeter, silent_now
from headrace.reasons import Reason

FIRST_WINDOW_BYTES = 64 * 1024
WINDOW_BYTES = 512 * 1024
RECORD_BYTES = 16 * 1024
RECORDS_AT_ONCE = 64  # so many are given to OpenSSL before it is looked at what they brought
HANDSHAKE_BYTES = 256 * 1024
ANSWERS_BYTES = 16 * 1024  # of OpenSSL's own, kept while the client takes nothing
# In OpenSSL since 3.0; Python's module names it from 3.12 on.
SPOKEN = frozenset(name.encode() for name in PROTOCOLS)
NO_APPLICATION_PROTOCOL = b"\x15\x03\x03\x00\x02\x02\x78"  # a fatal alert (RFC 7301 section 3.2)
OP_ENABLE_KTLS = getattr(ssl, "OP_ENABLE_KTLS", 1 << 3)
_PROTOCOLS = Path("/proc/sys/net/ipv4/tcp_available_ulp")


def kernel_offers_tls() -> bool:
    """Whether the kernel has its TLS module loaded."""
    try:
        return "tls" in _PROTOCOLS.read_text(encoding="ascii").split()
    except OSError:
        return False


_Arguments = ParamSpec("_Arguments")
_Result = TypeVar("_Result")


class TlsBroken(OSError):
    """The connection cannot go on, for what the client sent or for want of memory.

    `reason` is a word for the metrics.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(f"the TLS connection must end: {reason}")
        self.reason = reason


class TlsSocket:
    """The server's side of a TLS connection, with the methods of `SSLSocket` that are used here.

    `outgoing` may be shared by all connections of a thread: it is empty between any two calls, and
    its memory stays in the processor's cache. A window that the socket does not take whole is kept
    until it does; the next one is smaller, so a slow client holds little memory.
    """

    __slots__ = (
        "_answered", "_fed", "_hello", "_incoming", "_later", "_meter", "_outgoing", "_pending",
        "_shaking_bytes", "_silent", "_silent_since", "_sock", "_taken", "_tls", "_window",
    )  # fmt: skip

    def __init__(
        self, sock: socket.socket, context: ssl.SSLContext, outgoing: ssl.MemoryBIO
    ) -> None:
        """Takes over `sock`, which does not block."""
        self._sock = sock
        self._incoming = ssl.MemoryBIO()
        self._outgoing = outgoing
        self._tls = context.wrap_bio(self._incoming, outgoing, server_side=True)
        # What has come of the client's hello, until it is whole.
        self._hello = HelloRecords() if isinstance(context, CertificateContext) else None
        self._pending: bytes | memoryview | None = None  # encrypted, not yet with the kernel
        self._taken = 0  # plain bytes that the encrypted window holds, not yet reported
        self._shaking_bytes = 0
        self._answered = 0  # bytes of OpenSSL's own behind it
        self._window = FIRST_WINDOW_BYTES
        self._meter = RecordMeter()
        self._later = b""  # received, not yet given to OpenSSL
        self._fed = 0  # records that OpenSSL has, of which it is not known what they brought
        self._silent = 0  # records that brought no data
        self._silent_since = 0.0

    def fileno(self) -> int:
        return self._sock.fileno()

    def setsockopt(self, level: int, option: int, value: int | bytes) -> None:
        self._sock.setsockopt(level, option, value)

    def shutdown(self, how: int) -> None:
        self._sock.shutdown(how)

    def close(self) -> None:
        self._sock.close()

    @property
    def context(self) -> ssl.SSLContext:
        """The context of the certificate that the client is shown."""
        return self._tls.context

    def version(self) -> str | None:
        return self._tls.version()

    @property
    def session_reused(self) -> bool | None:
        return self._tls.session_reused

    @property
    def unreported(self) -> bool:
        """Whether bytes are on their way that `send` has not told of yet."""
        return self._taken > 0

    @property
    def unsent_bytes(self) -> int:
        """Encrypted bytes that the kernel has not taken."""
        return 0 if self._pending is None else len(self._pending)

    @property
    def unreported_bytes(self) -> int:
        """Of the bytes that `send` has not told of yet, about how many the kernel has."""
        return max(0, self._taken - self.unsent_bytes)

    def do_handshake(self) -> None:
        """Go on with the handshake. Raises SSLWantReadError, SSLWantWriteError, OSError."""
        self._flush()
        if self._hello is not None:
            self._greet(self._hello)
        while True:
            try:
                self._use(self._tls.do_handshake)
            except ssl.SSLWantReadError:
                self._flush()
                self._fill()
            except ssl.SSLError:
                with contextlib.suppress(OSError):
                    self._flush()  # the alert, so that the client learns why
                raise
            else:
                self._fed = 0
                self._flush()
                return

    def recv(self, size_bytes: int) -> bytes:
        """What has come, decrypted; b"" at the end of the stream.

        All that was taken from the kernel is decrypted, for epoll cannot tell of it any more.
        Raises SSLWantReadError, OSError.
        """
        tls, incoming = self._tls, self._incoming
        found = b""
        pieces = 0
        asked = not incoming.pending and not tls.pending() and not self._later
        if asked:
            data = self._sock.recv(size_bytes)  # BlockingIOError: as good as SSLWantReadError
            meter = self._meter
            if (
                not meter.left
                and not meter.header
                and len(data) > HEADER_BYTES
                and len(data) == HEADER_BYTES + (data[3] << 8 | data[4])
            ):
                self._fed += 1  # one whole record, as most requests are
                incoming.write(data)
            else:
                self._received(data)
        outgoing = self._outgoing
        while True:
            try:
                try:
                    piece = tls.read(size_bytes)
                finally:
                    if outgoing.pending:
                        self._keep_written()
            except ssl.SSLWantReadError:
                self._count_silent(pieces)
                self._answer()
                if self._later:
                    pieces = 0
                    self._feed(self._later)
                    continue
                if found:
                    return found
                if asked:
                    raise
                asked = True  # what was there is no whole record
                self._take(size_bytes)
                continue
            except (ssl.SSLZeroReturnError, ssl.SSLEOFError):
                return found
            except ssl.SSLError:
                self._answer()
                raise
            found = found + piece if found else piece
            if not piece:
                return found
            if not tls.pending():
                pieces += 1
                if not incoming.pending and not self._later:
                    if self._fed != pieces:
                        self._count_silent(pieces)
                        self._answer()
                    self._fed = 0
                    return found

    def send(self, data: bytes | memoryview, head: bytes = b"") -> int:
        """Encrypt and send a window of `data`, behind `head`; how many bytes of both the kernel
        has.

        Raises SSLWantWriteError when the socket is full: call again with the same data, or more.
        What of them is on its way already will be counted then.
        """
        if self._pending is not None:
            self._flush()
        if self._taken:
            taken, self._taken = self._taken, 0
            return taken
        window = self._window
        if len(data) > window:
            data = memoryview(data)[:window]
        tls, outgoing = self._tls, self._outgoing
        try:
            taken = tls.write(head) + tls.write(data) if head else tls.write(data)
            encrypted = outgoing.read()
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError, MemoryError) as error:
            # OpenSSL waits for the rest of a message that the client sent in parts. Nobody sends
            # so short ones in parts; waiting here would be for ever.
            raise TlsBroken(Reason.UNFINISHED_MESSAGE.word) from error
        finally:
            if outgoing.pending:
                self._keep_written()
        try:
            sent = self._sock.send(encrypted)
        except BlockingIOError:
            sent = 0
        if sent < len(encrypted):
            # A copy of the rest: a view would keep the whole window in memory.
            self._pending = memoryview(encrypted[sent:])
            self._taken = taken
            self._window = max(RECORD_BYTES, sent)
            raise ssl.SSLWantWriteError(ssl.SSL_ERROR_WANT_WRITE, "the socket is full")
        if len(data) == window < WINDOW_BYTES:
            self._window = min(2 * window, WINDOW_BYTES)
        return taken

    def send_read(
        self,
        read: Callable[[memoryview], None],
        size_bytes: int,
        memory: memoryview,
        head: bytes = b"",
    ) -> int:
        """Do as `send` does, with data that `read` puts into `memory`, of at most a window's size.

        What `read` raises is raised, and then nothing has been encrypted.
        """
        if self._pending is not None:
            self._flush()
        if not self._taken:  # else `send` only tells what is on its way already
            memory = memory[: min(size_bytes, self._window)]
            read(memory)  # all of it, or raises: what it held before is others'
        return self.send(memory, head)

    def discard(self, size_bytes: int) -> bytes:
        """What comes after the end was said, not decrypted: it is waited out. Raises OSError."""
        return self._sock.recv(size_bytes)

    def unwrap(self) -> None:
        """Say that nothing more will come (close_notify), as far as the socket takes it."""
        with contextlib.suppress(ssl.SSLError):
            self._use(self._tls.unwrap)
        with contextlib.suppress(ssl.SSLWantWriteError):
            self._flush()

    # OpenSSL.

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
            written = self._outgoing.read()
            if before is not None:
                self._answered += len(written)
                written = bytes(before) + written
        except MemoryError:
            while self._outgoing.pending:
                self._outgoing.read(RECORD_BYTES)
            raise TlsBroken(Reason.NO_MEMORY.word) from None
        self._pending = written
        if self._answered > ANSWERS_BYTES:
            raise TlsBroken(Reason.UNREAD_ANSWERS.word)

    def _greet(self, begun: HelloRecords) -> None:
        """Read the client's hello, and begin with the context that it asks for. Raises
        SSLWantReadError, TlsBroken, OSError.
        """
        while len(begun.received) <= 2 * HELLO_BYTES:
            try:
                received = self._sock.recv(RECORD_BYTES)
            except BlockingIOError:
                raise ssl.SSLWantReadError(ssl.SSL_ERROR_WANT_READ, "no whole hello") from None
            if not received:
                break
            try:
                body = begun.take(received)
                if body is not None:
                    self._turn_to(parse_hello(body))
                    break
            except NotAHello:
                break
        self._hello = None
        if begun.received:
            self._shaking_bytes = len(begun.received)
            self._feed(bytes(begun.received))

    def _turn_to(self, hello: ClientHello) -> None:
        if hello.protocols is not None and not SPOKEN.intersection(hello.protocols):
            with contextlib.suppress(OSError):
                self._sock.send(NO_APPLICATION_PROTOCOL)
            raise TlsBroken(Reason.NO_APPLICATION_PROTOCOL.word)
        default = self._tls.context
        assert isinstance(default, CertificateContext)
        context = default.context_for(hello.server_name)
        if context is not default:
            self._tls = context.wrap_bio(self._incoming, self._outgoing, server_side=True)

    # What comes.

    def _fill(self) -> None:
        """Give OpenSSL more of the handshake."""
        if self._later:
            self._feed(self._later)
            return
        if self._shaking_bytes > HANDSHAKE_BYTES:
            raise TlsBroken(Reason.LONG_HANDSHAKE.word)
        try:
            self._shaking_bytes += self._take(RECORD_BYTES)
        except BlockingIOError:
            raise ssl.SSLWantReadError(ssl.SSL_ERROR_WANT_READ, "nothing has come") from None

    def _take(self, size_bytes: int) -> int:
        received = self._sock.recv(size_bytes)
        self._received(received)
        return len(received)

    def _received(self, data: bytes) -> None:
        if data:
            self._feed(data)
        else:
            self._incoming.write_eof()

    def _feed(self, data: bytes) -> None:
        """Give OpenSSL what has come, but only so many records at once; keep the others."""
        end, records = self._meter.advance(data, RECORDS_AT_ONCE)
        self._fed += records
        self._incoming.write(data[:end])
        self._later = data[end:]

    def _count_silent(self, pieces: int) -> None:
        """OpenSSL has used what it was given, which brought so many pieces. Raises TlsBroken."""
        silent, self._fed = self._fed - pieces, 0
        if silent <= 0:
            return
        now = time.monotonic()
        self._silent = silent_now(self._silent, now - self._silent_since) + silent
        self._silent_since = now
        if self._silent > SILENT_RECORDS:
            raise TlsBroken(Reason.RECORDS_WITHOUT_DATA.word)

    # What goes.

    def _answer(self) -> None:
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


ClientSocket = socket.socket | TlsSocket
TLS_SOCKETS = (ssl.SSLSocket, TlsSocket)
