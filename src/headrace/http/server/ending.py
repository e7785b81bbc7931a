"""How a client connection ends: by a time limit, by a drain, at once, or after listening a while.

RFC 9112 section 9.6: whoever closes while the other side still sends makes the kernel reset the
connection, and what was sent last is lost. So where more may be coming, the end is said first, and
what comes is read and forgotten for a moment.
"""

from __future__ import annotations

import contextlib
import socket
import ssl

from headrace.http.parser import BadRequest
from headrace.http.server.context import ServerContext
from headrace.http.server.responding import RespondingSide
from headrace.http.server.sending import State
from headrace.http.server.tls_socket import TLS_SOCKETS, ClientSocket, TlsSocket
from headrace.reasons import Reason

LINGER_S = 2.0
LINGER_BYTES = 256 * 1024
FIRST_REQUEST_AT_END_S = 1.0


class EndingSide(RespondingSide):
    """Time limits, and the ways to close. `Connection` builds on it."""

    __slots__ = ("_linger_left", "address", "connection_requests")

    def __init__(
        self, server: ServerContext, sock: ClientSocket, address: str, *, tls: bool
    ) -> None:
        super().__init__(server, sock, tls=tls)
        self.address = address
        self.connection_requests = 0
        self._linger_left = 0

    def refuse(self, error: BadRequest) -> None:
        """Answer a request that cannot be understood, and close."""
        raise NotImplementedError

    def on_deadline(self, now: float) -> None:
        """End what took too long, by what was waited for."""
        timeouts = self._server.timeouts
        match self.state:
            case State.RESPONDING:
                self._check_progress(now)
            case State.IDLE:
                waited_for = Reason.IDLE if self.connection_requests else Reason.REQUEST_HEAD
                self._server.timed_out(waited_for.word)
                self._close()
            case State.HEAD:
                self._server.timed_out(Reason.REQUEST_HEAD.word)
                self.refuse(BadRequest(408, f"no whole request within {timeouts.head_s:g} s"))
            case State.HANDSHAKE:
                self._server.timed_out(Reason.TLS_HANDSHAKE.word)
                self._close(clean=False)
            case State.LINGERING:
                self._close()
            case State.CLOSED:
                pass

    def _check_progress(self, now: float) -> None:
        if self._body_waiter is not None:
            too_slow = self._received_too_little(now)
        else:
            too_slow = self._sent_too_little(now)
        if too_slow:
            self._server.timed_out(Reason.SLOW_CLIENT.word)
            self.abort(Reason.SLOW_CLIENT.word)

    def drain(self) -> None:
        """End now if idle, else after the present response: the server is closing.

        A request that has arrived is answered, for closing would reset it; a client that has only
        just connected gets a moment to send its first.
        """
        self.keep_alive = False
        if self._is_idle():
            self._on_readable()
        if not self._is_idle():
            return
        if self.connection_requests:
            self._close()
            return
        self.deadline = min(self.deadline, self._server.monotonic() + FIRST_REQUEST_AT_END_S)
        self._server.timer_wheel.watch(self)

    def _is_idle(self) -> bool:
        return self.state is State.IDLE and not self._buffer

    def _linger(self) -> None:
        """Close so that the client gets all of it even if it still sends (RFC 9112 9.6)."""
        self.state = State.LINGERING
        if self._end_of_input:
            self._close()
            return
        try:
            if self.tls and isinstance(self._sock, TLS_SOCKETS):
                with contextlib.suppress(ssl.SSLError):
                    self._sock.unwrap()
                if not isinstance(self._sock, TlsSocket) or self._sock.unsent_bytes:
                    self._close(clean=False)
                    return
            self._sock.shutdown(socket.SHUT_WR)
        except (OSError, ValueError):
            self._close(clean=False)
            return
        self._buffer = b""
        self._linger_left = LINGER_BYTES
        self.deadline = self._server.monotonic() + LINGER_S
        self._server.timer_wheel.watch(self)
        self._continue_reading()

    def _close(self, *, clean: bool = True) -> None:
        if self.state is State.CLOSED:
            return
        if self.state is State.HANDSHAKE:
            self._server.handshake_ended(self.address)
        self.state = State.CLOSED
        self._server.timer_wheel.forget(self)
        loop = self._server.loop
        if self._reading:
            loop.remove_reader(self._fd)
        if self._writing:
            loop.remove_writer(self._fd)
        # Who lingers has said the end already.
        if clean and not self._linger_left and isinstance(self._sock, TLS_SOCKETS):
            with contextlib.suppress(OSError, ValueError):
                self._sock.unwrap()
        self._sock.close()
        if self._out is not None:
            self._out.clear()
        # Woken, not failed: an exception that stays in a future holds every frame it has passed
        # through, and with these the body's file, until the garbage collector comes round.
        for waiter in (self._flush_waiter, self._body_waiter):
            if waiter is not None and not waiter.done():
                waiter.set_result(None)
        self._server.closed(self)
