"""A response's body: how it is framed, how it fails, and what becomes of its connection."""

from __future__ import annotations

import asyncio
from typing import cast

import pytest

from headrace.http.parser import parse_response_head
from headrace.upstream.errors import Failure
from headrace.upstream.network import Stream
from headrace.upstream.response import TURN_BYTES, OriginResponse
from tests.harness.memory_network import (
    Script,
    Step,
    any_request,
    close,
    playbook,
    reset,
    stall,
    wait,
)

from .conversation import Scene, conversation, failing, head, read_all, sized

CHUNKED = head(200, "Transfer-Encoding: chunked")


@pytest.mark.parametrize("size", [1, 3, 1000])
@pytest.mark.parametrize(
    ("steps", "body", "kept"),
    [
        ([sized(b"abcdef"), stall], b"abcdef", True),
        ([sized(b"ab", said=6), b"cd", b"ef", stall], b"abcdef", True),
        ([sized(b""), stall], b"", True),
        ([sized(b"abc") + b"HTTP/1.1 200 unasked", stall], b"abc", False),
        ([sized(b"abc", "Connection: close"), stall], b"abc", False),
        ([head(204), stall], b"", True),
        ([head(200), b"abc", b"def", close], b"abcdef", False),
        ([CHUNKED + b"3\r\nabc\r\n", b"0\r\n\r\n", stall], b"abc", True),
        ([CHUNKED, b"3\r", b"\nabc\r\n0\r\n", b"\r\n", stall], b"abc", True),
        ([CHUNKED + b"1\r\na\r\n" * 20 + b"0\r\n\r\n", stall], b"a" * 20, True),
        ([CHUNKED + b"1\r\na\r\n" * 5 + b"0\r\n\r\n", stall], b"a" * 5, True),
        ([CHUNKED + b"3\r\nabc\r\n0\r\n\r\nunasked", stall], b"abc", False),
    ],
)
def test_a_body_is_whole_and_its_connection_is_kept_if_nothing_can_be_left(
    steps: list[Step], body: bytes, kept: bool, size: int
) -> None:
    async def talk(scene: Scene) -> None:
        scene.network.origin("a", playbook(any_request, *steps))
        response = await scene.ask()
        ended: list[bool] = []
        response.when_ended(lambda: ended.append(True))
        assert await read_all(response, size) == body
        assert await response.read_into(memoryview(bytearray(1))) == 0
        assert (response.complete, ended) == (True, [True])
        response.close()
        assert ended == [True]
        assert len(scene.client.idle) == kept

    conversation(talk)


@pytest.mark.parametrize(
    ("steps", "failure", "took_s"),
    [
        ([sized(b"abc", said=6), close], Failure.BODY_SHORT, 0),
        ([sized(b"abc", said=6), reset], Failure.BODY_RESET, 0),
        ([sized(b"abc", said=6), stall], Failure.BODY_TIMEOUT, 10),
        ([sized(b"abc", said=6), wait(9), b"d", wait(9), b"e", stall], Failure.BODY_TIMEOUT, 28),
        ([head(200), b"abc", reset], Failure.BODY_RESET, 0),
        ([CHUNKED, b"3\r\nab", close], Failure.BODY_SHORT, 0),
        ([CHUNKED, b"3\r\nabcd\r\n", stall], Failure.BAD_CHUNKS, 0),
        ([CHUNKED, b"xyz\r\n", stall], Failure.BAD_CHUNKS, 0),
        ([CHUNKED, *[wait(4), b"0"] * 9, stall], Failure.BODY_TIMEOUT, 12),
    ],
)
def test_a_body_that_breaks_off_stalls_or_is_malformed_is_a_failure(
    steps: list[Step], failure: Failure, took_s: float
) -> None:
    async def talk(scene: Scene) -> None:
        scene.network.origin("a", playbook(any_request, *steps))
        response = await scene.ask()
        assert await failing(read_all(response)) is failure
        assert scene.loop.time() == pytest.approx(took_s)
        assert response.complete

    conversation(talk)


class _Behind:
    """A connection on which something came behind the head: bytes, or an error told once."""

    def __init__(self, came: bytes | OSError) -> None:
        self._came = came

    def recv_now(self, buffer: memoryview) -> int:
        came, self._came = self._came, b""
        if isinstance(came, OSError):
            raise came
        buffer[: len(came)] = came
        return len(came)

    async def recv_into(self, buffer: memoryview, _timeout_s: float) -> int:
        return self.recv_now(buffer)

    def close(self) -> None:
        return


def _response(came: bytes | OSError) -> OriginResponse:
    parsed = parse_response_head(head(200), b"GET")  # its body ends with the connection
    return OriginResponse(parsed, cast("Stream", _Behind(came)), b"abc", 10.0, None)


def test_what_came_with_the_head_and_behind_it_is_one_piece() -> None:
    buffer = memoryview(bytearray(10))
    assert asyncio.run(_response(b"def").read_into(buffer)) == 6
    assert bytes(buffer[:6]) == b"abcdef"
    assert asyncio.run(_response(b"def").read_into(buffer[:2])) == 2


def test_a_reset_behind_what_came_with_the_head_is_no_end_of_the_body() -> None:
    async def talk() -> None:
        response = _response(ConnectionResetError("told once"))
        assert await response.read_into(memoryview(bytearray(10))) == 3
        assert await failing(read_all(response)) is Failure.BODY_RESET

    asyncio.run(talk())


def test_trailers_and_length_are_known() -> None:
    async def talk(scene: Scene) -> None:
        trailed: Script = playbook(any_request, CHUNKED + b"1\r\na\r\n0\r\nX-Sum: 1\r\n\r\n", stall)
        scene.network.origin("a", trailed)
        scene.network.origin("b", playbook(any_request, sized(b"abc"), stall))
        response = await scene.ask()
        assert response.length is None
        assert await read_all(response) == b"a"
        assert response.trailers == [(b"x-sum", b"1")]
        response = await scene.ask("b")
        assert response.length == 3
        assert response.received_bytes == 0
        await read_all(response)
        assert response.received_bytes == 3

    conversation(talk)


def test_a_response_that_is_given_up_costs_its_connection_and_tells_so_once() -> None:
    async def talk(scene: Scene) -> None:
        scene.network.origin("a", playbook(any_request, sized(b"abc", said=6), stall))
        response = await scene.ask()
        ended: list[bool] = []
        response.when_ended(lambda: ended.append(True))
        await response.read_into(memoryview(bytearray(3)))
        assert not ended
        response.close()
        response.close()
        assert ended == [True]
        await response.sent()

    conversation(talk)


def test_an_origin_that_is_always_ready_leaves_turns_to_others() -> None:
    piece = b"x" * 65536
    count = 4 * TURN_BYTES // len(piece)
    turns = 0

    async def others() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    async def talk(scene: Scene) -> None:
        scene.network.origin(
            "a", playbook(any_request, sized(b"", said=count * len(piece)), *[piece] * count, stall)
        )
        response = await scene.ask()
        waiting = asyncio.ensure_future(others())
        await asyncio.sleep(0)
        before = turns
        assert len(await read_all(response)) == count * len(piece)
        assert turns - before == 3
        waiting.cancel()

    conversation(talk)
