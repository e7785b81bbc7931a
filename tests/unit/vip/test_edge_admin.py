"""What is asked of an edge, and told to it. The edge is played."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
from aiohttp import web

from headrace.vip.checks.judged import Judged
from headrace.vip.edge_admin import DETAIL_LETTERS, EdgeAdmin
from headrace.vip.edge_turn import with_edge
from headrace.vip.plan.health import Found


def in_two_parts(body: bytes) -> AsyncIterator[bytes]:
    """A body that comes in two, one after the other."""

    async def parts() -> AsyncIterator[bytes]:
        yield body[:5]
        await asyncio.sleep(0.05)
        yield body[5:]

    return parts()


async def told(
    tmp_path: Path, *, ready: str, draining: bool, parted: bool = False, impaired: str = ""
) -> tuple[EdgeAdmin, list[str]]:
    """Let an edge that says this of itself be drained; return what was known and told."""
    paths: list[str] = []

    def json(status: int, **said: object) -> web.Response:
        body = msgspec.json.encode(said)
        return web.Response(status=status, body=in_two_parts(body) if parted else body)

    async def answer(request: web.Request) -> web.Response:
        paths.append(request.path)
        if request.path == "/ready":
            return json(503 if ready else 200, detail=ready, impaired=impaired)
        return json(200, draining=draining, connections=3)

    application = web.Application()
    application.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(application)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    token = tmp_path / "token"
    token.write_text("secret-of-the-admin-api\n")
    token.chmod(0o600)
    edge = EdgeAdmin(site.name, token)
    edge.want(drained=True)
    task = asyncio.create_task(edge.run())
    try:
        async with asyncio.timeout(20):
            while not edge.draining and "/drain" not in paths:  # noqa: ASYNC110 - the edge is asked
                await asyncio.sleep(0.01)
    finally:
        task.cancel()
        await runner.cleanup()
    return edge, paths


def test_an_edge_that_does_not_drain_is_told_to(tmp_path: Path) -> None:
    edge, paths = asyncio.run(told(tmp_path, ready="", draining=False))
    assert paths[:3] == ["/ready", "/report", "/drain"]
    assert edge.draining is False


def test_what_an_edge_says_is_read_to_its_end(tmp_path: Path) -> None:
    edge, _paths = asyncio.run(told(tmp_path, ready="no disk", draining=True, parted=True))
    assert (edge.draining, edge.unready, edge.connections) == (True, "no disk", 3)


def test_an_edge_that_ends_is_leaving_and_told_nothing(tmp_path: Path) -> None:
    edge, paths = asyncio.run(told(tmp_path, ready="stopping", draining=False))
    assert (edge.draining, edge.unready, edge.connections) == (True, "stopping", 3)
    assert paths == ["/ready", "/report"]


def test_what_is_wrong_with_an_edge_that_is_ready_makes_a_check_count_less(tmp_path: Path) -> None:
    edge, _paths = asyncio.run(told(tmp_path, ready="", draining=True, impaired="full" * 100))
    assert edge.unready == ""
    assert edge.impaired == ("full" * 100)[:DETAIL_LETTERS]
    found, why = with_edge(Judged(Found.PASSED), edge)
    assert (found, why[:30]) == (Found.IMPAIRED, "the edge is impaired: fullfull")
    failed = Judged(Found.FAILED, "refused")
    assert with_edge(failed, edge) == (Found.FAILED, "refused")


def test_of_a_long_reason_little_is_kept(tmp_path: Path) -> None:
    """It stands in each event about each VIP."""
    edge, _paths = asyncio.run(told(tmp_path, ready="x" * 100_000, draining=True))
    assert edge.unready == "x" * DETAIL_LETTERS


def test_an_edge_that_is_not_there_is_said_in_plain_words(tmp_path: Path) -> None:
    async def said() -> str:
        edge = EdgeAdmin("http://127.0.0.1:1", None)
        task = asyncio.create_task(edge.run())
        try:
            async with asyncio.timeout(20):
                while not edge.problem:  # noqa: ASYNC110 - nobody answers
                    await asyncio.sleep(0.01)
        finally:
            task.cancel()
        return edge.problem

    assert asyncio.run(said()) == "http://127.0.0.1:1: Connection refused"
