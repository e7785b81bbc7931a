"""What is said of rules while they are changed, and which are made then."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import replace

import pytest

from headrace.vip.handover import passing
from headrace.vip.handover.passing import BETWEEN_S, Passing
from headrace.vip.handover.programs import ProgramError, ProgramUnclearError
from headrace.vip.handover.ruleset import ruleset
from headrace.vip.handover.seen import Rules
from tests.unit.vip.handover.test_wish import a_wish, an_order

PASSES = a_wish(an_order(2, 1))
ALL = dict(PASSES.targets)
GIVEN_UP = replace(PASSES, targets=())
HANGS = ProgramUnclearError("nft did not end")
REFUSES = ProgramError("nft: cannot allocate memory")
CONNECTS = "neigh"


class Slow(Passing):
    """A kernel that holds PASSES. Looking at it takes as long as `looks` says, changing it as long
    as `changes` says. `made` are the rules that it has been given since, `looked` what was read.
    `fails` is what a program raises, by its name and by the first words of what it is told.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        super().__init__(lambda _what: None, None)
        self.done = self._wish = PASSES
        self._is_read = True
        self.looks, self.changes = asyncio.Event(), asyncio.Event()
        self.made: list[str] = []
        self.looked: list[str] = []
        self.fails: dict[tuple[str, str], ProgramError] = {}

        async def run(program: str, *_words: str, lines: str | None = None) -> bytes:
            self.made.append(lines or "")
            for (name, begin), error in self.fails.items():
                if program == name and (lines or "").startswith(begin):
                    raise error
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
        monkeypatch.setattr(passing, "loosen", lambda _device: None)


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
        one.fails["nft", ""] = HANGS
        one.changes.set()
        one.want(GIVEN_UP)
        await settled()
        assert one.problem
        one.fails.clear()
        one.want(PASSES)
        await settled()
        assert one.made[0] == ruleset(GIVEN_UP)
        assert one.made[-1] == ruleset(PASSES)
        assert not one.problem
        await one.close(remove_all=False)

    asyncio.run(go())


@pytest.mark.parametrize("error", [HANGS, REFUSES])
def test_a_change_that_the_kernel_refuses_leaves_in_force_what_was(
    monkeypatch: pytest.MonkeyPatch, error: ProgramError
) -> None:
    """Rules are replaced at once or not at all. Who said then that it takes nothing was given up,
    and what was open was reset."""

    async def go() -> None:
        one = Slow(monkeypatch)
        one.looks.set()
        one.changes.set()
        one.fails["nft", ""] = error
        one.want(GIVEN_UP)
        await settled()
        assert one.problem == str(error)
        assert one.takes == PASSES.port
        assert one.targets == {}
        await one.close(remove_all=False)

    asyncio.run(go())


@pytest.mark.parametrize("error", [HANGS, REFUSES])
def test_a_tunnel_that_was_not_made_again_to_its_end_is_said_to_take_nothing(
    monkeypatch: pytest.MonkeyPatch, error: ProgramError
) -> None:
    """Its ways to others are missing, so it is made anew, and not taken for whole."""

    async def go() -> None:
        one = Slow(monkeypatch)
        one.looks.set()
        one.changes.set()
        one.fails["ip", CONNECTS] = error
        one.want(replace(PASSES, port=8095))
        await settled()
        assert one.problem
        assert one.takes is None
        one.fails.clear()
        one.made.clear()
        one.want(PASSES)
        await settled()
        assert one.takes == PASSES.port
        assert [lines for lines in one.made if lines.startswith("link add")]
        assert [lines for lines in one.made if lines.startswith(CONNECTS)]
        await one.close(remove_all=False)

    asyncio.run(go())


def test_ways_to_others_that_were_half_made_are_made_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Though what is wished now is what was there: the addresses of the tunnel are dealt out anew
    with each other server, so packets went to the wrong one."""

    async def go() -> None:
        one = Slow(monkeypatch)
        one.looks.set()
        one.changes.set()
        one.fails["bridge", ""] = HANGS
        one.want(replace(PASSES, siblings=(*PASSES.siblings, *PASSES.siblings)))
        await settled()
        assert one.problem
        one.fails.clear()
        one.made.clear()
        one.want(PASSES)
        await settled()
        assert [lines for lines in one.made if lines.startswith(CONNECTS)]
        await one.close(remove_all=False)

    asyncio.run(go())


def test_changes_without_end_take_one_timer(monkeypatch: pytest.MonkeyPatch) -> None:
    async def go() -> None:
        one, timers = Slow(monkeypatch), list[float]()
        loop = asyncio.get_running_loop()
        later = loop.call_later

        def noted(
            delay_s: float, call: Callable[..., object], *rest: object
        ) -> asyncio.TimerHandle:
            timers.append(delay_s)
            return later(delay_s, call, *rest)

        monkeypatch.setattr(loop, "call_later", noted)
        for _ in range(100):
            one._noticed()
        assert timers.count(BETWEEN_S) == 1
        while not one._soon.is_set():  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        one._noticed()
        assert timers.count(BETWEEN_S) == 2

    asyncio.run(go())


def test_what_hangs_is_said_before_anything_else_is_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    rules = Passing(lambda _what: None, None)
    said = list[str]()

    async def hangs() -> Rules | None:
        said.append(rules.problem)
        raise ProgramUnclearError("nft did not end")

    monkeypatch.setattr(passing, "seen_rules", hangs)
    asyncio.run(rules._failed("nft did not end", unclear=True))
    assert said == ["nft did not end"]
