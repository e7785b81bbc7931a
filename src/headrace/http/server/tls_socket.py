"""TLS on a non-blocking socket that hands many records to the kernel with one system call.

`ssl.SSLSocket` makes a system call for each record of 16 KiB, and each wakes the receiver: more
than half of the processor time of a TLS delivery was the kernel's. Here OpenSSL encrypts a window
into memory, and one `send` takes it all. Measured for 2 MB bodies, one core, AES-256-GCM: 0.83 s
for a gigabyte with `SSLSocket`, 0.76 with TCP_CORK around it, 0.70 with windows of 64 KiB in
memory, 0.62 with 256 KiB, 0.60 with 512.

Every call of OpenSSL must leave the memory that it writes to empty: see `tls_memory`.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
from collections.abc import Callable
from pathlib import Path

from headrace.http.server.tls_context import ClientCertificate, shown_by
from headrace.http.server.tls_handshake import HandshakingSide
from headrace.http.server.tls_memory import RECORD_BYTES, TlsBroken
from headrace.http.server.tls_records import HEADER_BYTES
from headrace.http.server.tls_ring import MOST_HEAD_BYTES, Ring
from headrace.reasons import Reason

JOINED_BYTES = 32 * 1024
FIRST_WINDOW_BYTES = 64 * 1024
WINDOW_BYTES = 512 * 1024
RING_WINDOW_BYTES = 256 * 1024  # a connection that sends so large ones does well with the ring
# In OpenSSL since 3.0; Python's module names it from 3.12 on.
OP_ENABLE_KTLS = getattr(ssl, "OP_ENABLE_KTLS", 1 << 3)
_PROTOCOLS = Path("/proc/sys/net/ipv4/tcp_available_ulp")


def kernel_offers_tls() -> bool:
    """Return whether the kernel has its TLS module loaded."""
    try:
        return "tls" in _PROTOCOLS.read_text(encoding="ascii").split()
    except OSError:
        return False


class TlsSocket(HandshakingSide):
    """The server's side of a TLS connection, with the methods of `SSLSocket` that are used here.

    A window that the socket does not take whole is kept until it does; the next one is smaller, so
    a slow client holds little memory.
    """

    __slots__ = ("_end_said", "_ring", "_taken", "_window")

    def __init__(
        self,
        sock: socket.SocketType,
        context: ssl.SSLContext,
        outgoing: ssl.MemoryBIO,
        ring: Ring | None = None,
    ) -> None:
        """Take over `sock`, which does not block. `ring` is for windows, where there is one."""
        super().__init__(sock, context, outgoing)
        # Until OpenSSL writes there: a connection that only asks for little costs less without.
        self._ring = ring
        self._taken = 0  # plain bytes that the encrypted window holds, not yet reported
        self._window = FIRST_WINDOW_BYTES
        self._end_said = False

    def fileno(self) -> int:
        """Return the socket's descriptor."""
        return self._sock.fileno()

    def setsockopt(self, level: int, option: int, value: int | bytes) -> None:
        """Set an option of the socket. Raises OSError."""
        self._sock.setsockopt(level, option, value)

    def shutdown(self, how: int) -> None:
        """Shut the socket down in one direction or both. Raises OSError."""
        self._sock.shutdown(how)

    def close(self) -> None:
        """Close the socket."""
        self._sock.close()

    @property
    def context(self) -> ssl.SSLContext:
        """The context of the certificate that the client is shown."""
        return self._tls.context

    def version(self) -> str | None:
        """Return the TLS version in use, None before the handshake."""
        return self._tls.version()

    def client_certificate(self) -> ClientCertificate | None:
        """Return the certificate that the client had to show; None where it had not."""
        return shown_by(self._tls)

    @property
    def session_reused(self) -> bool | None:
        """Whether the client brought a ticket that was taken."""
        return self._tls.session_reused

    @property
    def has_input(self) -> bool:
        """Whether something has come that `recv` would look at before it asks the socket."""
        return bool(self._later or self._incoming.pending or self._tls.pending())

    @property
    def unreported(self) -> bool:
        """Whether bytes are on their way that `send` has not reported yet."""
        return self._taken > 0

    @property
    def unsent_bytes(self) -> int:
        """Encrypted bytes that the kernel has not taken."""
        return 0 if self._pending is None else len(self._pending)

    @property
    def unreported_bytes(self) -> int:
        """Of the bytes that `send` has not reported yet, about how many the kernel has."""
        return max(0, self._taken - self.unsent_bytes)

    def recv(self, size_bytes: int) -> bytes:
        """Return all that has come, decrypted, for epoll reports it once; b"" at the stream's end.

        Raises SSLWantReadError, OSError.
        """
        tls, incoming, outgoing = self._tls, self._incoming, self._outgoing
        found, pieces = b"", 0
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
        while True:
            try:
                try:
                    piece = tls.read(size_bytes)
                finally:
                    if outgoing.pending:
                        self._keep_written()
            except ssl.SSLWantReadError:
                self._count_silent(pieces)
                self.send_answers()
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
                return self._last(found)
            except ssl.SSLError:
                self.send_answers()
                raise
            found = found + piece if found else piece
            if not piece:
                return self._last(found)
            if not tls.pending():
                pieces += 1
                if not incoming.pending:
                    if self._fed > pieces:  # fewer: what came with the handshake's end
                        self._count_silent(pieces)
                        self.send_answers()
                    self._fed = pieces = 0
                    if not self._later:
                        return found
                    self._feed(self._later)

    def _last(self, found: bytes) -> bytes:
        """Return what came before the client said its end, which is to be an event of its own: the
        client may keep its socket open until it has the answer.
        """
        if found:
            with contextlib.suppress(OSError):
                self._sock.shutdown(socket.SHUT_RD)
        return found

    def send(self, data: bytes | memoryview, head: bytes = b"", *, last: bool = False) -> int:
        """Encrypt and send a window of `data`, behind `head`; return how many bytes of both the
        kernel has. `last`: nothing follows, which is said in the same call if the data is small.

        Raises SSLWantWriteError when the socket is full: call again with the same data, or more.
        What of them is on its way already will be counted then.
        """
        answers = self._pending
        if answers is not None and (self._taken or len(data) > JOINED_BYTES):
            self._flush()
            answers = None
        if self._taken:
            taken, self._taken = self._taken, 0
            return taken
        if len(head) > MOST_HEAD_BYTES:
            data, head = head, b""
        if len(data) > RECORD_BYTES:
            if len(data) > self._window:
                data = memoryview(data)[: self._window]
            if self._ring is not None and len(data) >= RING_WINDOW_BYTES:
                self._turn_to_ring(self._ring)
        tls, outgoing = self._tls, self._outgoing
        encrypted: bytes | memoryview | None = None
        try:
            taken = tls.write(head) + tls.write(data) if head else tls.write(data)
            if last and len(data) <= RECORD_BYTES:  # else only the first of it may be in `taken`
                self._say_end()
            encrypted = outgoing.read()
        except MemoryError:
            self._forget_written()
            raise TlsBroken(Reason.NO_MEMORY.word) from None
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError) as error:
            # OpenSSL waits for the rest of a message that the client sent in parts. No client sends
            # so short ones in parts; waiting here would be for ever.
            raise TlsBroken(Reason.UNFINISHED_MESSAGE.word) from error
        finally:
            if encrypted is None and outgoing.pending:
                self._keep_written()
        if answers is not None:  # of OpenSSL's own: before a small answer they need no call
            encrypted = b"".join((answers, encrypted))
            self._pending = None
            self._answered = 0
        try:
            sent = self._sock.send(encrypted)
        except BlockingIOError:
            sent = 0
        if sent < len(encrypted):
            # A copy of the rest: the ring is for the next, and a view of bytes would keep them all.
            try:
                self._pending = memoryview(bytes(encrypted[sent:]))
            except MemoryError:
                raise TlsBroken(Reason.NO_MEMORY.word) from None
            self._taken = taken
            self._window = min(max(RECORD_BYTES, sent), WINDOW_BYTES)  # records and head count
            raise ssl.SSLWantWriteError(ssl.SSL_ERROR_WANT_WRITE, "the socket is full")
        if len(data) == self._window < WINDOW_BYTES:
            self._window = min(2 * self._window, WINDOW_BYTES)
        return taken

    def _turn_to_ring(self, ring: Ring) -> None:
        """Have OpenSSL write to the ring from now on; nothing may wait in the other memory."""
        ring.attach(self._tls)
        self._outgoing, self._ring = ring, None

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
        if not self._taken:  # else `send` only reports what is on its way already
            memory = memory[: min(size_bytes, self._window)]
            read(memory)  # all of it, or raises: what it held before is others'
        return self.send(memory, head)

    def discard(self, size_bytes: int) -> bytes:
        """Return what comes after the end was said, not decrypted: it is waited out.

        Raises OSError.
        """
        return self._sock.recv(size_bytes)

    def unwrap(self) -> None:
        """Say that nothing more will come (close_notify), as far as the socket takes it."""
        if not self._end_said:
            try:
                self._say_end()
            finally:
                if self._outgoing.pending:
                    self._keep_written()
        if self._pending is not None:
            with contextlib.suppress(ssl.SSLWantWriteError):
                self._flush()

    def _say_end(self) -> None:
        """Have OpenSSL write that nothing more will come, into the memory that all share."""
        self._end_said = True
        try:
            self._tls.shutdown()
        except ssl.SSLError:
            return  # as it does until the client has said its own end


ClientSocket = socket.SocketType | TlsSocket
TLS_SOCKETS = (ssl.SSLSocket, TlsSocket)
