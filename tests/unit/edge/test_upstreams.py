"""A worker's pools: where requests go, and what is counted and logged of it."""

from __future__ import annotations

import asyncio
from pathlib import Path

from structlog.testing import capture_logs

from headrace.config.edge import EDGE
from headrace.config.loader import validate_document
from headrace.edge.service.resource import Resource, Resources
from headrace.edge.service.services import Services, compile_services
from headrace.edge.upstreams import Upstreams
from headrace.http.message import Request
from headrace.http.parser import HeadLimits, RequestParser
from headrace.telemetry.metrics import WorkerMetrics
from headrace.upstream.client import OriginClient, OriginTimeouts
from headrace.upstream.errors import Failure, OriginError
from tests.harness.memory_network import MemoryNetwork, serving
from tests.harness.virtual_time import run_virtually


def services(*tables: dict[str, object]) -> Services:
    document = {
        "cache_dir": "/c",
        "listen": [{"address": "127.0.0.1:1"}],
        "service": [
            {"name": f"s{number}", "hosts": [f"s{number}.test"], **table}
            for number, table in enumerate(tables)
        ],
    }
    return compile_services(validate_document(document, EDGE, str, base=Path("/")))


def asked(
    of: Services, host: bytes, target: bytes = b"/a?q", method: bytes = b"GET"
) -> tuple[Resource, Request]:
    text = method + b" " + target + b" HTTP/1.1\r\nHost: " + host + b"\r\n\r\n"
    head = RequestParser(HeadLimits()).parse(text)
    resource = Resources(of).find(head, tls=False)
    return resource, resource.request(head)


class Scene:
    """The upstreams of one worker, over a network in memory."""

    def __init__(self, network: MemoryNetwork) -> None:
        loop = asyncio.get_running_loop()
        self.metrics = WorkerMetrics()
        self.client = OriginClient(loop, network, OriginTimeouts())
        self.upstreams = Upstreams(
            loop, self.client, self.metrics, unix_time=lambda: 0.0, chance=lambda: 0.5
        )

    async def get(self, of: Services, host: bytes) -> int | Failure:
        resource, request = asked(of, host)
        target = self.upstreams.target(resource, request, resource.upstream_target, "192.0.2.0/24")
        try:
            response = await self.upstreams.fetcher.request(target, b"GET", [(b"host", host)])
        except OriginError as error:
            return error.failure
        buffer = memoryview(bytearray(100))
        while await response.read_into(buffer):
            assert self.upstreams.open_places == (0 if response.complete else 1)
        return response.status

    def close(self) -> None:
        self.upstreams.stop()
        self.client.close()


def test_services_whose_pools_share_a_name_are_counted_apart() -> None:
    of = services({"origins": ["http://one"]}, {"origins": ["http://two"]})

    async def run() -> None:
        async with MemoryNetwork() as network:
            network.origin("one", serving(b"body" * 100))
            network.fails("two", Failure.CONNECT_REFUSED)
            scene = Scene(network)
            scene.upstreams.adopt(of)
            assert await scene.get(of, b"s0.test") == 200
            with capture_logs() as logged:
                assert await scene.get(of, b"s1.test") is Failure.CONNECT_REFUSED
            assert scene.metrics.origin_requests == {"s0/default/one": 1, "s1/default/two": 1}
            assert scene.metrics.origin_failures == {"s1/default/two": 1}
            assert set(scene.metrics.origin_wait) == {"s0/default/one", "s1/default/two"}
            (line,) = [line for line in logged if line["event"] == "origin_failed"]
            assert (line["service"], line["pool"], line["origin"]) == ("s1", "default", "two")
            assert scene.upstreams.open_places == 0
            scene.close()

    run_virtually(run())
