"""Servers of the network before a pool: who is asked, whose answer is taken, what it costs."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from itertools import pairwise
from typing import TypeVar

import pytest

from headrace.http.message import Field
from headrace.upstream.attempt_log import AttemptLog
from headrace.upstream.errors import Failure, OriginError
from headrace.upstream.failover_body import FailoverResponse
from headrace.upstream.retry_budget import RetryBudget
from headrace.upstream.sources import PeerSource, PeerState, SourceRules, Sources
from headrace.upstream.target import Target
from tests.harness.memory_network import (
    Script,
    any_request,
    expect,
    playbook,
    reset,
    serving,
    stall,
    taken,
    wait,
)

from .conversation import HOST, Scene, conversation, head, part, read_all, sized
from .test_pool import origin

T = TypeVar("T")
BODY = bytes(range(256)) * 40
TAG = 'ETag: "a"'
RULES = SourceRules()


class Tiered:
    """A scene with two siblings, a server of a parent site, and a pool of two origins."""

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        self.network = scene.network
        self.rules = RULES
        self.hedging = RetryBudget(0.2)
        self.peers = tuple(
            PeerSource(origin(name), PeerState(), site, group)
            for name, site, group in (
                ("s1", "north", "siblings"), ("s2", "north", "siblings"), ("m", "mid", "parents"),
            )
        )  # fmt: skip

    def sources(self) -> Sources:
        return Sources(self.peers, self.rules, self.hedging, b"client.test", b"/x?as-sent", signed)

    async def fetch(self, method: bytes = b"GET", *fields: Field) -> FailoverResponse:
        scene = self.scene
        scene.attempt_log = AttemptLog()
        target = Target(
            scene.state, scene.retry, b"key", b"/x?q", "192.0.2.0/24", "vod",
            sources=self.sources(),
        )  # fmt: skip
        return await scene.fetcher.request(
            target, method, [HOST, *fields], attempt_log=scene.attempt_log
        )

    @property
    def asked(self) -> list[str]:
        return [heard.host for heard in self.network.requests]

    def check(self) -> None:
        assert [peer.state.active for peer in self.peers] == [0, 0, 0]


def signed(method: bytes, host: bytes, target: bytes, now: float) -> list[Field]:
    return [(b"x-peer", b"%b %b%b at %d" % (method, host, target, now))]


def tiered(talk: Callable[[Tiered], Awaitable[T]]) -> T:
    async def run(scene: Scene) -> T:
        scene_of_tiers = Tiered(scene)
        found = await talk(scene_of_tiers)
        for _turn in range(3):
            await asyncio.sleep(0)  # losers end
        scene_of_tiers.check()
        assert asyncio.all_tasks() - scene.network._running == {asyncio.current_task()}
        return found

    return conversation(run)


def answering(status: int, body: bytes = b"sorry") -> Script:
    return playbook(any_request, sized(body, status=status), stall)


def test_the_first_server_answers_and_the_pool_knows_nothing_of_it() -> None:
    async def talk(tiers: Tiered) -> None:
        tiers.network.origin(
            "s1",
            playbook(
                expect(
                    "GET /x?as-sent", "host: client.test", "accept: */*",
                    "x-peer: GET client.test/x?as-sent at 1000000000",
                ),
                sized(b"body"), stall,
            ),
        )  # fmt: skip
        tokens = tiers.scene.state.budget._tokens
        response = await tiers.fetch(b"GET", (b"accept", b"*/*"))
        assert (response.origin_name, await read_all(response)) == ("s1", b"body")
        assert tiers.scene.state.budget._tokens == tokens
        log = tiers.scene.attempt_log
        assert (log.label, log.tries, log.trail) == ("vod/siblings/s1", 1, [])
        assert tiers.asked == ["s1"]

    tiered(talk)


@pytest.mark.parametrize("status", [421, 429, 500, 502, 503, 504, 508])
def test_a_server_that_answers_but_cannot_help_speaks_for_its_site(status: int) -> None:
    async def talk(tiers: Tiered) -> None:
        tiers.network.origin("s1", serving(b"sorry", status=status))
        tiers.network.origin("m", serving(b"body"))
        for _time in range(5):
            response = await tiers.fetch()
            assert await read_all(response) == b"body"
        assert tiers.asked == ["s1", "m"] * 5  # and it is not ejected: it is alive
        assert tiers.scene.attempt_log.summary() == f"s1: status_{status}"
        assert tiers.scene.noted.of("ejected") == []

    tiered(talk)


@pytest.mark.parametrize("status", [200, 204, 301, 404, 403, 410])
def test_what_a_server_says_of_the_resource_is_an_answer(status: int) -> None:
    async def talk(tiers: Tiered) -> None:
        body = b"" if status == 204 else b"body"
        tiers.network.origin("s1", answering(status, body))
        response = await tiers.fetch()
        assert (response.status, await read_all(response)) == (status, body)
        assert tiers.asked == ["s1"]

    tiered(talk)


def test_when_no_server_can_help_the_pool_answers_by_its_own_rules() -> None:
    async def talk(tiers: Tiered) -> None:
        tiers.network.fails("s1", Failure.CONNECT_REFUSED)
        tiers.network.origin("s2", playbook(any_request, reset))
        tiers.network.origin("m", answering(503))
        tiers.network.origin("a", answering(500))
        tiers.network.origin(
            "b", playbook(expect("GET /x?q", "host: a.test", without=("x-peer",)), sized(b"body"))
        )
        before = tiers.scene.state.budget._tokens
        response = await tiers.fetch()
        assert (response.origin_name, await read_all(response)) == ("b", b"body")
        assert tiers.network.connects == ["s1", "s2", "m", "a", "b"]
        # One request came to the pool, and one of its own retries.
        assert tiers.scene.state.budget._tokens == pytest.approx(before + 0.2 - 1)
        log = tiers.scene.attempt_log
        assert (log.label, log.tries) == ("vod/p/b", 5)
        assert [tried.origin for tried in log.trail] == ["s1", "s2", "m", "a"]

    tiered(talk)


def test_the_failure_of_all_is_the_pools() -> None:
    async def talk(tiers: Tiered) -> None:
        for name in ("s1", "s2", "m", "a", "b"):
            tiers.network.fails(name, Failure.CONNECT_REFUSED)
        with pytest.raises(OriginError) as caught:
            await tiers.fetch()
        assert caught.value.failure is Failure.CONNECT_REFUSED
        assert "s1: connect_refused" in caught.value.summary

    tiered(talk)


def test_a_status_of_the_pool_is_returned_when_nobody_has_better() -> None:
    async def talk(tiers: Tiered) -> None:
        for name in ("s1", "s2", "m", "a", "b"):
            tiers.network.origin(name, answering(503))
        response = await tiers.fetch()
        assert (response.status, await read_all(response)) == (503, b"sorry")
        assert response.origin_name in ("a", "b")

    tiered(talk)


def test_a_slow_server_is_left_behind_after_its_time() -> None:
    async def talk(tiers: Tiered) -> None:
        tiers.network.origin("s1", stall)
        tiers.network.origin("s2", answering(200, b"body"))
        began = tiers.scene.loop.time()
        response = await tiers.fetch()
        assert (response.origin_name, await read_all(response)) == ("s2", b"body")
        assert tiers.scene.loop.time() - began == pytest.approx(RULES.first_byte_s)
        assert tiers.scene.noted.of("hedged") == [("s1",)]

    tiered(talk)


async def turned() -> None:
    await asyncio.sleep(0)


def test_the_first_may_answer_while_the_second_is_asked_and_then_that_one_is_cancelled() -> None:
    async def talk(tiers: Tiered) -> None:
        tiers.network.origin("s1", playbook(any_request, wait(0.15), sized(b"first"), stall))
        tiers.network.origin("s2", stall)
        response = await tiers.fetch()
        assert (response.origin_name, await read_all(response)) == ("s1", b"first")
        assert tiers.network.connects == ["s1", "s2"]
        await turned()
        await turned()
        assert [stream.host for stream in tiers.network.open_streams] == ["s1"]

    tiered(talk)


def test_the_pool_is_asked_too_when_every_server_is_slow() -> None:
    async def talk(tiers: Tiered) -> None:
        for name in ("s1", "s2", "m"):
            tiers.network.origin(name, stall)
        tiers.network.origin("a", answering(200, b"body"))
        began = tiers.scene.loop.time()
        response = await tiers.fetch()
        assert (response.origin_name, await read_all(response)) == ("a", b"body")
        assert tiers.scene.loop.time() - began == pytest.approx(3 * RULES.first_byte_s)

    tiered(talk)


def test_a_failing_pool_waits_for_the_server_that_is_still_at_it() -> None:
    async def talk(tiers: Tiered) -> None:
        tiers.network.origin("s1", playbook(any_request, wait(0.6), sized(b"late"), stall))
        for name in ("s2", "m", "a", "b"):
            tiers.network.origin(name, answering(503))
        response = await tiers.fetch()
        assert (response.origin_name, await read_all(response)) == ("s1", b"late")

    tiered(talk)


def test_one_that_says_that_it_asks_others_is_waited_for() -> None:
    async def talk(tiers: Tiered) -> None:
        tiers.network.origin("s1", playbook(any_request, head(102), wait(5), sized(b"body"), stall))
        response = await tiers.fetch()
        assert (response.origin_name, await read_all(response)) == ("s1", b"body")
        assert tiers.asked == ["s1"]
        assert tiers.scene.noted.of("hedged") == []

    tiered(talk)


def test_hints_of_an_origin_are_passed_on_and_the_servers_own_word_is_not() -> None:
    async def talk(tiers: Tiered) -> None:
        tiers.network.origin(
            "s1", playbook(any_request, head(102), head(103), sized(b"body"), stall)
        )
        heard: list[int] = []
        target = Target(
            tiers.scene.state, tiers.scene.retry, b"key", b"/x", sources=tiers.sources()
        )
        response = await tiers.scene.fetcher.request(
            target, b"GET", [HOST], on_interim=lambda interim: heard.append(interim.status)
        )
        await read_all(response)
        assert heard == [103]

    tiered(talk)


def test_hedges_are_bounded_and_a_silent_server_fails_after_its_longer_time() -> None:
    async def talk(tiers: Tiered) -> None:
        tiers.hedging = RetryBudget(0.0)
        tiers.hedging._tokens = -1000.0
        tiers.rules = replace(RULES, answer_s=0.25)
        tiers.network.origin("s1", stall)
        tiers.network.origin("s2", answering(200, b"body"))
        began = tiers.scene.loop.time()
        response = await tiers.fetch()
        assert (response.origin_name, await read_all(response)) == ("s2", b"body")
        assert tiers.scene.loop.time() - began == pytest.approx(0.25)
        assert tiers.scene.noted.of("hedged") == []
        assert tiers.scene.noted.of("failed") == [("s1", "first_byte_timeout")]

    tiered(talk)


def test_a_dead_server_is_left_alone_within_a_second() -> None:
    async def talk(tiers: Tiered) -> None:
        tiers.network.origin("s1", serving(b"body"))
        tiers.network.origin("s2", serving(b"body"))
        for _time in range(100):
            await read_all(await tiers.fetch())
            await asyncio.sleep(0.01)
        tiers.network.fails("s1", Failure.CONNECT_REFUSED)
        tiers.scene.client.idle.retain(())
        died, connects = tiers.scene.loop.time(), len(tiers.network.connects)
        last = 0.0
        while tiers.scene.loop.time() < died + 1.4:
            before = tiers.network.connects.count("s1")
            response = await tiers.fetch()
            assert (response.origin_name, await read_all(response)) == ("s2", b"body")
            if tiers.network.connects.count("s1") > before:
                last = tiers.scene.loop.time() - died
            await asyncio.sleep(0.01)
        assert 0 < last <= 1.0
        assert tiers.scene.noted.of("ejected") == [("s1",)]
        assert len(tiers.network.connects) - connects < 70

    tiered(talk)


def test_a_frozen_server_is_left_alone_even_when_no_hedge_is_left() -> None:
    async def talk(tiers: Tiered) -> None:
        tiers.hedging._tokens = -1000.0
        tiers.network.origin("s1", stall)
        tiers.network.origin("s2", serving(b"body"))
        began = tiers.scene.loop.time()
        responses = await asyncio.gather(*(tiers.fetch() for _ in range(20)))
        for response in responses:
            assert await read_all(response) == b"body"
        # As soon as it is ejected, those that wait are free to ask the next.
        assert tiers.scene.loop.time() - began <= 2 * RULES.first_byte_s + 0.001
        assert (await tiers.fetch()).origin_name == "s2"

    async def and_close(tiers: Tiered) -> None:
        await talk(tiers)
        tiers.scene.client.close()

    with pytest.raises(AssertionError):
        tiered(and_close)  # the last response is open: the check finds it


@pytest.mark.parametrize("at", [0, 1, 4000, len(BODY) - 1])
@pytest.mark.parametrize("fields", [(TAG,), ()])
def test_a_server_that_dies_in_mid_body_is_left_for_the_next_at_the_same_byte(
    at: int, fields: tuple[str, ...]
) -> None:
    if not fields and 0 < at < 4096:
        fields = (TAG,)  # too few bytes to compare prove nothing

    async def talk(tiers: Tiered) -> None:
        broken = sized(b"", *fields, said=len(BODY)) + BODY[:at]
        tiers.network.origin("s1", playbook(any_request, broken, taken, reset))
        tiers.network.origin("s2", serving(BODY, *fields))
        tokens = tiers.scene.state.budget._tokens
        response = await tiers.fetch()
        assert await read_all(response) == BODY
        assert response.switches == 1
        assert response.origin_name == "s2"
        assert tiers.scene.state.budget._tokens == tokens
        assert tiers.scene.noted.of("switched") == [("s2", "reset_in_body", at)]
        assert tiers.scene.attempt_log.switches == 1

    tiered(talk)


def test_after_the_servers_the_pool_continues_and_after_one_origin_the_other() -> None:
    async def talk(tiers: Tiered) -> None:
        cut = [1000, 2000, 3000, 5000]
        first = sized(b"", TAG, said=len(BODY)) + BODY[: cut[0]]
        pieces = [first]
        for start, end in pairwise(cut):
            whole = part(BODY, start, len(BODY), TAG)
            pieces.append(whole[: len(whole) - len(BODY) + end])
        for name, piece in zip(("s1", "s2", "m", "a"), pieces, strict=True):
            tiers.network.origin(name, playbook(any_request, piece, taken, reset))
        asked = expect("GET /x?q", "range: bytes=5000-10239", "host: a.test", without=("x-peer",))
        tiers.network.origin("b", playbook(asked, part(BODY, 5000, len(BODY), TAG), stall))
        before = tiers.scene.state.budget._tokens
        response = await tiers.fetch()
        assert await read_all(response) == BODY
        assert tiers.asked == ["s1", "s2", "m", "a", "b"]
        # To the pool it was one request, and one switch.
        assert tiers.scene.state.budget._tokens == pytest.approx(before + 0.2 - 1)

    tiered(talk)


def test_a_server_that_broke_off_is_not_asked_again_for_this_body() -> None:
    async def talk(tiers: Tiered) -> None:
        broken = sized(b"", TAG, said=len(BODY)) + BODY[:100]
        tiers.network.origin("s1", playbook(any_request, broken, taken, reset))
        tiers.network.fails("s2", Failure.CONNECT_REFUSED)
        tiers.network.fails("m", Failure.CONNECT_REFUSED)
        tiers.network.fails("a", Failure.CONNECT_REFUSED)
        tiers.network.fails("b", Failure.CONNECT_REFUSED)
        response = await tiers.fetch()
        with pytest.raises(OriginError):
            await read_all(response)
        connects = tiers.network.connects
        assert [connects.count(name) for name in ("s1", "s2", "m")] == [1, 1, 1]
        assert connects.count("a") + connects.count("b") == 8  # a round, and three more

    tiered(talk)


def test_another_representation_is_not_taken_for_the_rest() -> None:
    async def talk(tiers: Tiered) -> None:
        broken = sized(b"", TAG, said=len(BODY)) + BODY[:5000]
        tiers.network.origin("s1", playbook(any_request, broken, taken, reset))
        tiers.network.origin("s2", serving(BODY[::-1], 'ETag: "other"'))
        tiers.network.origin("m", serving(BODY, TAG))
        response = await tiers.fetch()
        assert await read_all(response) == BODY
        assert response.origin_name == "m"

    tiered(talk)


def test_what_cannot_be_repeated_goes_to_the_pool_alone() -> None:
    async def talk(tiers: Tiered) -> None:
        tiers.network.origin("a", answering(200, b"done"))
        response = await tiers.fetch(b"POST")
        assert await read_all(response) == b"done"
        assert tiers.asked == ["a"]

    tiered(talk)


def test_a_server_with_as_many_requests_as_it_may_have_is_passed_over() -> None:
    async def talk(tiers: Tiered) -> None:
        full, *others = tiers.peers
        tiers.peers = (replace(full, origin=origin("s1", concurrent=1)), *others)
        tiers.network.origin("s1", playbook(any_request, sized(b"", said=4), stall))
        tiers.network.origin("s2", answering(200, b"body"))
        first = await tiers.fetch()
        second = await tiers.fetch()
        assert (first.origin_name, second.origin_name) == ("s1", "s2")
        await read_all(second)
        first.close()

    tiered(talk)


def test_with_every_server_ejected_the_pool_is_asked_at_once() -> None:
    async def talk(tiers: Tiered) -> None:
        for peer in tiers.peers:
            peer.state.health.ejected_until = 1e9
        tiers.network.origin("a", answering(200, b"body"))
        response = await tiers.fetch()
        assert await read_all(response) == b"body"
        assert tiers.asked == ["a"]

    tiered(talk)
