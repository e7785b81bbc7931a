"""Reports are made once for all who ask within a moment, whoever of the workers answers."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, cast

import msgspec
import pytest

from headrace.node.admin.load import FRESH_S, LONGEST_S, MOST_SILENT, Identity, Reporter
from headrace.node.admin.operations import NoRequest
from headrace.node.running import Node
from headrace.telemetry.load_report import LoadReport
from headrace.telemetry.worker_load import WorkerLoad
from tests.harness.fake_node import FakeNode, FakeWorkers


class Edge:
    """A node of workers that send 1,000 bytes each second; its clock is the test's."""

    def __init__(self) -> None:
        self.now_s = 100.0
        self.silent: set[str] = set()
        self.workers = FakeWorkers(self._answers)
        self.node = FakeNode(self.workers)
        self.reporter = Reporter(
            cast(Node, self.node), lambda: Identity("n1", "edge"), lambda: self.now_s
        )

    def _answers(self, _question: Any) -> Sequence[msgspec.Struct]:
        return [
            WorkerLoad(name, 0.0, up_s=self.now_s, bytes_sent=round(1000 * self.now_s))
            for name in ("a", "b")
            if name not in self.silent
        ]

    async def report(self) -> LoadReport:
        return await self.reporter.report(NoRequest())


@pytest.fixture
def edge(monkeypatch: pytest.MonkeyPatch) -> Edge:
    found = Edge()

    async def sleep(seconds: float) -> None:
        found.now_s += seconds

    monkeypatch.setattr("headrace.node.admin.load.asyncio.sleep", sleep)
    return found


def test_the_first_one_waits_a_moment_and_all_of_a_moment_are_the_same(edge: Edge) -> None:
    async def main() -> None:
        first = await edge.report()
        assert (first.interval_s, first.age_s) == (FRESH_S, 0.0)
        assert first.egress_bps == pytest.approx(2 * 8000)
        heard = len(edge.workers.heard)
        edge.now_s += FRESH_S / 2
        again = await asyncio.gather(*(edge.report() for _ in range(5)))
        assert len(edge.workers.heard) == heard
        assert {one.age_s for one in again} == {FRESH_S / 2}
        assert {one.egress_bps for one in again} == {first.egress_bps}
        edge.now_s += 3.0
        later = await edge.report()
        assert later.interval_s == 3.0 + FRESH_S / 2
        assert len(edge.workers.heard) == heard + 1

    asyncio.run(main())


def test_what_was_long_ago_is_not_compared_with(edge: Edge) -> None:
    async def main() -> None:
        await edge.report()
        edge.now_s += LONGEST_S + 1
        assert (await edge.report()).interval_s == FRESH_S

    asyncio.run(main())


def test_a_worker_that_does_not_answer_makes_no_leap(edge: Edge) -> None:
    async def main() -> None:
        await edge.report()
        for missed in (1, MOST_SILENT, MOST_SILENT + 3):
            edge.silent = {"b"}
            for _ in range(missed):
                edge.now_s += 1.0
                assert (await edge.report()).egress_bps == pytest.approx(8000)
            edge.silent = set()
            edge.now_s += 1.0
            most = 8000 * (1 + 1 + MOST_SILENT)
            assert 8000 <= (await edge.report()).egress_bps <= most
            edge.now_s += 1.0
            assert (await edge.report()).egress_bps == pytest.approx(2 * 8000)

    asyncio.run(main())


def test_that_it_serves_with_less_than_it_has_is_said(edge: Edge) -> None:
    async def main() -> None:
        assert not (await edge.report()).impaired
        edge.node.impaired = "the store takes nothing new"
        edge.now_s += 1.0
        found = await edge.report()
        assert (found.ready, found.impaired) == (True, True)

    asyncio.run(main())


def test_whether_it_wants_clients_is_said(edge: Edge) -> None:
    async def main() -> None:
        assert (await edge.report()).ready
        edge.node.reason = "draining"
        edge.now_s += 1.0
        found = await edge.report()
        assert (found.ready, found.draining) == (False, True)

    asyncio.run(main())
