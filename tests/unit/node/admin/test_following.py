"""GET /log without a socket: what a follower gets, and when he leaves."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import AsyncGenerator, Sequence
from typing import cast

import msgspec
import pytest

from headrace.node.admin.following import (
    ANSWER_S,
    ASK_EVERY_S,
    QUIET_S,
    Following,
    FollowRequest,
)
from headrace.node.admin.problem import ProblemError
from headrace.node.live.messages import Follow, Leave, Lines
from headrace.telemetry.watch import MOST_FOLLOWERS, Followed
from tests.harness.fake_node import FakeNode, FakeWorkers
from tests.harness.virtual_time import run_virtually

NOTHING = [Lines(Followed())]


def lines(*texts: str, dropped: int = 0, unexamined: int = 0) -> Lines:
    return Lines(Followed([msgspec.Raw(text.encode()) for text in texts], dropped, unexamined))


class Script:
    """What the workers answer, look by look; after the last, nothing."""

    def __init__(self, *answers: Sequence[Lines]) -> None:
        self._answers = list(answers)
        self.node = FakeNode(FakeWorkers(self._next))
        self.following = Following(self.node)

    def _next(self, _question: Follow) -> Sequence[Lines]:
        return self._answers.pop(0) if self._answers else NOTHING

    async def follow(self, asked: FollowRequest) -> AsyncGenerator[bytes, None]:
        return cast(AsyncGenerator[bytes, None], await self.following.log(asked))

    @property
    def left(self) -> list[int]:
        return [one.follower for one in self.node.workers.heard if isinstance(one, Leave)]


def test_lines_of_all_workers_come_in_their_order_up_to_the_limit() -> None:
    script = Script([lines("2", "4"), lines("1", "3")], [lines("5", "6")])

    async def go() -> list[bytes]:
        parts = await script.follow(FollowRequest(limit=5, rate=7, sample=0.5, filter="status > 1"))
        return [part async for part in parts]

    assert run_virtually(go()) == [b"1\n2\n3\n4\n", b"5\n"]
    first = script.node.workers.heard[0]
    assert first == Follow(1, "status > 1", 7, 0.5)
    assert script.left == [1]


def test_what_is_missing_is_said_behind_the_lines() -> None:
    script = Script([lines("1", dropped=2), lines(unexamined=3)])

    async def go() -> bytes:
        async with contextlib.aclosing(await script.follow(FollowRequest())) as parts:
            return await anext(parts)

    assert run_virtually(go()) == b'1\n{"dropped":2,"unexamined":3}\n'


def test_a_quiet_stream_begins_and_continues_with_empty_lines() -> None:
    script = Script()

    async def go() -> list[tuple[bytes, float]]:
        found = []
        async with contextlib.aclosing(await script.follow(FollowRequest())) as parts:
            for _number in range(3):
                found.append((await anext(parts), asyncio.get_running_loop().time()))
        return found

    parts = run_virtually(go())
    assert [part for part, _at in parts] == [b"\n"] * 3
    pauses = [after - before for (_p, before), (_q, after) in itertools.pairwise(parts)]
    assert all(QUIET_S - 0.01 <= pause <= QUIET_S + 2 * ASK_EVERY_S for pause in pauses)


def test_a_reader_who_goes_is_forgotten_by_the_workers() -> None:
    script = Script()

    async def go() -> None:
        parts = await script.follow(FollowRequest())
        await anext(parts)
        assert script.left == []
        await parts.aclose()

    run_virtually(go())
    assert script.left == [1]


def test_the_stream_ends_when_the_node_stops() -> None:
    script = Script([lines("1")])

    async def go() -> list[bytes]:
        parts = await script.follow(FollowRequest())
        found = [await anext(parts)]
        script.node.reason = "stopping"
        return found + [part async for part in parts]

    assert run_virtually(go()) == [b"1\n"]


def test_followers_are_few_and_a_place_comes_back() -> None:
    script = Script()

    async def go() -> None:
        present = [await script.follow(FollowRequest()) for _number in range(MOST_FOLLOWERS)]
        for parts in present:
            await anext(parts)
        with pytest.raises(ProblemError) as refusal:
            await anext(await script.follow(FollowRequest()))
        assert refusal.value.status == 503
        await present[0].aclose()
        assert await anext(await script.follow(FollowRequest())) == b"\n"

    run_virtually(go())


def test_a_filter_that_means_nothing_is_refused_before_anything_is_asked() -> None:
    script = Script()
    with pytest.raises(ProblemError) as refusal:
        run_virtually(script.follow(FollowRequest(filter="statsu")))
    assert (refusal.value.field, script.node.workers.heard) == ("filter", [])


def test_workers_that_do_not_answer_are_named_once_and_when_they_answer_again() -> None:
    script = Script()

    async def go() -> bytes:
        parts = await script.follow(FollowRequest())
        script.node.workers.silent = ["worker 2 (process 7)"]
        found = await anext(parts)
        found += await anext(parts)
        script.node.workers.silent = []
        found += await anext(parts)
        await parts.aclose()
        return found

    assert run_virtually(go()).splitlines() == [
        b'{"dropped":0,"unexamined":0,"silent":["worker 2 (process 7)"]}',
        b"",
        b'{"dropped":0,"unexamined":0,"silent":[]}',
    ]


def test_a_reader_hears_something_in_time_while_a_worker_hangs() -> None:
    script = Script()

    async def ask_slowly(*_: object) -> tuple[list[Lines], list[str]]:
        await asyncio.sleep(ANSWER_S)
        return [], ["worker 2 (process 7)"]

    script.node.workers.ask_and_miss = ask_slowly  # type: ignore[assignment, method-assign]

    async def go() -> list[float]:
        parts = await script.follow(FollowRequest())
        loop, heard = asyncio.get_running_loop(), []
        for _ in range(5):
            await anext(parts)
            heard.append(loop.time())
        await parts.aclose()
        return [after - before for before, after in itertools.pairwise(heard)]

    assert max(run_virtually(go())) <= QUIET_S + ANSWER_S + ASK_EVERY_S
