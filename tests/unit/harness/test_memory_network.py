"""Origins that are scripts in memory behave as real ones do to the client."""

from __future__ import annotations

import asyncio

import pytest

from headrace.http.stream import StreamTimeout
from headrace.upstream.endpoint import Endpoint
from headrace.upstream.errors import Failure, OriginError
from tests.harness.memory_network import (
    MemoryNetwork,
    MemoryStream,
    OriginConnection,
    any_request,
    close,
    expect,
    playbook,
    reset,
    serving,
    stall,
    taken,
    until,
    wait,
)
from tests.harness.virtual_time import run_virtually

A = Endpoint("a", 80, b"a", b"", None)
HEAD = b"GET /x HTTP/1.1\r\nHost: a\r\n\r\n"


async def read(stream: MemoryStream, size: int = 100, timeout_s: float = 5.0) -> bytes:
    buffer = memoryview(bytearray(size))
    return bytes(buffer[: await stream.recv_into(buffer, timeout_s)])


def test_a_read_brings_a_piece_and_then_the_end() -> None:
    async def run() -> None:
        async with MemoryNetwork() as network:
            network.origin("a", playbook(expect("GET /x", "host: a"), b"abc", b"de", close))
            stream = await network.connect(A, 1.0)
            await stream.send_all(HEAD, 1.0)
            assert [await read(stream, 2) for _ in range(4)] == [b"ab", b"c", b"de", b""]
            with pytest.raises(BrokenPipeError):
                await stream.send_all(HEAD, 1.0)
            assert [heard.target for heard in network.requests] == ["/x"]
            assert (network.connects, len(network.open_streams)) == (["a"], 1)
            stream.close()
            assert not network.open_streams

    run_virtually(run())


def test_a_reset_comes_after_what_was_sent() -> None:
    async def run() -> None:
        async with MemoryNetwork() as network:
            network.origin("a", playbook(b"abc", taken, reset))
            stream = await network.connect(A, 1.0)
            assert await read(stream) == b"abc"
            with pytest.raises(ConnectionResetError):
                await read(stream)
            with pytest.raises(ConnectionResetError):
                await stream.send_all(HEAD, 1.0)

    run_virtually(run())


def test_silence_takes_its_time_by_the_clock_of_the_loop() -> None:
    async def run() -> None:
        loop = asyncio.get_running_loop()
        go = asyncio.Event()
        async with MemoryNetwork() as network:
            network.origin("a", playbook(wait(3600), b"late", until(go), b"told", stall))
            stream = await network.connect(A, 1.0)
            with pytest.raises(StreamTimeout):
                await read(stream, timeout_s=10)
            assert loop.time() == pytest.approx(10)
            assert await read(stream, timeout_s=4000) == b"late"
            assert loop.time() == pytest.approx(3600)
            go.set()
            assert await read(stream) == b"told"

    run_virtually(run())


def test_a_full_origin_takes_no_more_until_it_reads() -> None:
    async def slow(connection: OriginConnection) -> None:
        await asyncio.sleep(2)
        assert await connection.read(10) == b"0123456789"
        await connection.gone()

    async def run() -> None:
        async with MemoryNetwork(room_bytes=4) as network:
            network.origin("a", slow)
            stream = await network.connect(A, 1.0)
            await stream.send_all(b"0123456789", 3.0)
            await stream.send_all(b"full", 3.0)
            with pytest.raises(StreamTimeout):
                await stream.send_all(b"more", 3.0)
            waiting = asyncio.ensure_future(read(stream))
            await asyncio.sleep(0)
            stream.close()
            with pytest.raises(ConnectionAbortedError):
                await waiting
            with pytest.raises(ConnectionAbortedError):
                await stream.send_all(b"more", 3.0)

    run_virtually(run())


@pytest.mark.parametrize(
    "wrong",
    [
        expect("GET /y"),
        expect("GET /x", "host: b"),
        expect("GET /x", without=("host",)),
        expect("GET /x", body=b"x"),
    ],
)
def test_what_a_script_did_not_expect_fails_the_test(wrong: object) -> None:
    async def run() -> None:
        async with MemoryNetwork() as network:
            network.origin("a", playbook(wrong, b"unsaid"))  # type: ignore[arg-type]
            stream = await network.connect(A, 1.0)
            await stream.send_all(HEAD, 1.0)
            with pytest.raises(ConnectionResetError):
                await read(stream)

    with pytest.raises(AssertionError):
        run_virtually(run())


