"""Connecting to the first address that answers (RFC 8305)."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable

import pytest

from headrace.upstream.errors import Failure, OriginError
from headrace.upstream.happy_eyeballs import MOST_TRIED, Resolved, first_connected, interleaved


def address(name: str) -> Resolved:
    family = socket.AF_INET6 if ":" in name else socket.AF_INET
    return family, socket.SOCK_STREAM, 0, "", (name, 80)


def names(found: list[Resolved]) -> list[str]:
    return [each[4][0] for each in found]


def test_families_take_turns_and_the_resolvers_first_comes_first() -> None:
    found = [address(name) for name in ("::1", "::2", "::3", "1.1.1.1", "2.2.2.2")]
    assert names(interleaved(found)) == ["::1", "1.1.1.1", "::2", "2.2.2.2", "::3"]


def test_of_a_hundred_addresses_a_few_are_tried_of_each_family() -> None:
    found = [address(f"::{number}") for number in range(1, 100)]
    found += [address(f"10.0.0.{number}") for number in range(1, 100)]
    tried = names(interleaved(found))
    assert (len(tried), tried[:3]) == (MOST_TRIED, ["::1", "10.0.0.1", "::2"])


Plan = dict[str, Callable[[], Awaitable[str]]]


def connected(plan: Plan) -> tuple[str, list[str], list[str]]:
    """What is connected to, the order of attempts, and what was connected and given up."""
    begun: list[str] = []
    lost: list[str] = []

    async def connect(resolved: Resolved) -> str:
        name = resolved[4][0]
        begun.append(name)
        return await plan[name]()

    async def go() -> str:
        found = await first_connected([address(name) for name in plan], connect, lost.append, 0.01)
        await asyncio.sleep(0.03)
        return found

    return asyncio.run(go()), begun, lost


def at_once(name: str) -> Callable[[], Awaitable[str]]:
    async def answer() -> str:
        return name

    return answer


async def refused() -> str:
    raise OriginError(Failure.CONNECT_REFUSED, "refused")


async def never() -> str:
    await asyncio.sleep(60)
    return "never"


def test_one_that_is_refused_is_followed_at_once() -> None:
    assert connected({"::1": refused, "1.1.1.1": at_once("four")}) == (
        "four", ["::1", "1.1.1.1"], [],
    )  # fmt: skip


def test_one_that_is_slow_is_not_waited_for() -> None:
    found, begun, _lost = connected({"::1": never, "1.1.1.1": at_once("four")})
    assert (found, begun) == ("four", ["::1", "1.1.1.1"])


def test_the_first_that_answers_spares_the_others() -> None:
    assert connected({"::1": at_once("six"), "1.1.1.1": never}) == ("six", ["::1"], [])


def test_one_that_answers_too_late_is_given_up() -> None:
    async def stubborn() -> str:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            return "late"  # it had just been connected
        return "never"

    async def soon() -> str:
        await asyncio.sleep(0.002)
        return "four"

    found, _begun, lost = connected({"::1": stubborn, "1.1.1.1": soon})
    assert (found, lost) == ("four", ["late"])


def test_when_all_fail_the_last_error_is_reported() -> None:
    with pytest.raises(OriginError) as raised:
        connected({"::1": refused, "1.1.1.1": refused})
    assert raised.value.failure is Failure.CONNECT_REFUSED
