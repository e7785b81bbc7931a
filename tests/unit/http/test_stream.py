"""Reads and writes on a raw socket, with time limits."""

from __future__ import annotations

import asyncio
import functools
import socket
import ssl
import threading
from collections.abc import Awaitable, Callable
from typing import cast
from unittest.mock import patch

import pytest

from headrace.http.stream import MOST_RECORDS, SocketStream, StreamTimeout

Talk = Callable[[SocketStream, socket.socket], Awaitable[None]]


def with_pair(talk: Talk) -> None:
    """Talk over one end of a connected pair of sockets; the other is the test's."""

    async def run() -> None:
        near, far = socket.socketpair()
        near.setblocking(False)
        far.setblocking(False)
        stream = SocketStream(near, asyncio.get_running_loop())
        with far:
            try:
                await talk(stream, far)
            finally:
                stream.close()

    asyncio.run(run())


def test_a_read_waits_for_bytes_and_brings_the_end() -> None:
    async def talk(stream: SocketStream, far: socket.socket) -> None:
        buffer = memoryview(bytearray(10))
        reading = asyncio.ensure_future(stream.recv_into(buffer, 30.0))
        await asyncio.sleep(0)
        assert not reading.done()
        far.send(b"abc")
        assert await reading == 3
        assert bytes(buffer[:3]) == b"abc"
        far.close()
        assert await stream.recv_into(buffer, 30.0) == 0

    with_pair(talk)


def test_a_read_that_brings_nothing_in_time_fails() -> None:
    async def talk(stream: SocketStream, far: socket.socket) -> None:
        with pytest.raises(StreamTimeout):
            await stream.recv_into(memoryview(bytearray(10)), 0.0)
        far.send(b"abc")
        assert await stream.recv_into(memoryview(bytearray(10)), 30.0) == 3

    with_pair(talk)


class _NoBytes:
    """A socket that wakes whoever waits and has nothing to read or no room, so many times."""

    def __init__(self, sock: socket.socket, times: int, error: type[OSError]) -> None:
        self._sock = sock
        self._left = times
        self._error = error

    def recv_into(self, buffer: memoryview) -> int:
        self._left -= 1
        if self._left < 0:
            return self._sock.recv_into(buffer)
        raise self._error

    def send(self, data: memoryview) -> int:
        self._left -= 1
        if self._left < 0:
            return self._sock.send(data)
        raise self._error

    def close(self) -> None:
        self._sock.close()


@pytest.mark.parametrize("error", [BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError])
def test_wakes_without_bytes_do_not_keep_a_read_or_a_write_alive(error: type[OSError]) -> None:
    # TLS tickets, or records that come byte by byte: each wake must not begin its time anew.
    async def talk(stream: SocketStream, far: socket.socket) -> None:
        far.send(b"abc")
        near = stream.sock
        stream.sock = cast("socket.socket", _NoBytes(near, 1000, error))
        with pytest.raises(StreamTimeout):
            await stream.recv_into(memoryview(bytearray(10)), 0.0)
        with pytest.raises(StreamTimeout):
            await stream.send_all(b"abc", 0.0)
        stream.sock = cast("socket.socket", _NoBytes(near, 1000, error))
        assert await stream.recv_into(memoryview(bytearray(10)), 30.0) == 3

    with_pair(talk)


class _Records:
    """A TLS socket: each read brings one record, an end, or an error that is told once."""

    def __init__(self, records: list[bytes | OSError]) -> None:
        self._records = records

    def recv_into(self, buffer: memoryview) -> int:
        found = self._records.pop(0) if self._records else ssl.SSLWantReadError()
        if isinstance(found, OSError):
            raise found
        buffer[: len(found)] = found
        return len(found)

    def fileno(self) -> int:
        return -1

    def close(self) -> None:
        return


def _over_tls(records: list[bytes | OSError]) -> SocketStream:
    stream = SocketStream(cast("socket.socket", _Records(records)), asyncio.get_running_loop())
    stream._tls = True
    return stream


