"""The server's side of a TLS handshake: the hello is read first, then OpenSSL does the rest.

So a connection begins with the context of the certificate that it asks for (see `client_hello`).
"""

from __future__ import annotations

import contextlib
import socket
import ssl
from functools import cache

from headrace.http.server.client_hello import (
    HELLO_BYTES,
    ClientHello,
    HelloRecords,
    NotAHello,
    parse_hello,
    whole_hello,
)
from headrace.http.server.tls_context import PROTOCOLS, CertificateContext
from headrace.http.server.tls_memory import RECORD_BYTES, TlsBroken, TlsMemory
from headrace.http.server.tls_native import serving
from headrace.reasons import Reason

HANDSHAKE_BYTES = 256 * 1024
SPOKEN = frozenset(name.encode() for name in PROTOCOLS)
NO_APPLICATION_PROTOCOL = b"\x15\x03\x03\x00\x02\x02\x78"  # a fatal alert (RFC 7301 section 3.2)


class HandshakingSide(TlsMemory):
    """A connection that shakes hands. `TlsSocket` builds on it."""

    __slots__ = ("_greeted", "_hello", "_shaking_bytes", "_ticket_key")

    def __init__(
        self, sock: socket.SocketType, context: ssl.SSLContext, outgoing: ssl.MemoryBIO
    ) -> None:
        super().__init__(sock, context, outgoing)
        self._greeted = not isinstance(context, CertificateContext)  # and its hello is read
        self._hello: HelloRecords | None = None  # of one that comes in parts, until it is whole
        self._shaking_bytes = 0
        # The key that sealed the client's ticket, if it is not the one that seals now.
        self._ticket_key: bytes | None = None

    def do_handshake(self) -> None:
        """Continue the handshake, as far as one reading of the socket brings it.

        What OpenSSL says at its end (tickets) may wait, to go out with the first answer or by
        `send_answers`. Raises SSLWantReadError, SSLWantWriteError, OSError.
        """
        if self._pending is not None:
            self._flush()
        if self._greeted:
            self._fill()  # nothing is new to OpenSSL before: it would only say so
        else:
            self._greet()
        while True:
            try:
                if self._ticket_key is None:
                    self._use(self._tls.do_handshake)
                else:
                    self._use(self._open_ticket)
            except ssl.SSLWantReadError:
                self._flush()
                if not self._later:
                    raise  # what the client says to this cannot have come yet
                self._fill()
            except ssl.SSLError:
                with contextlib.suppress(OSError):
                    self._flush()  # the alert, so that the client learns why
                raise
            else:
                self._fed = 0
                return

    def _greet(self) -> None:
        """Read the client's hello, and begin with the context that it asks for.

        What is not read here is not served, whatever OpenSSL would read in it.
        Raises SSLWantReadError, TlsBroken, OSError.
        """
        begun, received = self._hello, b""
        while begun is None or len(begun.received) <= 2 * HELLO_BYTES:
            try:
                received = self._sock.recv(RECORD_BYTES)
            except BlockingIOError:
                raise ssl.SSLWantReadError(ssl.SSL_ERROR_WANT_READ, "no whole hello") from None
            if not received:
                break
            try:
                body = whole_hello(received) if begun is None else None
                if body is None:
                    if begun is None:
                        begun = self._hello = HelloRecords()
                    body = begun.take(received)
                if body is not None:
                    self._turn_to(parse_hello(body))
                    break
            except NotAHello:
                self._begin_with(_refusing())
                break
        else:
            self._begin_with(_refusing())
        self._greeted, self._hello = True, None
        if begun is not None:
            received = bytes(begun.received)
            self._feed(received)
        elif received:
            self._incoming.write(received)  # one whole record, as nearly all are
        self._shaking_bytes = len(received)

    def _open_ticket(self) -> None:
        """Take the handshake's first step, in which OpenSSL opens the client's ticket."""
        name, self._ticket_key = self._ticket_key, None
        context = self._tls.context
        assert name is not None
        assert isinstance(context, CertificateContext)
        context.opening(name, self._tls.do_handshake)

    def _turn_to(self, hello: ClientHello) -> None:
        if hello.protocols is not None and not SPOKEN.intersection(hello.protocols):
            with contextlib.suppress(OSError):
                self._sock.send(NO_APPLICATION_PROTOCOL)
            raise TlsBroken(Reason.NO_APPLICATION_PROTOCOL.word)
        default = self._tls.context
        assert isinstance(default, CertificateContext)
        context = default.context_for(hello.server_name)
        if context is not default:
            self._begin_with(context)
        if context.has_other_key(hello.ticket_key):
            self._ticket_key = hello.ticket_key

    def _begin_with(self, context: ssl.SSLContext) -> None:
        assert isinstance(self._outgoing, ssl.MemoryBIO)  # the ring comes after the handshake
        self._tls = serving(context, self._incoming, self._outgoing)

    def _fill(self) -> None:
        """Feed OpenSSL more of the handshake. Raises SSLWantReadError, TlsBroken, OSError."""
        if self._later:
            self._feed(self._later)
            return
        if self._shaking_bytes > HANDSHAKE_BYTES:
            raise TlsBroken(Reason.LONG_HANDSHAKE.word)
        try:
            self._shaking_bytes += self._take(RECORD_BYTES)
        except BlockingIOError:
            raise ssl.SSLWantReadError(ssl.SSL_ERROR_WANT_READ, "nothing has come") from None


@cache
def _refusing() -> ssl.SSLContext:
    """Return a context without a certificate, with which no handshake succeeds: OpenSSL only says
    what is wrong.
    """
    return ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
