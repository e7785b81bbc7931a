"""One small request over a socket of its own, or one kept from before: for probes and reports.

Everything happens in callbacks of the event loop, without a task, for there may be a thousand each
second. The other side may be anything: what it can take is bounded in time, bytes and calls.
"""

from __future__ import annotations

import asyncio
import enum
import errno
import os
import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass

from headrace.feedback.observation import Outcome
from headrace.feedback.observe.small_response import SmallResponse

READ_BYTES = 16 * 1024
MOST_READS = 1024
READS_AT_ONCE = 8
LATE_S = 0.1
"""A time limit that is noticed so late passed while this process did not run."""

_OWN_FAULTS = frozenset(
    (
        errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM, errno.ENETUNREACH, errno.ENETDOWN,
        errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT, errno.EACCES, errno.EPERM,
    )
)  # fmt: skip
_GONE = frozenset((errno.ECONNRESET, errno.EPIPE, errno.ECONNABORTED))


@dataclass(frozen=True, slots=True)
class Place:
    """Where a request goes. `name` is what TLS asks for and checks (None: without TLS)."""

    address: str
    port: int
    tls: ssl.SSLContext | None = None
    name: str | None = None


@dataclass(frozen=True, slots=True)
class Result:
    """How it ended. `outcome` None: it could not be carried out, by a fault of this machine.

    `timed_out`: its time passed, or seemed to. `status` is 0 where no head came; the times are from
    the beginning to the first byte of the response and to the last (None: it did not come so far).
    """

    outcome: Outcome | None
    status: int = 0
    first_byte_s: float | None = None
    total_s: float | None = None
    timed_out: bool = False


class _State(enum.Enum):
    CONNECTING = 0
    HANDSHAKE = 1
    RESPONSE = 2
    ENDED = 3


class IdleSockets:
    """Connections kept for the next request, one for each place."""

    def __init__(self) -> None:
        self._sockets: dict[Place, socket.socket] = {}

    def take(self, place: Place) -> socket.socket | None:
        """Return the connection of a place, which is the taker's from now on."""
        return self._sockets.pop(place, None)

    def keep(self, place: Place, sock: socket.socket) -> None:
        """Keep a connection."""
        known = self._sockets.pop(place, None)
        if known is not None:
            known.close()
        self._sockets[place] = sock

    def keep_only(self, places: set[Place]) -> None:
        """Close the connections to all other places."""
        for place in self._sockets.keys() - places:
            self._sockets.pop(place).close()

    def close(self) -> None:
        """Close all."""
        self.keep_only(set())


