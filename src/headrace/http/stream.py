"""Awaitable reads and writes on raw non-blocking sockets, plain or TLS, with time limits.

It exists because uvloop's transports copy what they carry, and its socket calls know no TLS: here
bytes go straight between the caller's buffer and the kernel (or OpenSSL). It knows no HTTP.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import socket
import ssl
import weakref
from collections.abc import Callable
from typing import Final

from headrace.errors import HeadraceError, release_frames

WANT_READ: Final = (BlockingIOError, ssl.SSLWantReadError)
WANT_WRITE: Final = ssl.SSLWantWriteError
MOST_RECORDS = 64
"""Of TLS, read at a time, where there is room: a megabyte if they are full."""


class StreamTimeout(HeadraceError):
    """A read, write or handshake took longer than its limit."""


class SocketStream:
    """One connected socket. Not safe for two readers or two writers at once.

    The loop watches it for reading from the first wait on, and one timer serves all waits: on a
    connection that is kept alive, an exchange costs no system call for watching, and no timer.
    """

    __slots__ = (
        "__weakref__", "_behind", "_fd", "_loop", "_read_by", "_read_waiter", "_timed_at", "_timer",
        "_tls", "_watched", "_write_waiter", "closed", "sock",
    )  # fmt: skip

    def __init__(self, sock: socket.socket, loop: asyncio.AbstractEventLoop) -> None:
        self.sock = sock
        self.closed = False
        self._fd = sock.fileno()
        self._loop = loop
        self._tls = isinstance(sock, ssl.SSLSocket)
        self._behind: OSError | int | None = None
        self._read_waiter: asyncio.Future[bool] | _Then | None = None
        self._write_waiter: asyncio.Future[bool] | None = None
        self._watched = False
        self._read_by = self._timed_at = 0.0
        self._timer: asyncio.TimerHandle | None = None

    async def recv_into(self, buffer: memoryview, timeout_s: float) -> int:
        """Read at least one byte into `buffer`; 0 at the end of the stream.

        Raises StreamTimeout after `timeout_s` without a byte, however often the other side sends
        what is none (of TLS: tickets, parts of records); OSError when the connection breaks.
        """
        by: float | None = None
        while True:
            try:
                return self._recv(buffer)
            except WANT_READ:
                by = await self._readable(timeout_s, by)
            except WANT_WRITE:
                by = await self._writable(timeout_s, by)
            except ssl.SSLZeroReturnError:
                return 0
            except ssl.SSLError as error:
                raise _as_reset(error) from error

    def _recv(self, buffer: memoryview) -> int:
        """Read once; over TLS, where that brings one record of 16 KiB at most, as much as is there.
        An end or an error behind it is for the next read: a socket tells errors once.
        """
        if not self._tls:
            return self.sock.recv_into(buffer)
        behind, self._behind = self._behind, None
        if isinstance(behind, OSError):
            raise behind
        received = self.sock.recv_into(buffer) if behind is None else 0
        if not received:
            return 0
        for _ in range(MOST_RECORDS - 1):  # they may be of a byte each
            if received == len(buffer):
                break
            try:
                more = self.sock.recv_into(buffer[received:])
            except (*WANT_READ, WANT_WRITE):
                break
            except OSError as error:
                release_frames(error)
                self._behind = error
                break
            if not more:
                self._behind = 0
                break
            received += more
        return received

    async def send_all(self, data: bytes | memoryview, timeout_s: float) -> None:
        """Send everything; `timeout_s` bounds the time without any progress, not the whole."""
        view = memoryview(data)
        by: float | None = None
        while view:
            try:
                sent = self.sock.send(view)
            except ssl.SSLWantReadError:
                by = await self._readable(timeout_s, by)
            except (BlockingIOError, WANT_WRITE):
                by = await self._writable(timeout_s, by)
            except ssl.SSLError as error:
                raise _as_reset(error) from error
            else:
                view = view[sent:]
                by = None

    def send_now(self, data: bytes) -> int:
        """Send what there is room for at once; return how much that was. Raises OSError."""
        try:
            return self.sock.send(data)
        except (*WANT_READ, WANT_WRITE):
            return 0

    def recv_now(self, buffer: memoryview) -> int | None:
        """Read what is there; 0 at the end of the stream, None when nothing has come. Raises
        OSError.
        """
        try:
            return self._recv(buffer)
        except (*WANT_READ, WANT_WRITE):
            return None
        except ssl.SSLZeroReturnError:
            return 0

    def when_readable(self, then: Callable[[bool], None], timeout_s: float) -> None:
        """Call `then` once, later: with True when there may be something to read, or this was
        closed; with False after `timeout_s`. `stop_waiting` before anyone else reads.
        """
        self._read_waiter = _Then(self, then)
        self._watch(self._loop.time() + timeout_s)

    def stop_waiting(self) -> None:
        """Forget whom `when_readable` was to call."""
        self._read_waiter = None

    async def handshake(self, timeout_s: float) -> None:
        """Do the TLS handshake of an SSLSocket made with do_handshake_on_connect=False."""
        sock = self.sock
        assert isinstance(sock, ssl.SSLSocket)
        async with asyncio.timeout(timeout_s):
            while True:
                try:
                    sock.do_handshake()
                except ssl.SSLWantReadError:
                    await self._readable(timeout_s)
                except ssl.SSLWantWriteError:
                    await self._writable(timeout_s)
                else:
                    return

    @property
    def peer(self) -> str:
        """The other side's address; empty when it is not known any more."""
        try:
            name = self.sock.getpeername()
        except OSError:
            return ""
        return str(name[0]) if isinstance(name, tuple) else ""

    def idle_and_alive(self) -> bool:
        """Return whether a kept-alive connection is still open with nothing unexpected to read."""
        if self.closed or self._behind is not None:
            return False
        try:
            if self._tls:
                self.sock.recv(1)  # TLS 1.3 session tickets may be read here, and are no data
                return False
            self.sock.recv(1, socket.MSG_PEEK)
        except WANT_READ:
            return True
        except OSError:
            return False
        return False  # end of stream, or data that was not asked for

    def close(self) -> None:
        """Close at once. Whoever waits gets ConnectionError."""
        if self.closed:
            return
        self.closed = True
        if self._watched:
            self._unwatch()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._write_waiter is not None:
            self._loop.remove_writer(self._fd)
        for waiter in (self._read_waiter, self._write_waiter):
            if waiter is not None:
                _wake(waiter)
        self._read_waiter = self._write_waiter = None
        self.sock.close()

    def __del__(self) -> None:
        # A net, not the way: the loop must not watch a number that is another file's by then. The
        # collector of cycles runs in whichever thread comes by, and loops belong to their own.
        loop = self._loop
        if self.closed or loop.is_closed():
            return
        if asyncio._get_running_loop() is loop:
            self.close()
        else:
            with contextlib.suppress(RuntimeError):  # closed since: it watches nothing
                loop.call_soon_threadsafe(self.close)

    async def _readable(self, timeout_s: float, by: float | None = None) -> float:
        """Wait until there may be something to read; return by when, which is `by` if this is no
        first wait. Raises StreamTimeout.
        """
        by = self._limit(timeout_s, by)
        waiter: asyncio.Future[bool] = self._loop.create_future()
        self._read_waiter = waiter
        self._watch(by)
        try:
            in_time = await waiter
        finally:
            self._read_waiter = None
        self._check(timeout_s, in_time=in_time)
        return by

    def _limit(self, timeout_s: float, by: float | None) -> float:
        now = self._loop.time()
        if by is None:
            return now + timeout_s
        self._check(timeout_s, in_time=now < by)
        return by

    def _watch(self, by: float) -> None:
        loop = self._loop
        if not self._watched:
            self._watched = True
            loop.add_reader(self._fd, _on_readable, weakref.ref(self))
        self._read_by = by
        if self._timer is None or self._timed_at > self._read_by:
            self._set_timer()

    def _set_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timed_at = self._read_by
        left_s = max(0.0, self._read_by - self._loop.time())
        self._timer = self._loop.call_later(left_s, _on_time, weakref.ref(self))

    def _time_passed(self) -> None:
        self._timer = None
        waiter = self._read_waiter
        if waiter is None:
            return
        if self._loop.time() < self._read_by:
            self._set_timer()  # that was an earlier wait's time
        else:
            _wake(waiter, False)

    def _came(self) -> None:
        if not self._watched:
            return
        if self._read_waiter is None:
            self._unwatch()  # what no one reads would wake the loop over and over
        else:
            _wake(self._read_waiter)

    def _unwatch(self) -> None:
        self._watched = False
        self._loop.remove_reader(self._fd)

    async def _writable(self, timeout_s: float, by: float | None = None) -> float:
        """Wait until there may be room; see `_readable`."""
        by = self._limit(timeout_s, by)
        waiter: asyncio.Future[bool] = self._loop.create_future()
        self._write_waiter = waiter
        self._loop.add_writer(self._fd, _wake, waiter)
        timer = self._loop.call_later(max(0.0, by - self._loop.time()), _wake, waiter, False)
        try:
            in_time = await waiter
        finally:
            timer.cancel()
            if not self.closed:
                self._write_waiter = None
                self._loop.remove_writer(self._fd)
        self._check(timeout_s, in_time=in_time)
        return by

    def _check(self, timeout_s: float, *, in_time: bool) -> None:
        # Raised here and not by the future, which would keep the error and all frames it passes.
        if self.closed:
            raise ConnectionAbortedError("closed here")
        if not in_time:
            raise StreamTimeout(f"nothing happened within {timeout_s:g} s")


class _Then:
    """Whom to call in place of a future, at once instead of in the loop's next turn."""

    __slots__ = ("_stream", "_then")

    def __init__(self, stream: SocketStream, then: Callable[[bool], None]) -> None:
        self._stream = stream
        self._then = then

    def done(self) -> bool:
        return self._stream._read_waiter is not self

    def set_result(self, in_time: bool) -> None:
        self._stream._read_waiter = None
        self._then(in_time)


def _on_readable(stream: weakref.ref[SocketStream]) -> None:
    found = stream()
    if found is not None:
        found._came()


def _on_time(stream: weakref.ref[SocketStream]) -> None:
    found = stream()
    if found is not None:
        found._time_passed()


def _wake(waiter: asyncio.Future[bool] | _Then, in_time: bool = True) -> None:
    if not waiter.done():
        waiter.set_result(in_time)


def _as_reset(error: ssl.SSLError) -> OSError:
    # An end of stream without close_notify may be a truncation attack: never a normal end.
    return ConnectionResetError(errno.ECONNRESET, f"TLS connection broke: {error.reason}")