def test_records_that_are_there_are_read_together_as_far_as_there_is_room() -> None:
    async def talk() -> None:
        stream = _over_tls([b"ab", b"cd", b"ef"])
        buffer = memoryview(bytearray(4))
        assert await stream.recv_into(buffer, 30.0) == 4
        assert bytes(buffer) == b"abcd"
        assert stream.recv_now(buffer) == 2
        assert stream.recv_now(buffer) is None
        tiny = _over_tls([b"a"] * 1000)
        assert await tiny.recv_into(memoryview(bytearray(1000)), 30.0) == MOST_RECORDS

    asyncio.run(talk())


@pytest.mark.parametrize("now", [False, True])
def test_an_end_or_an_error_behind_records_is_for_the_next_read(now: bool) -> None:
    async def read(stream: SocketStream, buffer: memoryview) -> int | None:
        return stream.recv_now(buffer) if now else await stream.recv_into(buffer, 30.0)

    async def talk() -> None:
        buffer = memoryview(bytearray(10))
        ended = _over_tls([b"ab", b"", b"none may be read"])
        assert await read(ended, buffer) == 2
        assert not ended.idle_and_alive()
        assert await read(ended, buffer) == 0
        broken = _over_tls([b"ab", ConnectionResetError("told once"), b""])
        assert await read(broken, buffer) == 2
        assert not broken.idle_and_alive()
        with pytest.raises(ConnectionResetError):
            await read(broken, buffer)

    asyncio.run(talk())


def test_who_is_to_be_called_is_called_once_when_there_is_something() -> None:
    async def talk(stream: SocketStream, far: socket.socket) -> None:
        buffer = memoryview(bytearray(10))
        assert stream.recv_now(buffer) is None
        for sent in (b"abc", b"de"):  # the second time, the loop watches it already
            called: list[bool] = []
            came = asyncio.Event()
            stream.when_readable(functools.partial(_note, called, came), 30.0)
            await asyncio.sleep(0)
            assert not called
            far.send(sent)
            await came.wait()
            assert stream.recv_now(buffer) == len(sent)
            far.send(b"f")
            await asyncio.sleep(0.01)
            assert called == [True]
            assert stream.recv_now(buffer) == 1
        assert stream.send_now(b"xy") == 2
        assert far.recv(10) == b"xy"
        far.close()
        assert stream.recv_now(buffer) == 0

    with_pair(talk)


def test_who_is_to_be_called_learns_that_nothing_came_or_that_it_was_closed() -> None:
    async def talk(stream: SocketStream, _far: socket.socket) -> None:
        called: list[bool] = []
        late = asyncio.Event()
        stream.when_readable(functools.partial(_note, called, late), 0.0)
        await late.wait()
        assert called == [False]
        stream.when_readable(functools.partial(_note, called, late), 30.0)
        stream.close()
        assert called == [False, True]

    with_pair(talk)


def test_who_does_not_wait_any_more_is_not_called_and_another_can_read() -> None:
    async def talk(stream: SocketStream, far: socket.socket) -> None:
        called: list[bool] = []
        stream.when_readable(called.append, 30.0)
        stream.stop_waiting()
        reading = asyncio.ensure_future(stream.recv_into(memoryview(bytearray(10)), 30.0))
        await asyncio.sleep(0)
        far.send(b"abc")
        assert await reading == 3
        assert not called

    with_pair(talk)


def _note(called: list[bool], came: asyncio.Event, in_time: bool) -> None:
    called.append(in_time)
    came.set()


def test_a_write_waits_for_room_or_fails() -> None:
    size = 4 * 1024 * 1024

    async def talk(stream: SocketStream, far: socket.socket) -> None:
        sending = asyncio.ensure_future(stream.send_all(bytes(size), 30.0))
        received = 0
        while received < size:
            try:
                received += len(far.recv(65536))
            except BlockingIOError:
                await asyncio.sleep(0)
        await sending
        with pytest.raises(StreamTimeout):
            await stream.send_all(bytes(size), 0.0)

    with_pair(talk)


@pytest.mark.parametrize("writes", [False, True])
def test_whoever_waits_when_it_is_closed_gets_an_error(writes: bool) -> None:
    async def talk(stream: SocketStream, _far: socket.socket) -> None:
        waiting = asyncio.ensure_future(
            stream.send_all(bytes(4 * 1024 * 1024), 30.0)
            if writes
            else stream.recv_into(memoryview(bytearray(10)), 30.0)
        )
        await asyncio.sleep(0)
        stream.close()
        stream.close()
        with pytest.raises(ConnectionAbortedError):
            await waiting
        assert stream.peer == ""

    with_pair(talk)


