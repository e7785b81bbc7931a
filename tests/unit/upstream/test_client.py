"""One request to one origin: kept connections, request bodies, response heads."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from headrace.http.parser import ParsedResponseHead
from headrace.upstream.client import RequestBody
from headrace.upstream.errors import Failure, OriginError
from headrace.upstream.head_reader import INTERIM_COUNT, LIMIT_BYTES
from tests.harness.memory_network import (
    OriginConnection,
    Script,
    Step,
    any_request,
    close,
    expect,
    playbook,
    reset,
    serving,
    stall,
    wait,
)

from .conversation import Scene, conversation, failing, head, read_all, sized, source

OK = sized(b"body")
INTERIMS: list[Step] = [wait(14), head(103)] * 9


# Kept connections.


def test_a_connection_is_used_again_after_a_whole_body() -> None:
    async def talk(scene: Scene) -> None:
        scene.network.origin("a", serving(b"body"))
        assert [await scene.get() for _ in range(3)] == [b"body"] * 3
        assert scene.network.connects == ["a"]
        assert {heard.fields["host"] for heard in scene.network.requests} == {"a.test"}

    conversation(talk)


def test_one_that_the_origin_closed_meanwhile_is_not_used() -> None:
    async def talk(scene: Scene) -> None:
        scene.network.origin("a", playbook(any_request, OK), serving(b"body"))
        assert await scene.get() == b"body"
        await asyncio.sleep(0)
        assert await scene.get() == b"body"
        assert scene.network.connects == ["a", "a"]

    conversation(talk)


@pytest.mark.parametrize("end", [close, reset])
def test_one_that_is_closed_just_as_it_is_used_again_is_replaced(end: Script) -> None:
    async def talk(scene: Scene) -> None:
        scene.network.origin("a", playbook(any_request, OK, any_request, end), serving(b"body"))
        assert [await scene.get() for _ in range(2)] == [b"body"] * 2
        assert len(scene.network.requests) == 3

    conversation(talk)


def test_one_that_breaks_while_it_is_written_to_is_replaced() -> None:
    scenes: list[Scene] = []
    sends: list[str] = []

    async def step(what: str) -> None:
        sends.extend([what] if what == "send a" else [])
        if what == "send a" and len(sends) == 2:
            scenes[0].network.streams[0].origin.reset()

    async def talk(scene: Scene) -> None:
        scenes.append(scene)
        scene.network.origin("a", serving(b"body"))
        assert [await scene.get() for _ in range(2)] == [b"body"] * 2
        assert scene.network.connects == ["a", "a"]

    conversation(talk, step=step)


def test_one_that_broke_amid_an_answer_is_not_replaced() -> None:
    async def talk(scene: Scene) -> None:
        scene.network.origin("a", playbook(any_request, OK, any_request, b"HTTP/1.1", reset))
        assert await scene.get() == b"body"
        assert await failing(scene.get()) is Failure.HEAD_RESET
        assert scene.network.connects == ["a"]

    conversation(talk)


@pytest.mark.parametrize("method", [b"POST", b"PATCH"])
def test_what_may_not_be_repeated_never_takes_a_kept_connection(method: bytes) -> None:
    async def talk(scene: Scene) -> None:
        scene.network.origin("a", serving(b"body"))
        await scene.get()
        await read_all(await scene.ask(method=method))
        assert scene.network.connects == ["a", "a"]

    conversation(talk)


@pytest.mark.parametrize("end", [close, reset])
def test_a_new_connection_that_breaks_is_a_failure(end: Script) -> None:
    async def talk(scene: Scene) -> None:
        scene.network.origin("a", playbook(any_request, end))
        assert await failing(scene.ask()) is Failure.HEAD_RESET
        assert scene.network.connects == ["a"]

    conversation(talk)


def test_a_new_connection_that_cannot_be_written_to_is_a_failure() -> None:
    async def talk(scene: Scene) -> None:
        scene.network.origin("a", playbook(reset))
        assert await failing(scene.ask()) is Failure.SEND

    conversation(talk, step=lambda _what: asyncio.sleep(0.1))


def test_an_origin_that_reads_nothing_is_a_failure() -> None:
    async def talk(scene: Scene) -> None:
        scene.network.origin("a", playbook(stall))
        assert await failing(scene.ask()) is Failure.SEND
        assert scene.loop.time() == pytest.approx(10)

    conversation(talk, room_bytes=8)


def test_a_kept_connection_waits_for_so_long_and_leads_where_the_name_does() -> None:
    async def talk(scene: Scene) -> None:
        scene.network.origin("a", serving(b"body"))
        await scene.get()
        scene.network.move("a")
        await scene.get()
        assert len(scene.network.connects) == 2
        scene.client.timeouts = replace(scene.client.timeouts, idle_s=5.0)
        assert scene.client.timeouts.idle_s == 5.0
        await asyncio.sleep(6)
        await scene.get()
        assert len(scene.network.connects) == 3
        await asyncio.sleep(60)
        assert len(scene.client.idle) == 0

    conversation(talk)


def test_connecting_may_fail() -> None:
    async def talk(scene: Scene) -> None:
        scene.network.fails("a", Failure.TLS)
        assert await failing(scene.ask()) is Failure.TLS

    conversation(talk)


# Request bodies.


def test_a_body_is_sent_by_length_or_in_chunks_and_the_connection_is_not_kept() -> None:
    async def talk(scene: Scene) -> None:
        scene.network.origin(
            "a",
            playbook(expect("PUT /x", "content-length: 5", body=b"abcde"), OK),
            playbook(expect("POST /x", "transfer-encoding: chunked", body=b"abc"), OK),
        )
        by_length = RequestBody(source(b"abc", b"de"), 5)
        response = await scene.ask(
            method=b"PUT", body=by_length, fields=((b"content-length", b"5"),)
        )
        assert await read_all(response) == b"body"
        await response.sent()
        chunked = RequestBody(source(b"ab", b"c"), None)
        response = await scene.ask(
            method=b"POST", body=chunked, fields=((b"transfer-encoding", b"chunked"),)
        )
        assert await read_all(response) == b"body"
        await response.sent()
        assert len(scene.client.idle) == 0

    conversation(talk)


@pytest.mark.parametrize(
    ("first", "sent_at_s"),
    [(head(100), 0.0), (b"", 1.0), (head(103, "Link: </a>"), 1.0)],
)
def test_a_body_that_waits_for_100_is_sent_then_or_after_a_while(
    first: bytes, sent_at_s: float
) -> None:
    interims: list[int] = []

    async def talk(scene: Scene) -> None:
        times: list[float] = []

        async def origin(connection: OriginConnection) -> None:
            heard = await connection.request()
            connection.send(first)
            assert await connection.body(heard) == b"abc"
            times.append(scene.loop.time())
            connection.send(OK)

        scene.network.origin("a", origin)
        response = await scene.ask(
            method=b"POST",
            body=RequestBody(source(b"abc"), 3, wait_for_100=True),
            fields=((b"content-length", b"3"),),
            on_interim=lambda interim: interims.append(interim.status),
        )
        assert await read_all(response) == b"body"
        await response.sent()
        assert times == [pytest.approx(sent_at_s)]

    conversation(talk)
    assert interims == ([int(first[9:12])] if first else [])


def test_an_answer_that_comes_before_the_body_is_read_is_an_answer() -> None:
    async def talk(scene: Scene) -> None:
        scene.network.origin("a", playbook(any_request, sized(b"no", status=413), close))
        response = await scene.ask(
            method=b"POST", body=RequestBody(source(b"abc", b"more", pause_s=1.0), None)
        )
        assert (response.status, await read_all(response)) == (413, b"no")
        await response.sent()  # it failed: that is not ours to report

    conversation(talk)


def test_a_body_that_cannot_be_read_ends_the_request() -> None:
    async def talk(scene: Scene) -> None:
        scene.network.origin("a", playbook(any_request, stall))
        body = RequestBody(source(b"abc", ValueError("gone"), pause_s=1.0), None)
        with pytest.raises(ValueError, match="gone"):
            await scene.ask(method=b"POST", body=body)

    conversation(talk)


def test_waiting_for_a_head_costs_nothing_while_the_body_is_sent() -> None:
    async def talk(scene: Scene) -> None:
        async def origin(connection: OriginConnection) -> None:
            heard = await connection.request()
            assert len(await connection.body(heard)) == 30
            connection.send(OK)

        scene.network.origin("a", origin)
        body = RequestBody(source(*(b"x" for _ in range(30)), pause_s=4.0), None)
        response = await scene.ask(
            method=b"POST", body=body, fields=((b"transfer-encoding", b"chunked"),)
        )
        assert await read_all(response) == b"body"
        assert scene.loop.time() == pytest.approx(124)

    conversation(talk)


def test_a_request_that_is_given_up_stops_its_body() -> None:
    async def talk(scene: Scene) -> None:
        scene.network.origin("a", playbook(any_request, stall))
        body = RequestBody(source(*(b"x" for _ in range(100)), pause_s=1.0), None)
        asking = asyncio.ensure_future(scene.ask(method=b"POST", body=body))
        await asyncio.sleep(5)
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        assert len(asyncio.all_tasks()) <= 2  # this, and the origin's

    conversation(talk)


# Response heads.


def test_a_head_may_come_in_any_pieces() -> None:
    async def talk(scene: Scene) -> None:
        scene.network.origin("a", playbook(any_request, *(OK[i : i + 1] for i in range(len(OK)))))
        assert await scene.get() == b"body"

    conversation(talk)


@pytest.mark.parametrize(
    ("script", "failure", "took_s"),
    [
        (playbook(b"220 smtp\r\n\r\n", stall), Failure.BAD_HEAD, 0),
        (playbook(head(101, "Connection: upgrade", "Upgrade: x"), stall), Failure.BAD_HEAD, 0),
        (playbook(*[head(103)] * (INTERIM_COUNT + 1), stall), Failure.BAD_HEAD, 0),
        (playbook(*[b"x" * 16384] * (LIMIT_BYTES // 16384 + 1), stall), Failure.BAD_HEAD, 0),
        (playbook(stall), Failure.HEAD_TIMEOUT, 15),
        (playbook(b"HTTP/1.1 200", wait(14), b" OK\r\n", stall), Failure.HEAD_TIMEOUT, 15),
        (playbook(wait(10), head(103), wait(10), head(103), stall), Failure.HEAD_TIMEOUT, 35),
        (playbook(*INTERIMS, stall), Failure.HEAD_TIMEOUT, 60),
        (playbook(b"HTTP/1.1 200", close), Failure.HEAD_RESET, 0),
        (playbook(b"HTTP/1.1 200", reset), Failure.HEAD_RESET, 0),
    ],
)
def test_a_head_that_is_none_or_too_late_is_a_failure(
    script: Script, failure: Failure, took_s: float
) -> None:
    async def talk(scene: Scene) -> None:
        async def origin(connection: OriginConnection) -> None:
            await connection.request()
            await script(connection)

        scene.network.origin("a", origin)
        assert await failing(scene.ask()) is failure
        assert scene.loop.time() == pytest.approx(took_s)

    conversation(talk)


def test_interim_responses_are_passed_on_but_for_the_last_one() -> None:
    interims: list[ParsedResponseHead] = []

    async def talk(scene: Scene) -> None:
        scene.network.origin("a", playbook(any_request, head(103, "Link: </a>") + OK))
        response = await scene.ask(on_interim=interims.append)
        assert (response.status, await read_all(response)) == (200, b"body")

    conversation(talk)
    assert [interim.headers.get(b"link") for interim in interims] == [b"</a>"]


def test_an_error_that_is_none_of_the_origin_is_raised_as_it_is() -> None:
    async def talk(scene: Scene) -> None:
        def broken(_interim: ParsedResponseHead) -> None:
            raise OriginError(Failure.BODY_SLOW, "from the listener")

        scene.network.origin("a", playbook(any_request, head(103) + OK))
        assert await failing(scene.ask(on_interim=broken)) is Failure.BODY_SLOW

    conversation(talk)
