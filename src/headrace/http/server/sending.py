"""The sending half of a client connection: a queue that is emptied as fast as the client reads.

Bytes go from the caller's views to the socket without a copy; what OpenSSL is to encrypt is read
from the file into a window that all connections share (see `outgoing` for why), and is not needed
any more when `send` returns. Pages that are not in memory are brought in by a thread first. It
knows no HTTP.
"""

from __future__ import annotations

import asyncio
import enum
import functools
import math
import os
import socket
import ssl
import time

from headrace.http.server.context import ServerContext
from headrace.http.server.progress import unacknowledged_bytes
from headrace.http.server.send_queue import (
    DAMAGE,
    BodyDamaged,
    Piece,
    Residency,
    SendQueue,
    read_body,
)
from headrace.http.server.tls_memory import TlsBroken
from headrace.http.server.tls_socket import WINDOW_BYTES as TLS_WINDOW_BYTES
from headrace.http.server.tls_socket import ClientSocket, TlsSocket
from headrace.reasons import Reason

WINDOW_BYTES = 1024 * 1024
TURN_BYTES = 4 * 1024 * 1024  # so much goes to one client before the others have their turn
SMALL_BYTES = 32 * 1024  # so little is best copied, and sent with the head in one call
FEW_CONNECTIONS = 64
"""With more, what is copied for one client is out of the processor's cache before it is sent."""


class State(enum.Enum):
    """Where a connection stands between its requests."""

    HANDSHAKE = "handshake"
    IDLE = "idle"  # between requests, nothing of the next has come
    HEAD = "head"  # part of a request head has come
    RESPONDING = "responding"  # a request is with the handler
    LINGERING = "lingering"  # all is sent; reading until the client has seen it
    CLOSED = "closed"


