"""Names of origins, looked up anew and kept while the resolver fails."""

from __future__ import annotations

import asyncio
import socket
from typing import Any, cast

import pytest

from headrace.upstream.errors import Failure, OriginError
from headrace.upstream.resolver import (
    FAILURE_KEPT_S,
    KEPT_S,
    KEPT_WITHOUT_RESOLVER_S,
    MOST_ADDRESSES,
    MOST_NAMES,
    Resolver,
)


class Loop:
    """An event loop with a clock of our own and a scripted resolver."""

    def __init__(self) -> None:
        self.now = 0.0
        self.answers: list[str] | None = ["10.0.0.1"]
        self.asked = 0

    def time(self) -> float:
        return self.now

    def create_task(self, work: Any) -> asyncio.Task[Any]:
        return asyncio.get_running_loop().create_task(work)

    async def getaddrinfo(self, host: str, port: int, **_more: object) -> list[Any]:
        self.asked += 1
        if self.answers is None:
            raise socket.gaierror(-2, "Name or service not known")
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (a, port)) for a in self.answers]


def resolve(resolver: Resolver, host: str = "origin.example") -> list[str]:
    found = asyncio.run(cast("Any", resolver.resolve(host, 80)))
    return [each[4][0] for each in found]


def test_an_answer_is_kept_for_a_while_and_then_asked_for_again() -> None:
    loop = Loop()
    resolver = Resolver(cast("Any", loop))
    assert resolve(resolver) == resolve(resolver) == ["10.0.0.1"]
    assert loop.asked == 1
    loop.answers = ["10.0.0.2"]
    loop.now += KEPT_S
    assert resolve(resolver) == ["10.0.0.2"]
    assert resolver.known("origin.example", 80) == frozenset(("10.0.0.2",))


def test_the_last_answer_holds_while_the_resolver_fails_but_not_for_ever() -> None:
    loop = Loop()
    resolver = Resolver(cast("Any", loop))
    resolve(resolver)
    loop.answers = None
    loop.now += KEPT_S
    assert resolve(resolver) == ["10.0.0.1"]
    loop.now += KEPT_WITHOUT_RESOLVER_S
    with pytest.raises(OriginError) as raised:
        resolve(resolver)
    assert raised.value.failure is Failure.DNS


@pytest.mark.parametrize("host", ["192.0.2.1", "2001:db8::1"])
def test_addresses_need_no_resolver(host: str) -> None:
    loop = Loop()
    resolver = Resolver(cast("Any", loop))
    assert resolve(resolver, host) == [host]
    assert (loop.asked, resolver.known(host, 80)) == (0, None)


@pytest.mark.parametrize("answers", [None, []])
def test_a_failure_is_remembered_for_a_moment(answers: list[str] | None) -> None:
    loop = Loop()
    loop.answers = answers
    resolver = Resolver(cast("Any", loop))
    for _ in range(50):
        with pytest.raises(OriginError) as raised:
            resolve(resolver)
        assert raised.value.failure is Failure.DNS
    assert loop.asked == 1
    loop.answers = ["10.0.0.1"]
    loop.now += FAILURE_KEPT_S
    assert resolve(resolver) == ["10.0.0.1"]


def test_while_the_last_answer_holds_the_resolver_is_not_asked_for_each_request() -> None:
    loop = Loop()
    resolver = Resolver(cast("Any", loop))
    resolve(resolver)
    loop.answers = None
    loop.now += KEPT_S
    for _ in range(50):
        assert resolve(resolver) == ["10.0.0.1"]
    assert loop.asked == 2


def test_what_is_kept_is_bounded() -> None:
    loop = Loop()
    loop.answers = [f"10.0.{number >> 8}.{number & 255}" for number in range(4000)]
    resolver = Resolver(cast("Any", loop))
    assert len(resolve(resolver)) == MOST_ADDRESSES
    loop.answers = ["10.0.0.1"]

    async def many() -> None:
        for number in range(MOST_NAMES + 10):
            await resolver.resolve(f"{number}.example", 80)

    asyncio.run(many())
    assert resolver.known("0.example", 80) is None
    assert resolver.known(f"{MOST_NAMES}.example", 80) is not None


def test_a_name_that_cannot_be_one_is_a_dns_failure() -> None:
    class Refusing(Loop):
        async def getaddrinfo(self, host: str, port: int, **_more: object) -> list[Any]:
            raise UnicodeError("label too long")

    with pytest.raises(OriginError) as raised:
        resolve(Resolver(cast("Any", Refusing())))
    assert raised.value.failure is Failure.DNS
