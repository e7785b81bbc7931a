"""GET /top and /connections without a socket."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import msgspec

from headrace.node.admin.activity import (
    FRESH_S,
    Activity,
    Client,
    RowsRequest,
    ServiceRates,
    service_rates,
)
from headrace.node.live.messages import GetFigures, Seen
from headrace.telemetry.watch import FIGURES_LEASE_S, Figures, HotObject, ServiceFigures
from tests.harness.fake_node import FakeNode, FakeWorkers
from tests.harness.virtual_time import run_virtually

SEEN = [
    Seen(
        Figures(2.0, {"vod": ServiceFigures(8, 6, 1, 100)}, 8, [HotObject("vod", "h/a", 5, 0)]),
        {"192.0.2.0": 3, "198.51.100.0": 1},
        unlisted=2,
    ),
    Seen(Figures(2.0, {"live": ServiceFigures(20, 0, 0, 4)}), {"192.0.2.0": 4}, unlisted=1),
]


class Scene:
    """A load whose two workers say the same whenever they are asked."""

    def __init__(self) -> None:
        self.node = FakeNode(FakeWorkers(self._answers))
        self.load = Activity(self.node)

    def _answers(self, question: Any) -> Sequence[msgspec.Struct]:
        assert isinstance(question, GetFigures)
        return SEEN

    @property
    def asked(self) -> int:
        return len(self.node.workers.heard)


def test_the_first_figures_have_no_rates_and_the_next_are_of_the_time_between() -> None:
    scene = Scene()

    async def go() -> None:
        first = await scene.load.top(RowsRequest())
        assert (first.seconds, first.requests_per_s) == (0.0, 0.0)
        scene.node.metrics.requests_hit += 30
        await asyncio.sleep(10)
        second = await scene.load.top(RowsRequest())
        assert (second.seconds, second.requests_per_s, second.hit_ratio) == (10.0, 3.0, 1.0)

    run_virtually(go())


def test_whoever_asks_within_a_second_gets_the_same_figures() -> None:
    scene = Scene()

    async def go() -> None:
        await asyncio.gather(*(scene.load.top(RowsRequest()) for _number in range(5)))
        await asyncio.sleep(FRESH_S * 0.9)
        await scene.load.connections(RowsRequest())
        assert scene.asked == 1
        await asyncio.sleep(FRESH_S * 0.2)
        await scene.load.top(RowsRequest())
        assert scene.asked == 2

    run_virtually(go())


def test_figures_too_long_ago_are_no_beginning() -> None:
    scene = Scene()

    async def go() -> None:
        await scene.load.top(RowsRequest())
        scene.node.metrics.requests_hit += 30
        await asyncio.sleep(FIGURES_LEASE_S + 1)
        assert (await scene.load.top(RowsRequest())).requests_per_s == 0.0

    run_virtually(go())


def test_lists_are_as_long_as_asked_for() -> None:
    scene = Scene()

    async def go() -> None:
        top = await scene.load.top(RowsRequest(limit=1))
        assert [row.service for row in top.services] == ["live"]
        assert top.clients == [Client("192.0.2.0", 7)]
        everything = await scene.load.top(RowsRequest())
        assert [row.service for row in everything.services] == ["live", "vod"]

    run_virtually(go())


def test_connections_beyond_the_list_are_counted_together() -> None:
    scene = Scene()

    async def go() -> None:
        found = await scene.load.connections(RowsRequest(limit=1))
        assert (found.clients, found.others) == ([Client("192.0.2.0", 7)], 4)

    run_virtually(go())


def test_a_services_rates_need_no_requests() -> None:
    assert service_rates({"a": ServiceFigures()}, 0.0) == [ServiceRates("a", 0.0, None, 0.0, 0)]


def test_who_caches_nothing_has_no_hits() -> None:
    rates = service_rates({"vod": ServiceFigures(8, 0, 1, 100)}, 2.0, caches=False)
    assert rates == [ServiceRates("vod", 4.0, None, 0.5, 50)]


def test_a_routers_requests_are_its_answers() -> None:
    node = FakeNode(FakeWorkers(lambda _question: SEEN))
    activity = Activity(node, caches=False)

    async def go() -> None:
        await activity.top(RowsRequest())
        node.metrics.responses[3] += 30
        node.metrics.routed_servers["n1"] += 20
        node.metrics.dns_answers["NOERROR"] += 10
        await asyncio.sleep(10)
        found = await activity.top(RowsRequest())
        assert (found.requests_per_s, found.hit_ratio, found.caches) == (3.0, None, False)
        assert found.status_per_s == {"3xx": 3.0}
        assert (found.sent_per_s, found.dns_per_s) == ({"n1": 2.0}, {"NOERROR": 1.0})
        assert all(row.hit_ratio is None for row in found.services)

    run_virtually(go())
