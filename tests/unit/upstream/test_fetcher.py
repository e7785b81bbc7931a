"""One request to a pool, until an origin answers it: what is tried, noted, and returned."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from headrace.upstream.attempt_log import Tried
from headrace.upstream.client import RequestBody
from headrace.upstream.errors import Failure, OriginError
from headrace.upstream.outliers import OutlierRule
from headrace.upstream.pool import Origin
from headrace.upstream.retry import RetryPolicy
from headrace.upstream.signing import Credentials
from tests.harness.memory_network import (
    Script,
    any_request,
    expect,
    playbook,
    reset,
    serving,
    stall,
    wait,
)

from .conversation import Scene, conversation, read_all, sized, source
from .test_pool import ABC, origin

ONCE = RetryPolicy(tries=1, statuses=frozenset())


def answering(status: int, body: bytes = b"sorry") -> Script:
    return playbook(any_request, sized(body, status=status), stall)


async def error_of(scene: Scene, *, again: bool = False) -> OriginError:
    with pytest.raises(OriginError) as caught:
        await scene.fetch(again=again)
    return caught.value


def test_the_first_origin_answers_and_its_wait_is_noted() -> None:
    async def talk(scene: Scene) -> None:
        scene.network.origin("a", playbook(any_request, wait(2), sized(b"body"), stall))
        response = await scene.fetch()
        assert (response.status, response.origin_name) == (200, "a")
        assert scene.state.open_places == 1
        assert await read_all(response) == b"body"
        assert scene.noted.events == [("tried", "a"), ("waited", "a", 2.0)]
        log = scene.attempt_log
        assert (log.label, log.path, log.tries, log.trail) == ("vod/p/a", "/x", 1, [])
        assert (log.client_network, log.summary()) == ("192.0.2.0/24", "")

    conversation(talk)


def test_another_origin_is_asked_when_one_fails() -> None:
    async def talk(scene: Scene) -> None:
        scene.network.fails("a", Failure.CONNECT_REFUSED)
        scene.network.origin("b", serving(b"body"))
        response = await scene.fetch()
        assert await read_all(response) == b"body"
        assert scene.attempt_log.trail == [Tried("a", "connect_refused")]
        assert scene.noted.of("failed") == [("a", "connect_refused")]
        assert scene.noted.of("retried") == [("connect_refused",)]

    conversation(talk)


@pytest.mark.parametrize(("switching", "status"), [(True, 200), (False, 500)])
def test_a_status_is_a_failure_if_the_policy_or_switching_says_so(
    switching: bool, status: int
) -> None:
    async def talk(scene: Scene) -> None:
        scene.pool()
        scene.state = type(scene.state)(
            replace(scene.state.pool, origins=tuple(replace(o, switching=switching) for o in ABC))
        )
        scene.retry = RetryPolicy(statuses=frozenset())
        scene.network.origin("a", answering(500))
        scene.network.origin("b", serving(b"body"))
        response = await scene.fetch()
        assert response.status == status
        response.close()

    conversation(talk)


@pytest.mark.parametrize("status", [304, 416])
def test_a_status_that_only_something_else_could_ask_for_is_none(status: int) -> None:
    async def talk(scene: Scene) -> None:
        scene.network.origin("a", answering(status, b""))
        scene.network.origin("b", serving(b"body"))
        response = await scene.fetch()
        assert await read_all(response) == b"body"
        assert scene.attempt_log.trail == [Tried("a", "invalid_response")]

    conversation(talk)


@pytest.mark.parametrize(
    ("status", "asked"), [(304, (b"if-none-match", b'"a"')), (416, (b"range", b"bytes=9-"))]
)
def test_the_same_status_is_an_answer_where_it_was_asked_for(
    status: int, asked: tuple[bytes, bytes]
) -> None:
    async def talk(scene: Scene) -> None:
        scene.network.origin("a", answering(status, b""))
        response = await scene.fetch(b"GET", asked)
        assert response.status == status
        response.close()

    conversation(talk)


def test_when_all_fail_the_best_answer_that_an_origin_gave_is_returned() -> None:
    async def talk(scene: Scene) -> None:
        scene.pool("a", "b", "c", "d")
        scene.retry = RetryPolicy(statuses=frozenset((404, 503, 502)))
        scene.network.origin("a", answering(503))
        scene.network.origin("b", answering(404, b"none"))
        scene.network.origin("c", answering(502))
        scene.network.fails("d", Failure.CONNECT_REFUSED)
        response = await scene.fetch()
        assert (response.status, response.origin_name) == (404, "b")
        assert await read_all(response) == b"none"
        assert scene.attempt_log.summary() == (
            "a: status_503, b: status_404, c: status_502, d: connect_refused"
        )

    conversation(talk)


def test_when_none_answered_the_failure_that_came_furthest_is_raised() -> None:
    async def talk(scene: Scene) -> None:
        scene.pool("a", "b", "c")
        scene.network.fails("a", Failure.CONNECT_REFUSED)
        scene.network.origin("b", playbook(any_request, reset))
        scene.network.fails("c", Failure.NO_ORIGIN)
        error = await error_of(scene)
        assert (error.failure, error.status) == (Failure.HEAD_RESET, 502)
        summary = "a: connect_refused, b: reset_before_head, c: no_origin_free"
        assert error.summary == summary
        assert str(error).endswith(f"tries_spent; tried {summary}")

    conversation(talk)


def test_one_failure_is_raised_as_it_is() -> None:
    async def talk(scene: Scene) -> None:
        scene.pool("a")
        scene.retry = ONCE
        scene.network.fails("a", Failure.CONNECT_TIMEOUT)
        error = await error_of(scene)
        assert (error.failure, error.status, str(error)) == (
            Failure.CONNECT_TIMEOUT, 504, "a is made to fail",
        )  # fmt: skip
        assert scene.loop.time() == pytest.approx(3)

    conversation(talk)


def test_without_room_or_budget_nobody_is_asked() -> None:
    async def talk(scene: Scene) -> None:
        scene.pool("a", origins=(origin("a", concurrent=0),))
        error = await error_of(scene)
        assert (error.failure, error.status) == (Failure.NO_ORIGIN, 503)
        scene.pool("a")
        while scene.state.budget.take(scene.loop.time()):
            pass
        error = await error_of(scene, again=True)
        assert (error.failure, error.status) == (Failure.NO_RETRY, 503)
        assert scene.network.connects == []

    conversation(talk)


def test_a_further_round_comes_after_a_pause_and_within_the_total_time() -> None:
    async def talk(scene: Scene) -> None:
        scene.pool("a", budget=10.0)
        scene.retry = RetryPolicy(tries=5, backoff_s=2.0, backoff_most_s=8.0, total_s=20.0)
        scene.network.origin("a", playbook(any_request, reset), playbook(any_request, stall))
        error = await error_of(scene)
        assert error.failure is Failure.HEAD_RESET
        # A pause of half of 2 s, 15 s until the head's limit, half of 4 s, and what is left.
        assert scene.loop.time() == pytest.approx(20)
        assert len(scene.network.requests) == 3
        assert scene.noted.of("failed")[-1] == ("a", "first_byte_timeout")

    conversation(talk)


@pytest.mark.parametrize(
    ("method", "content", "asked"), [(b"PUT", False, 2), (b"PUT", True, 1), (b"POST", False, 1)]
)
def test_what_may_not_be_repeated_is_asked_once(method: bytes, content: bool, asked: int) -> None:
    async def talk(scene: Scene) -> None:
        scene.network.origin("a", answering(503))
        scene.network.origin("b", answering(503))
        body = RequestBody(source(b"abc"), None) if content else None
        response = await scene.fetch(method, body=body)
        assert response.status == 503
        response.close()
        assert len(scene.network.connects) == asked

    conversation(talk)


def test_each_origin_gets_its_own_host_fields_and_signature() -> None:
    async def talk(scene: Scene) -> None:
        a, b = origin("a"), origin("b")
        key = Credentials("id", "secret", "eu", query_names=frozenset((b"q",)), bucket="host")
        own: tuple[Origin, ...] = (
            replace(a, host=b"own.test", headers=((b"x-key", b"1"),)),
            replace(b, credentials=key),
        )
        scene.pool(origins=own)
        scene.network.origin(
            "a", playbook(expect("GET /x?q", "host: own.test", "x-key: 1", "x-else: 2"), reset)
        )
        scene.network.origin(
            "b",
            playbook(
                expect("GET /x?q", "host: b", "x-amz-date: 20010909T014640Z", without=("x-else",)),
                sized(b"body"), stall,
            ),
        )  # fmt: skip
        response = await scene.fetch(b"GET", (b"x-else", b"2"))
        assert await read_all(response) == b"body"

    conversation(talk)


def test_an_origin_that_fails_too_often_is_left_alone() -> None:
    rule = OutlierRule(failures=2, paths=1, clients=1)

    async def talk(scene: Scene) -> None:
        scene.pool("a", "b", outlier=rule)
        scene.network.origin("a", answering(500))
        scene.network.origin("b", serving(b"body"))
        for _ in range(3):
            assert await read_all(await scene.fetch()) == b"body"
        assert scene.noted.of("ejected") == [("a",)]
        assert scene.network.connects.count("a") == 2

    conversation(talk)


def test_a_loop_that_a_client_claims_takes_no_origin_away() -> None:
    async def talk(scene: Scene) -> None:
        scene.pool("a", "b", outlier=OutlierRule(failures=2, paths=1, clients=1))
        scene.network.origin("a", answering(508))
        scene.network.origin("b", serving(b"body"))
        for _ in range(6):
            assert await read_all(await scene.fetch()) == b"body"
        assert scene.noted.of("failed") == [("a", "status_508")] * 6
        assert scene.noted.of("ejected") == []

    conversation(talk)


@pytest.mark.parametrize(("provoked", "ejected"), [(True, []), (False, [("a",)])])
def test_one_request_that_an_origin_chokes_on_does_not_take_it_away(
    provoked: bool, ejected: list[tuple[str]]
) -> None:
    async def talk(scene: Scene) -> None:
        scene.pool("a", "b", outlier=OutlierRule(failures=2, paths=3, clients=3))
        if provoked:
            scene.network.origin("a", answering(500))
        else:
            scene.network.fails("a", Failure.CONNECT_REFUSED)
        scene.network.origin("b", serving(b"body"))
        for _ in range(3):
            assert await read_all(await scene.fetch()) == b"body"
        assert scene.noted.of("ejected") == ejected

    conversation(talk)


def test_a_request_that_is_given_up_leaves_nothing_behind() -> None:
    async def talk(scene: Scene) -> None:
        scene.retry = RetryPolicy(statuses=frozenset((404,)))
        scene.network.origin("a", answering(404))
        scene.network.origin("b", playbook(any_request, stall))
        asking = asyncio.ensure_future(scene.fetch())
        await asyncio.sleep(1)
        assert scene.state.open_places == 2
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking

    conversation(talk)


def test_a_request_body_is_waited_for() -> None:
    async def talk(scene: Scene) -> None:
        scene.network.origin("a", playbook(expect("PUT /x?q", body=b"abc"), sized(b"done"), stall))
        body = RequestBody(source(b"abc", pause_s=1.0), 3)
        response = await scene.fetch(b"PUT", (b"content-length", b"3"), body=body)
        assert await read_all(response) == b"done"
        await response.sent()

    conversation(talk)