def test_an_idle_one_is_alive_while_nothing_comes() -> None:
    async def talk(stream: SocketStream, far: socket.socket) -> None:
        assert stream.idle_and_alive()
        far.send(b"x")
        assert not stream.idle_and_alive()
        assert await stream.recv_into(memoryview(bytearray(10)), 30.0) == 1
        assert stream.idle_and_alive()
        far.close()
        assert not stream.idle_and_alive()
        stream.close()
        assert not stream.idle_and_alive()

    with_pair(talk)


def test_a_later_read_has_its_own_time_and_not_what_an_earlier_left() -> None:
    async def talk(stream: SocketStream, far: socket.socket) -> None:
        buffer = memoryview(bytearray(10))
        for limit_s in (30.0, 20.0, 40.0):
            reading = asyncio.ensure_future(stream.recv_into(buffer, limit_s))
            await asyncio.sleep(0)
            far.send(b"abc")
            assert await reading == 3
        with pytest.raises(StreamTimeout):
            await stream.recv_into(buffer, 0.001)
        reading = asyncio.ensure_future(stream.recv_into(buffer, 30.0))
        await asyncio.sleep(0.01)
        assert not reading.done()
        far.send(b"abc")
        assert await reading == 3

    with_pair(talk)


def test_a_timer_of_an_earlier_read_ends_no_later_one() -> None:
    async def talk(stream: SocketStream, far: socket.socket) -> None:
        buffer = memoryview(bytearray(10))
        reading = asyncio.ensure_future(stream.recv_into(buffer, 0.02))
        await asyncio.sleep(0)
        far.send(b"abc")
        assert await reading == 3
        reading = asyncio.ensure_future(stream.recv_into(buffer, 30.0))
        await asyncio.sleep(0.05)
        assert not reading.done()
        far.send(b"abc")
        assert await reading == 3

    with_pair(talk)


def test_what_no_one_reads_does_not_keep_the_loop_busy() -> None:
    async def talk(stream: SocketStream, far: socket.socket) -> None:
        buffer = memoryview(bytearray(10))
        loop = asyncio.get_running_loop()
        reading = asyncio.ensure_future(stream.recv_into(buffer, 30.0))
        await asyncio.sleep(0)
        far.send(b"abc")
        assert await reading == 3
        far.send(b"def")
        await asyncio.sleep(0.01)
        assert not loop.remove_reader(stream.sock.fileno())
        assert await stream.recv_into(buffer, 30.0) == 3
        reading = asyncio.ensure_future(stream.recv_into(buffer, 30.0))
        await asyncio.sleep(0)
        far.send(b"ghi")
        assert await reading == 3

    with_pair(talk)


def test_one_that_is_forgotten_is_watched_no_more() -> None:
    async def run() -> None:
        loop = asyncio.get_running_loop()
        near, far = socket.socketpair()
        near.setblocking(False)
        stream = SocketStream(near, loop)
        reading = asyncio.ensure_future(stream.recv_into(memoryview(bytearray(10)), 30.0))
        await asyncio.sleep(0)
        far.send(b"abc")
        assert await reading == 3
        number = near.fileno()
        del reading, stream
        assert near.fileno() == -1
        assert not loop.remove_reader(number)
        far.close()

    asyncio.run(run())


def test_one_that_the_collector_finds_in_another_thread_is_closed_in_its_own() -> None:
    async def run() -> None:
        loop = asyncio.get_running_loop()
        near, far = socket.socketpair()
        near.setblocking(False)
        stream = SocketStream(near, loop)
        reading = asyncio.ensure_future(stream.recv_into(memoryview(bytearray(10)), 30.0))
        await asyncio.sleep(0)
        reading.cancel()
        await asyncio.sleep(0)
        asked_by: list[int] = []
        remove_reader = loop.remove_reader

        def counted(descriptor: int) -> bool:
            asked_by.append(threading.get_ident())
            return remove_reader(descriptor)

        with patch.object(loop, "remove_reader", counted):
            other = threading.Thread(target=stream.__del__)
            other.start()
            other.join()
            assert not stream.closed
            await asyncio.sleep(0)
            assert stream.closed
        assert asked_by == [threading.get_ident()]
        far.close()

    asyncio.run(run())
