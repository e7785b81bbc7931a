"""What is said of rules while they are changed, and which are made then."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import replace

import pytest

from headrace.vip.handover import passing
from headrace.vip.handover.passing import Passing
from headrace.vip.handover.programs import ProgramSlowError
from headrace.vip.handover.ruleset import ruleset
from headrace.vip.handover.seen import Rules
from tests.unit.vip.handover.test_wish import a_wish, an_order

PASSES = a_wish(an_order(2, 1))
ALL = dict(PASSES.targets)
GIVEN_UP = replace(PASSES, targets=())


class Slow(Passing):
    """A kernel that holds PASSES. Looking at it takes as long as `looks` says, changing it as long
    as `changes` says. `made` are the rules that it has been given since, `looked` what was read.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        super().__init__(lambda _what: None, None)
        self.done = self._wish = PASSES
        self._is_read = True
        self.looks, self.changes = asyncio.Event(), asyncio.Event()
        self.made: list[str] = []
        self.looked: list[str] = []
        self.slow = False

        async def run(_program: str, *_words: str, lines: str | None = None) -> bytes:
            self.made.append(lines or "")
            if self.slow:
                raise ProgramSlowError("nft did not end")
            await self.changes.wait()
            return b""

        async def seen_rules() -> Rules | None:
            self.looked.append("rules")
            await self.looks.wait()
            return Rules("", {})

        async def seen_tunnel() -> str:
            self.looked.append("tunnel")
            return ""

        monkeypatch.setattr(passing, "Changes", lambda _noticed: contextlib.nullcontext())
        monkeypatch.setattr(passing, "run", run)
        monkeypatch.setattr(passing, "seen_rules", seen_rules)
        monkeypatch.setattr(passing, "seen_tunnel", seen_tunnel)
        monkeypatch.setattr(passing, "is_up", lambda: True)


async def settled() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


def test_what_is_to_end_or_may_have_ended_is_not_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that was cut off sends again when a neighbour says that it passes on."""

    async def go() -> None:
        one = Slow(monkeypatch)
        assert one.targets == ALL != {}
        one.want(GIVEN_UP)
        assert one.targets == {}
        await settled()
        assert one.made == [ruleset(GIVEN_UP)]
        one.want(PASSES)
        assert one.targets == {}
        one.changes.set()
        await settled()
        assert one.made == [ruleset(GIVEN_UP), ruleset(PASSES)]
        assert one.targets == ALL
        await one.close(remove_all=False)

    asyncio.run(go())


def test_a_wish_that_is_over_before_it_was_begun_is_not_done(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def go() -> None:
        one = Slow(monkeypatch)
        async with one._turn:
            one.want(GIVEN_UP)
            await settled()
            one.want(PASSES)
        one.looks.set()
        await settled()
        assert one.made == []
        assert one.targets == ALL
        await one.close(remove_all=False)

    asyncio.run(go())


def test_what_is_wished_does_not_wait_for_what_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that was cut off may be reached again at any time, and all of it is seven programs,
    each of which takes half a second on a busy machine."""

    async def go() -> None:
        one = Slow(monkeypatch)
        one.changes.set()
        one.want(GIVEN_UP)
        await settled()
        assert (one.made, one.looked) == ([ruleset(GIVEN_UP)], ["rules"])
        assert one.done == GIVEN_UP
        one.want(PASSES)
        await settled()
        assert one.made == [ruleset(GIVEN_UP), ruleset(PASSES)]
        assert one.done == PASSES
        one.looks.set()
        await settled()
        assert one.looked == ["rules", "rules", "tunnel"]
        await one.close(remove_all=False)

    asyncio.run(go())


def test_a_change_that_failed_is_made_again_though_it_is_no_longer_wished(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A program that did not end in time may have changed the rules."""

    async def go() -> None:
        one = Slow(monkeypatch)
        one.looks.set()
        one.slow = True
        one.changes.set()
        one.want(GIVEN_UP)
        await settled()
        assert one.problem
        one.slow = False
        one.want(PASSES)
        await settled()
        assert one.made == [ruleset(GIVEN_UP), ruleset(PASSES)]
        assert not one.problem
        await one.close(remove_all=False)

    asyncio.run(go())


def test_what_hangs_is_said_before_anything_else_is_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    rules = Passing(lambda _what: None, None)
    said = list[str]()

    async def hangs() -> Rules | None:
        said.append(rules.problem)
        raise ProgramSlowError("nft did not end")

    monkeypatch.setattr(passing, "seen_rules", hangs)
    asyncio.run(rules._failed("nft did not end", keep=True))
    assert said == ["nft did not end"]
