"""What the silence makes of what programs do and say."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from ipaddress import ip_address

import pytest

from headrace.vip.handover import silencing
from headrace.vip.handover.programs import ProgramError, ProgramUnclearError
from headrace.vip.handover.silence_rules import no_silence
from headrace.vip.handover.silencing import LASTS_S, Silencing
from headrace.vip.plan.model import Address

VIP = ip_address("192.0.2.1")
GONE = b'{"nftables": [{"set": {"name": "silent4"}}]}'


class Kernel:
    """Stands in for `nft`: `listed` is what it lists, `error` what it raises when it makes some."""

    def __init__(self) -> None:
        self.listed = GONE
        self.error: Exception | None = None
        self.ran: list[str] = []

    async def run(self, *words: str, lines: str | None = None, **_more: str) -> bytes:
        if lines is None:
            return self.listed
        self.ran.append(lines)
        if self.error is not None:
            raise self.error
        return b""


@pytest.fixture
def kernel(monkeypatch: pytest.MonkeyPatch) -> Kernel:
    found = Kernel()
    monkeypatch.setattr(silencing, "run", found.run)
    monkeypatch.setattr(silencing, "RENEW_S", 0.01)
    return found


def silenced(then: Callable[[Silencing], bool]) -> Silencing:
    """Let a VIP be silent until that holds."""

    async def run() -> Silencing:
        found = Silencing(asyncio.Lock())
        found.want(frozenset([VIP]))
        async with asyncio.timeout(20):
            while not then(found):  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        await found.close()
        return found

    return asyncio.run(run())


def test_what_is_gone_soon_was_ended_by_a_packet(kernel: Kernel) -> None:
    silenced(lambda one: one.broken == {VIP})


def test_what_nobody_renewed_in_time_ended_by_itself(
    kernel: Kernel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when this process stood still, or a program did: then it is made again."""
    assert LASTS_S > 0
    monkeypatch.setattr(silencing, "LASTS_S", 0)
    found = silenced(lambda _one: len(kernel.ran) > 3)
    assert found.broken == frozenset()


@pytest.mark.parametrize("error", [ProgramError("no"), OSError("no"), KeyError("no")])
def test_no_failure_ends_the_attempts(kernel: Kernel, error: Exception) -> None:
    kernel.error = error

    def is_tried(one: Silencing) -> bool:
        if len(kernel.ran) > 3:
            kernel.error = None
        return kernel.error is None and not one.problem

    silenced(is_tried)


def test_what_may_have_been_made_is_removed(kernel: Kernel) -> None:
    """By a program that did not end in time, however often it fails to be."""

    async def run() -> None:
        found = Silencing(asyncio.Lock())
        kernel.error = ProgramUnclearError("slow")
        found.want(frozenset([VIP]))
        async with asyncio.timeout(20):
            while not found.problem:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
            found.want(frozenset[Address]())
            while kernel.ran[-1] != no_silence():  # noqa: ASYNC110
                await asyncio.sleep(0.01)
            kernel.error = None
            while found.problem:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        await found.close()

    asyncio.run(run())


def test_what_a_former_process_left_is_cleared_but_not_what_this_one_made(kernel: Kernel) -> None:
    """A start may wait for its first checks before it clears, and be cut off meanwhile."""

    async def run() -> None:
        found = Silencing(asyncio.Lock())
        await found.clear_left()
        assert kernel.ran == [no_silence()]
        found.want(frozenset([VIP]))
        async with asyncio.timeout(20):
            while len(kernel.ran) < 2:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        await found.clear_left()
        assert no_silence() not in kernel.ran[1:]
        await found.close()

    asyncio.run(run())
