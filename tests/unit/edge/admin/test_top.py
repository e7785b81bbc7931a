"""GET /top, /connections and /reasons without a socket."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import msgspec

from headrace.cache.key import KeyRules, key_hash
from headrace.edge.admin.purging import Directory, ServiceKeys
from headrace.edge.admin.requests import RowsRequest, UrlRequest
from headrace.edge.admin.top import (
    FRESH_S,
    Client,
    Load,
    ServiceRates,
    ServiceReason,
    service_rates,
)
from headrace.edge.messages import GetFigures, GetReasons, ReasonsAre, Seen
from headrace.telemetry.not_stored import NotStored
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
REASONS = {b"vod": NotStored("no-store", 200, 2, 5.0), b"all": NotStored("private", 200, 1, 9.0)}


class Services:
    """Two services that one host may belong to."""

    directory = Directory(
        (
            ServiceKeys("vod", (b"vod.test",), KeyRules()),
            ServiceKeys("all", (b"*",), KeyRules()),
        )
    )


class Scene:
    """A load whose two workers say the same whenever they are asked."""

    def __init__(self) -> None:
        self.node = FakeNode(FakeWorkers(self._answers))
        self.load = Load(Services(), self.node)

    def _answers(self, question: Any) -> Sequence[msgspec.Struct]:
        if isinstance(question, GetFigures):
            return SEEN
        assert isinstance(question, GetReasons)
        known = {key_hash(name + b"\nvod.test/a"): [reason] for name, reason in REASONS.items()}
        return [ReasonsAre([known.get(one, []) for one in question.key_hashes])] * 2

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


def test_reasons_are_of_each_service_that_may_hold_the_url() -> None:
    scene = Scene()

    async def go() -> None:
        found = await scene.load.reasons(UrlRequest("http://vod.test/a"))
        assert found.reasons == [
            ServiceReason("no-store", 200, 4, 5.0, service="vod"),
            ServiceReason("private", 200, 2, 9.0, service="all"),
        ]

    run_virtually(go())


def test_a_services_rates_need_no_requests() -> None:
    assert service_rates({"a": ServiceFigures()}, 0.0) == [ServiceRates("a", 0.0, None, 0.0, 0)]
