"""Reports pulled over real sockets: what is taken, and what is refused and counted."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import uvloop

from headrace.feedback.observe.reports import PullTimes, ReportPuller, Source, sources_of
from headrace.telemetry.load_report import LARGEST_BYTES, LoadReport, encode_report
from headrace.topology.model import Server, Topology
from tests.harness.edge import TOKEN, running_edge
from tests.harness.origin import Origin

TIMES = PullTimes(interval_s=0.1, timeout_s=2.0, oldest_s=10.0)
GOOD = encode_report(LoadReport(node="n1", role="edge", interval_s=1.0, egress_bps=5e9))


def answer(body: bytes, status: bytes = b"200 OK") -> bytes:
    return b"HTTP/1.1 %s\r\nContent-Length: %d\r\n\r\n%s" % (status, len(body), body)


class Node:
    """Says what a test wants; remembers what it heard."""

    def __init__(self) -> None:
        self.says = answer(GOOD)
        self.heard: list[bytes] = []
        self.connections = 0
        self.port = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                self.heard.append(head)
                writer.write(self.says)
                await writer.drain()
        except (OSError, EOFError):
            pass
        finally:
            writer.close()


@asynccontextmanager
async def pulling(name: str = "n1") -> AsyncIterator[tuple[Node, ReportPuller]]:
    node = Node()
    server = await asyncio.start_server(node.serve, "127.0.0.1", 0)
    node.port = server.sockets[0].getsockname()[1]
    puller = ReportPuller([Source(name, f"http://127.0.0.1:{node.port}")], TOKEN, TIMES)
    task = asyncio.create_task(puller.run())
    try:
        yield node, puller
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        server.close()


async def until(holds: Callable[[], object]) -> None:
    async with asyncio.timeout(30):
        while not holds():  # noqa: ASYNC110 (nothing tells of it)
            await asyncio.sleep(0.005)


def run(main: Coroutine[None, None, None]) -> None:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main)


def now_s() -> float:
    return asyncio.get_running_loop().time()


def test_a_report_is_taken_with_its_age_over_one_connection() -> None:
    async def main() -> None:
        async with pulling() as (node, puller):
            await until(lambda: len(node.heard) >= 4)
            found = puller.at(now_s() + 3.0)["n1"]
            assert found.report.egress_bps == 5e9
            assert 3.0 <= found.age_s < 30.0
            assert f"Authorization: Bearer {TOKEN}\r\n".encode() in node.heard[0]
            assert node.connections == 1
            assert not puller.refused

    run(main())


@pytest.mark.parametrize(
    ("says", "kind"),
    [
        (answer(GOOD.replace(b"5000000000.0", b"-5.0")), "negative"),
        (answer(GOOD.replace(b"5000000000.0", b"NaN")), "malformed"),
        (answer(GOOD.replace(b"5000000000.0", b"1e300")), "excessive"),
        (answer(GOOD.replace(b'"n1"', b'"n2"')), "other_node"),
        (answer(GOOD.replace(b'"role"', b'"age_s":11,"role"')), "old"),
        (answer(b"{}"), "invalid"),
        (answer(b"", b"401 Unauthorized"), "unauthenticated"),
        (answer(b"", b"503 No"), "status"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (LARGEST_BYTES + 1), "malformed"),
        (b"nonsense\r\n\r\n", "malformed"),
    ],
)
def test_nonsense_is_refused_by_its_kind_and_changes_nothing(says: bytes, kind: str) -> None:
    async def main() -> None:
        async with pulling() as (node, puller):
            await until(lambda: puller.taken)
            before = puller.at(now_s())["n1"].report
            node.says = says
            await until(lambda: puller.refused)
            assert set(puller.refused) == {kind}
            assert puller.at(now_s())["n1"].report == before
            node.says = answer(GOOD)
            taken = puller.taken
            await until(lambda: puller.taken > taken)

    run(main())


def test_a_node_that_is_not_there_or_not_found_is_counted() -> None:
    async def main() -> None:
        async with pulling() as (node, puller):
            await until(lambda: puller.taken)
            puller.sources = (
                Source("gone", "http://127.0.0.1:1"),
                Source("nameless", "http://no-such-host.invalid:1"),
            )
            await until(lambda: {"refused", "unresolved"} <= set(puller.refused))
            assert puller.at(now_s()) == {}
            heard = len(node.heard)
            puller.sources = (Source("n1", f"http://localhost:{node.port}"),)
            await until(lambda: len(node.heard) > heard)
            await until(lambda: puller.at(now_s()))

    run(main())


def test_a_real_edge_is_asked(tmp_path: Path) -> None:
    with Origin() as origin, running_edge(origin.url, tmp_path, {"node_id": "e1"}) as edge:

        async def main() -> None:
            url = f"http://127.0.0.1:{edge.admin_port}"
            puller = ReportPuller([Source("e1", url)], TOKEN, TIMES)
            task = asyncio.create_task(puller.run())
            await until(lambda: puller.taken >= 3)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            assert puller.at(now_s())["e1"].report.ready

        run(main())


def test_the_servers_are_those_that_say_where_they_are_asked() -> None:
    servers = (Server("a", "s", "a", admin_url="http://192.0.2.1:9090"), Server("b", "s", "b"))
    assert sources_of(Topology(servers=servers)) == (Source("a", "http://192.0.2.1:9090"),)
