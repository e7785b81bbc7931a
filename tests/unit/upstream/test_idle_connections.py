"""Connections that nobody uses just now are kept within bounds, and looked at when taken."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, cast

from headrace.upstream.endpoint import Endpoint
from headrace.upstream.idle_connections import IdleConnections
from headrace.upstream.network import Stream
from tests.harness.virtual_time import run_virtually

from .test_pool import origin


class Line:
    """A connection that is none."""

    def __init__(self) -> None:
        self.closed = False
        self.alive = True

    def idle_and_alive(self) -> bool:
        return self.alive

    def close(self) -> None:
        self.closed = True


A, B, C = (origin(name).endpoint for name in "abc")


def with_idle(talk: Callable[[IdleConnections], None], idle_s: float = 30.0, **more: int) -> None:
    async def run() -> None:
        loop = asyncio.get_running_loop()
        idle = IdleConnections(loop, idle_s, lambda _endpoint, _stream: False, **more)
        talk(idle)
        idle.close()

    run_virtually(run())


def kept(idle: IdleConnections, endpoint: Endpoint) -> Line:
    line = Line()
    idle.keep(endpoint, cast("Stream", line))
    return line


def test_the_last_one_used_is_taken_first_and_dead_ones_are_closed() -> None:
    def talk(idle: IdleConnections) -> None:
        first, second, third = (kept(idle, A) for _ in range(3))
        third.alive = False
        assert cast("Any", idle.take(A)) is second
        assert (third.closed, second.closed, len(idle)) == (True, False, 1)
        assert idle.take(B) is None
        assert cast("Any", idle.take(A)) is first
        assert idle.take(A) is None
        assert len(idle) == 0

    with_idle(talk)


def test_there_is_a_bound_for_each_origin() -> None:
    def talk(idle: IdleConnections) -> None:
        lines = [kept(idle, A) for _ in range(5)]
        assert [line.closed for line in lines] == [True, True, True, False, False]
        assert len(idle) == 2

    with_idle(talk, per_origin=2)


def test_there_is_a_bound_in_all_and_the_oldest_goes() -> None:
    def talk(idle: IdleConnections) -> None:
        lines = [kept(idle, endpoint) for endpoint in (A, B, C, A, B)]
        assert [line.closed for line in lines] == [True, True, False, False, False]
        assert len(idle) == 3

    with_idle(talk, in_all=3)


def test_one_for_an_origin_alone_in_a_full_house_is_kept() -> None:
    def talk(idle: IdleConnections) -> None:
        old, new = kept(idle, A), kept(idle, A)
        assert (old.closed, new.closed, len(idle)) == (True, False, 1)
        assert cast("Any", idle.take(A)) is new

    with_idle(talk, in_all=1)


def test_what_leads_elsewhere_than_the_configuration_is_closed() -> None:
    def talk(idle: IdleConnections) -> None:
        lines = [kept(idle, endpoint) for endpoint in (A, B, A)]
        idle.retain({B})
        assert [line.closed for line in lines] == [True, False, True]
        assert len(idle) == 1

    with_idle(talk)


def test_what_comes_back_after_the_end_is_closed() -> None:
    def talk(idle: IdleConnections) -> None:
        before = kept(idle, A)
        idle.close()
        assert before.closed
        assert kept(idle, A).closed

    with_idle(talk)


def test_without_idle_time_nothing_is_kept() -> None:
    with_idle(lambda idle: _assert(kept(idle, A).closed), idle_s=0.0)


def _assert(what: bool) -> None:
    assert what


def test_they_are_closed_in_time_when_no_request_comes() -> None:
    async def run() -> None:
        idle = IdleConnections(asyncio.get_running_loop(), 30.0, lambda _endpoint, _stream: False)
        first, second = kept(idle, A), kept(idle, B)
        await asyncio.sleep(20)
        third = kept(idle, A)
        await asyncio.sleep(11)
        assert [line.closed for line in (first, second, third)] == [True, True, False]
        await asyncio.sleep(20)
        assert third.closed
        assert len(idle) == 0

    run_virtually(run())