def test_each_connection_has_its_script_and_the_last_one_stays() -> None:
    async def run() -> None:
        async with MemoryNetwork() as network:
            network.origin("a", playbook(b"first"), playbook(b"then"))
            found = [await read(await network.connect(A, 1.0)) for _ in range(3)]
            assert found == [b"first", b"then", b"then"]
            assert [stream.number for stream in network.streams] == [0, 1, 2]

    run_virtually(run())


def test_connecting_fails_as_the_test_says() -> None:
    async def run() -> None:
        loop = asyncio.get_running_loop()
        async with MemoryNetwork() as network:
            for failure, took_s in ((Failure.CONNECT_REFUSED, 0), (Failure.CONNECT_TIMEOUT, 7)):
                network.fails("a", failure)
                before_s = loop.time()
                with pytest.raises(OriginError) as caught:
                    await network.connect(A, 7.0)
                assert caught.value.failure is failure
                assert loop.time() - before_s == pytest.approx(took_s)
            with pytest.raises(AssertionError):
                await network.connect(Endpoint("b", 80, b"b", b"", None), 7.0)

    run_virtually(run())


def test_a_kept_connection_is_idle_until_something_comes_or_it_ends() -> None:
    async def run() -> None:
        async with MemoryNetwork() as network:
            network.origin("a", playbook(wait(1), b"unasked", stall), playbook(wait(1), close))
            network.origin("a:81", playbook(stall))
            streams = [await network.connect(A, 1.0) for _ in range(2)]
            streams.append(await network.connect(Endpoint("a", 81, b"a:81", b"", None), 1.0))
            assert [stream.idle_and_alive() for stream in streams] == [True] * 3
            await asyncio.sleep(2)
            assert [stream.idle_and_alive() for stream in streams] == [False, False, True]
            assert not network.moved(A, streams[0])
            network.move("a")
            assert network.moved(A, streams[0])
            assert not network.moved(A, streams[2])

    run_virtually(run())


def test_each_operation_of_the_client_is_a_step() -> None:
    steps: list[str] = []

    async def step(what: str) -> None:
        steps.append(what)

    async def run() -> None:
        async with MemoryNetwork(step=step) as network:
            network.origin("a", playbook(any_request, b"abc"))
            stream = await network.connect(A, 1.0)
            await stream.send_all(HEAD, 1.0)
            await read(stream)

    run_virtually(run())
    assert steps == ["connect a", "send a", "receive a"]


@pytest.mark.parametrize(
    ("lines", "status", "content"),
    [
        ("", 200, b"0123456789"),
        ("Range: bytes=2-4\r\n", 206, b"234"),
        ("Range: bytes=7-\r\n", 206, b"789"),
        ("Range: bytes=10-\r\n", 416, b""),
    ],
)
def test_an_origin_with_one_body_knows_ranges(lines: str, status: int, content: bytes) -> None:
    async def run() -> bytes:
        async with MemoryNetwork() as network:
            network.origin("a", serving(b"0123456789", 'ETag: "a"', piece_bytes=4))
            stream = await network.connect(A, 1.0)
            whole = b""
            for method in (b"HEAD", b"GET"):
                head = method + b" / HTTP/1.1\r\nHost: a\r\n" + lines.encode() + b"\r\n"
                await stream.send_all(head, 1.0)
                whole = await read(stream, 1000)
                assert b'ETag: "a"' in whole
            while not whole.endswith(b"\r\n\r\n" + content):
                whole += await read(stream, 1000)
            return whole

    assert run_virtually(run()).startswith(b"HTTP/1.1 %d " % status)


def test_bodies_of_requests_are_read_chunked_or_by_length() -> None:
    found = []

    async def origin(connection: OriginConnection) -> None:
        for _ in range(2):
            heard = await connection.request()
            found.append((heard.method, await connection.body(heard)))

    async def run() -> None:
        async with MemoryNetwork() as network:
            network.origin("a", origin)
            stream = await network.connect(A, 1.0)
            await stream.send_all(
                b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n", 1.0
            )
            await stream.send_all(b"PUT / HTTP/1.1\r\nContent-Length: 2\r\n\r\nde", 1.0)
            assert await read(stream) == b""

    run_virtually(run())
    assert found == [("POST", b"abc"), ("PUT", b"de")]