class SendingSide:
    """A socket with a queue of pieces. `Connection` builds on it."""

    __slots__ = (
        "_ended", "_fd", "_flush_waiter", "_loaded_now", "_loading", "_out", "_progress_mark",
        "_server", "_sock", "_writing", "bucket", "bytes_sent", "deadline", "first_byte", "state",
        "tls",
    )  # fmt: skip

    bucket: int
    deadline: float

    def __init__(self, server: ServerContext, sock: ClientSocket, *, tls: bool) -> None:
        self._server = server
        self._sock = sock
        self._fd = sock.fileno()
        self.tls = tls
        self.state = State.HANDSHAKE if tls else State.IDLE
        self.bytes_sent = 0
        self.first_byte = 0.0
        self._out: SendQueue | None = None
        self._flush_waiter: asyncio.Future[None] | None = None
        self._ended = self._loading = self._loaded_now = self._writing = False
        self._progress_mark = 0

    def abort(self, reason: str) -> None:
        """Break the connection."""
        raise NotImplementedError

    def on_deadline(self, now: float) -> None:
        """End, or set a later `deadline`: the time limit passed."""
        raise NotImplementedError

    def _ask_again(self) -> None:
        """Have the handler answer again: of the answer, which cannot be sent, nothing has been."""
        raise NotImplementedError

    def _complete(self) -> None:
        """Turn to what comes next: everything of a response is with the kernel."""
        raise NotImplementedError

    def _client_failed(self, error: OSError) -> None:
        """Break a connection whose socket is of no more use: the client left, or its TLS broke.

        An SSLWantReadError from `send` belongs here: to wait until the socket can be written to
        would be to wait in a circle.
        """
        if isinstance(error, TlsBroken):
            self._server.handler.event("tls_failed", error.reason)
        self.abort(Reason.CLIENT_GONE.word)

    def _broke(self, error: Exception) -> None:
        """End a connection at which our own code failed: it has no time limit while it is answered,
        and a socket that can be written to would be reported over and over.
        """
        self._server.loop.call_exception_handler(
            {"message": "a client connection failed", "exception": error}
        )
        self.abort(Reason.INTERNAL_ERROR.word)

    def _on_writable(self) -> None:
        try:
            self._pump()
        except Exception as error:  # noqa: BLE001 - nothing else would end it
            self._broke(error)

    def _sending_failed(self, error: OSError, residency: Residency | None) -> None:
        """Distinguish a broken body from a client that left."""
        if residency is not None and error.errno in DAMAGE:
            residency.damaged(f"a body file cannot be sent: {error.strerror}")
            self.abort(Reason.STORE_FAILED.word)
        else:
            self._client_failed(error)

    def _send_body(self, view: memoryview, residency: Residency | None, offset: int) -> int:
        """Send what the socket takes of a body's `view`, which is at `offset` of the body; 0 if its
        file has less. Not over TLS. Raises OSError.

        From the file where that may be: see `docs/why-it-is-fast.md` for what a copy costs.
        """
        if residency is not None:
            crowded = len(self._server.connections) > FEW_CONNECTIONS
            if residency.lend(crowded=crowded):
                return os.sendfile(self._fd, residency.fd, residency.offset + offset, len(view))
        return self._sock.send(view)

    def _queue_of(self) -> SendQueue:
        if self._out is None:
            self._out = SendQueue()
        return self._out

    def _count_sent(self, sent: int) -> None:
        if not self.bytes_sent:
            self.first_byte = time.monotonic()
        self.bytes_sent += sent

    def _send_first(self, data: bytes, *, last: bool = False) -> None:
        """Send a small response whole, at once if the socket takes it. `last`: the connection ends
        with it.
        """
        if self._out is not None and self._out.size_bytes:
            self._out.add(Piece(memoryview(data)))
            self._pump()
            return
        sock = self._sock
        try:
            if last and isinstance(sock, TlsSocket):
                sent = sock.send(data, last=True)
            else:
                sent = sock.send(data)
        except (BlockingIOError, ssl.SSLWantWriteError):
            sent = 0
        except OSError as error:
            self._client_failed(error)
            return
        if sent == len(data):
            self.bytes_sent += sent
            if self._ended:
                self._complete()
        else:
            self._count_sent(sent)
            self._queue_of().add(Piece(memoryview(data)[sent:]))
            self._await_writable()

    def _send_joined(
        self, head: bytes, body: memoryview, residency: Residency | None, offset: int
    ) -> None:
        """Send a head and the body behind it, with little ado where nothing stands in the way.

        Between large answers this code has left the processor's cache: each function less on the
        way to the first byte is worth more there than a profile of a busy server shows.
        """
        out = self._out
        if (out is not None and out.size_bytes) or (
            residency is not None and not residency.resident(offset, len(body))
        ):
            out = self._queue_of()
            out.add(Piece(memoryview(head)))
            out.add(Piece(body, residency, offset))
            self._pump()
            return
        try:
            sent = self._send_at_once(head, body, residency, offset)
        except (BlockingIOError, ssl.SSLWantWriteError):
            sent = 0
        except BodyDamaged as error:
            assert residency is not None
            residency.damaged(str(error))
            self._ask_again()  # nothing of the answer has been sent
            return
        except OSError as error:
            self._sending_failed(error, residency)
            return
        sent_of_body = sent - len(head)
        if sent_of_body == len(body):
            self.bytes_sent += sent  # and the first of them left when the last did
            if self._ended:
                self._complete()
            return
        if sent:
            self._count_sent(sent)
        out = self._queue_of()
        if sent_of_body < 0:
            out.add(Piece(memoryview(head)[sent:]))
            sent_of_body = 0
        out.add(Piece(body[sent_of_body:], residency, offset + sent_of_body))
        self._loaded_now = True  # the pages were there just now
        self._pump()

    def _send_at_once(
        self, head: bytes, body: memoryview, residency: Residency | None, offset: int
    ) -> int:
        """Try once; return what the kernel took, and raise only if that is nothing."""
        sock = self._sock
        if isinstance(sock, TlsSocket):
            if residency is not None:
                read = functools.partial(read_body, residency, offset)
                return sock.send_read(read, len(body), self._server.tls_window, head)
            return sock.send(body, head)
        if self.tls:
            return sock.send(head)
        if len(body) <= SMALL_BYTES:
            return sock.sendmsg((head, body))
        sent = sock.send(head, socket.MSG_MORE)
        if sent < len(head):
            return sent
        try:
            return sent + self._send_body(body[:WINDOW_BYTES], residency, offset)
        except BlockingIOError:
            return sent
        except OSError as error:
            if error.errno in DAMAGE:
                return sent  # the next attempt says so again, and then all can be reported
            raise

    def _encrypt_and_send(
        self, sock: ClientSocket, view: memoryview, residency: Residency, offset: int
    ) -> int:
        """Send what is next of a body's `view`, which begins at `offset`, read from its file into
        memory that all connections share. Raises BodyDamaged.
        """
        memory = self._server.tls_window
        if isinstance(sock, TlsSocket):
            read = functools.partial(read_body, residency, offset)
            return sock.send_read(read, len(view), memory)
        window = memory[: min(len(view), len(memory))]
        read_body(residency, offset, window)
        return sock.send(window)

    def _pump(self) -> None:
        """Send until the queue is empty, the socket is full, or pages must come from disk."""
        out = self._out
        if out is None or self._loading or self.state is not State.RESPONDING:
            return
        sock = self._sock
        tls = self.tls
        window_bytes = TLS_WINDOW_BYTES if tls else WINDOW_BYTES
        left_bytes = TURN_BYTES
        while out.size_bytes:
            if left_bytes <= 0:
                self._await_writable()  # it is: the others come first
                return
            view, piece, start, more = out.window(window_bytes)
            residency = piece.residency
            if residency is not None and not self._loaded_now:
                at = piece.offset + start
                if not residency.resident(at, len(view)):
                    self._load(residency, at, len(view))
                    return
            self._loaded_now = False
            try:
                if tls and residency is not None:
                    sent = self._encrypt_and_send(sock, view, residency, piece.offset + start)
                elif more and len(view) < 16384 and isinstance(sock, socket.SocketType) and not tls:
                    sent = sock.send(view, socket.MSG_MORE)
                elif residency is not None and not tls:
                    sent = self._send_body(view, residency, piece.offset + start)
                    if not sent:
                        raise BodyDamaged("a body file is shorter than it was")
                else:
                    sent = sock.send(view)
            except (BlockingIOError, ssl.SSLWantWriteError):
                self._await_writable()
                return
            except BodyDamaged as error:
                assert residency is not None
                residency.damaged(str(error))
                self.abort(Reason.STORE_FAILED.word)
                return
            except OSError as error:
                self._sending_failed(error, residency)
                return
            self._count_sent(sent)
            out.advance(sent)
            left_bytes -= sent
        self._sent_all()

    def _sent_all(self) -> None:
        if self._writing:
            self._writing = False
            self._server.loop.remove_writer(self._fd)
        if self._flush_waiter is not None and not self._flush_waiter.done():
            self._flush_waiter.set_result(None)
        self.deadline = math.inf
        if self._ended:
            self._complete()

    def _await_writable(self) -> None:
        if not self._writing:
            self._writing = True
            self._server.loop.add_writer(self._fd, self._on_writable)
            self._watch_progress(self.bytes_sent)

    def _load(self, residency: Residency, offset: int, size_bytes: int) -> None:
        """Have a thread bring the pages in, so that touching them cannot block the loop."""
        self._loading = True
        if self._writing:
            self._writing = False
            self._server.loop.remove_writer(self._fd)
        self._server.handler.event("cold_read", "disk")
        job = self._server.loop.run_in_executor(
            self._server.disk_threads, residency.load, offset, size_bytes
        )
        job.add_done_callback(functools.partial(self._loaded, residency))

    def _loaded(self, residency: Residency, job: asyncio.Future[None]) -> None:
        self._loading = False
        if job.cancelled() or job.exception() is not None:
            failure = None if job.cancelled() else job.exception()
            if isinstance(failure, OSError) and failure.errno in DAMAGE:
                residency.damaged("a body file cannot be brought into memory")
            self.abort(Reason.STORE_FAILED.word)
        else:
            # Sent without another check: under memory pressure the pages may be gone again, and
            # checking for ever would send nothing.
            self._loaded_now = True
            self._on_writable()

    def _watch_progress(self, mark: int) -> None:
        self._progress_mark = mark
        self.deadline = self._server.monotonic() + self._server.timeouts.rate_window_s
        self._server.timer_wheel.watch(self)

    def _sent_too_little(self, now: float) -> bool:
        """Return whether the client has taken less than the minimum rate since the last check."""
        out = self._out
        if out is None or not out.size_bytes or self._loading:
            self.deadline = math.inf
            return False
        timeouts = self._server.timeouts
        # What waits in the kernel's buffer has not reached the client.
        reached = self.bytes_sent - unacknowledged_bytes(self._sock.fileno())
        if isinstance(self._sock, TlsSocket):
            reached += self._sock.unreported_bytes
        progress = reached - self._progress_mark
        self._progress_mark = reached
        self.deadline = now + timeouts.rate_window_s
        return progress < timeouts.min_rate_bytes_per_s * timeouts.rate_window_s