class SmallRequest:
    """One request. `consume` takes the pieces of the body of a response of 200, `ended` the
    result, once; neither is called after `cancel`.
    """

    __slots__ = (
        "_consume", "_deadline_s", "_ended", "_fd", "_first_byte_s", "_idle", "_largest_bytes",
        "_loop", "_reads", "_response", "_reused", "_sock", "_state", "_timer", "_to_send",
        "_unread_tls", "_writing", "began_s", "place", "request",
    )  # fmt: skip

    def __init__(
        self,
        place: Place,
        request: bytes,
        consume: Callable[[bytes], object],
        ended: Callable[[Result], None],
        *,
        largest_bytes: int,
        idle: IdleSockets | None = None,
    ) -> None:
        self.place = place
        self.request = request
        self.began_s = 0.0
        self._consume = consume
        self._ended = ended
        self._largest_bytes = largest_bytes
        self._idle = idle
        self._loop = asyncio.get_running_loop()
        self._sock: socket.socket | ssl.SSLSocket | None = None
        self._fd = -1
        self._timer: asyncio.TimerHandle | None = None
        self._deadline_s = 0.0
        self._reads = 0
        self._reused = False
        self._reset()

    def _reset(self) -> None:
        self._state = _State.CONNECTING
        self._to_send = b""
        self._first_byte_s: float | None = None
        self._response = SmallResponse(self._consume, self._largest_bytes)
        self._writing = False
        self._unread_tls = False

    def start(self, timeout_s: float) -> None:
        """Begin. `ended` may be called before this returns."""
        self.began_s = self._loop.time()
        self._deadline_s = self.began_s + timeout_s
        self._timer = self._loop.call_later(timeout_s, self._timed_out)
        kept = None if self._idle is None else self._idle.take(self.place)
        if kept is None:
            self._connect()
            return
        self._reused = True
        self._sock, self._fd = kept, kept.fileno()
        self._loop.add_reader(self._fd, self._readable)
        self._send_request()

    def cancel(self) -> None:
        """Break off."""
        self._release(keep=False)

    # Connecting.

    def _connect(self) -> None:
        place = self.place
        family = socket.AF_INET6 if ":" in place.address else socket.AF_INET
        try:
            sock = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        except OSError as error:
            self._failed(error)
            return
        self._sock, self._fd = sock, sock.fileno()
        try:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            code = sock.connect_ex((place.address, place.port))
        except OSError as error:
            self._failed(error)
            return
        if code not in (0, errno.EINPROGRESS):
            self._failed(OSError(code, os.strerror(code)))
            return
        self._writing = True
        self._loop.add_writer(self._fd, self._writable)

    def _writable(self) -> None:
        sock, state = self._sock, self._state
        assert sock is not None
        if state is _State.CONNECTING:
            code = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            if code:
                self._failed(OSError(code, os.strerror(code)))
                return
            self._connected(sock)
        elif state is _State.HANDSHAKE:
            self._shake_hands()
        else:
            self._send()

    def _connected(self, sock: socket.socket) -> None:
        place = self.place
        if place.tls is None:
            self._send_request()
            if self._state is not _State.ENDED:
                self._loop.add_reader(self._fd, self._readable)
            return
        self._state = _State.HANDSHAKE
        self._watch_writing(wanted=False)
        try:
            self._sock = place.tls.wrap_socket(
                sock, do_handshake_on_connect=False, server_hostname=place.name
            )
        except (OSError, ValueError) as error:
            self._failed(error)
            return
        self._fd = self._sock.fileno()
        self._loop.add_reader(self._fd, self._readable)
        self._shake_hands()

    def _shake_hands(self) -> bool:
        """Continue the handshake; return whether it is done and the request on its way."""
        sock = self._sock
        assert isinstance(sock, ssl.SSLSocket)
        try:
            sock.do_handshake()
        except ssl.SSLWantReadError:
            self._watch_writing(wanted=False)
            return False
        except ssl.SSLWantWriteError:
            self._watch_writing(wanted=True)
            return False
        except (OSError, ValueError) as error:
            self._failed(error)
            return False
        self._send_request()
        return True

    # Sending.

    def _send_request(self) -> None:
        self._state = _State.RESPONSE
        self._to_send = self.request
        self._send()

    def _send(self) -> None:
        sock = self._sock
        assert sock is not None
        try:
            sent = sock.send(self._to_send)
        except (BlockingIOError, ssl.SSLWantWriteError, ssl.SSLWantReadError):
            sent = 0
        except (OSError, ValueError) as error:
            self._failed(error)
            return
        self._to_send = self._to_send[sent:]
        self._watch_writing(wanted=bool(self._to_send))

    def _watch_writing(self, *, wanted: bool) -> None:
        if wanted == self._writing:
            return
        self._writing = wanted
        if wanted:
            self._loop.add_writer(self._fd, self._writable)
        else:
            self._loop.remove_writer(self._fd)

    # Receiving.

    def _readable(self) -> None:
        if self._state is _State.HANDSHAKE and not self._shake_hands():
            return
        secure = self.place.tls is not None
        for _ in range(READS_AT_ONCE):
            sock = self._sock
            if sock is None:
                return
            try:
                data = sock.recv(READ_BYTES)
            except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
                return
            except (OSError, ValueError) as error:
                self._failed(error)
                return
            self._reads += 1
            if self._reads > MOST_READS:
                self._end(Outcome.MALFORMED)
            elif not data:
                self._end_of_input()
            else:
                self._received(data)
            if self._state is _State.ENDED or (not secure and len(data) < READ_BYTES):
                return
        if secure and not self._unread_tls:  # more may be inside OpenSSL, where epoll sees nothing
            self._unread_tls = True
            self._loop.call_soon(self._read_on)

    def _read_on(self) -> None:
        self._unread_tls = False
        if self._state is not _State.ENDED:
            self._readable()

    def _received(self, data: bytes) -> None:
        if self._first_byte_s is None:
            self._first_byte_s = self._loop.time() - self.began_s
        outcome = self._response.feed(data)
        if outcome is not None:
            self._end(outcome)

    def _end_of_input(self) -> None:
        if not self._again():
            self._end(self._response.end_of_input())

    def _again(self) -> bool:
        """Connect again where a kept connection was closed before anything came."""
        if not self._reused or self._first_byte_s is not None:
            return False
        self._reused = False
        self._close_socket(keep=False)
        self._reset()
        self._connect()
        return True

    # The end.

    def _timed_out(self) -> None:
        late_s = self._loop.time() - self._deadline_s
        self._end(Outcome.TIMEOUT if late_s < LATE_S else None, timed_out=True)

    def _failed(self, error: Exception) -> None:
        if self._again():
            return
        self._end(_outcome_of(error, self._state))

    def _end(self, outcome: Outcome | None, *, timed_out: bool = False) -> None:
        if self._state is _State.ENDED:
            return
        total_s = self._loop.time() - self.began_s if outcome is Outcome.OK else None
        ended = self._ended
        self._release(keep=outcome is Outcome.OK and self._response.keeps)
        ended(Result(outcome, self._response.status, self._first_byte_s, total_s, timed_out))

    def _release(self, *, keep: bool) -> None:
        self._state = _State.ENDED
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._close_socket(keep=keep)

    def _close_socket(self, *, keep: bool) -> None:
        sock, self._sock = self._sock, None
        if sock is None:
            return
        if self._fd >= 0:
            self._loop.remove_reader(self._fd)
            self._loop.remove_writer(self._fd)
        self._writing = False
        self._fd = -1
        if keep and self._idle is not None:
            self._idle.keep(self.place, sock)
        else:
            sock.close()


def _outcome_of(error: Exception, state: _State) -> Outcome | None:
    if isinstance(error, ssl.SSLError) or (
        state is _State.HANDSHAKE and not isinstance(error, TimeoutError)
    ):
        return Outcome.TLS
    code = error.errno if isinstance(error, OSError) else None
    if code in _OWN_FAULTS:
        return None
    if state is _State.CONNECTING:
        if code == errno.ECONNREFUSED:
            return Outcome.REFUSED
        if code == errno.ETIMEDOUT:
            return Outcome.TIMEOUT
        return Outcome.CUT if code in _GONE else Outcome.UNREACHABLE
    return Outcome.CUT
