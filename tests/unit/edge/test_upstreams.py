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
from tests.harness.memory_network import (
    MemoryNetwork,
    any_request,
    playbook,
    reset,
    serving,
)
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
        try:
            while await response.read_into(buffer):
                assert self.upstreams.open_places == (0 if response.complete else 1)
        except OriginError as error:
            return error.failure
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


def test_routes_lead_to_pools_and_mirrors() -> None:
    pools = [{"name": name, "origin": [{"url": f"http://{name}"}]} for name in ("old", "new")]
    route = [{"name": "all", "regex": "/(.*)", "mirror": "new", "rewrite": "/v2/\\1"}]
    of = services({"pool": pools, "route": route}, {"origins": ["http://two"]})

    async def run() -> None:
        async with MemoryNetwork() as network:
            scene = Scene(network)
            scene.upstreams.adopt(of)
            resource, request = asked(of, b"s0.test")
            found = scene.upstreams.target(resource, request, b"/a?q", "192.0.2.0/24")
            assert (found.state.pool.name, found.request_target) == ("old", b"/a?q")
            assert (found.service, found.client_network) == ("s0", "192.0.2.0/24")
            assert found.mirror is not None
            assert (found.mirror.state.pool.name, found.mirror.request_target) == (
                "new",
                b"/v2/a?q",
            )
            resource, request = asked(of, b"s1.test")
            found = scene.upstreams.target(resource, request, b"/a?q")
            assert (found.state.pool.name, found.routes, found.mirror) == ("default", (), None)
            scene.close()

    run_virtually(run())


def test_what_is_known_of_origins_outlives_a_reload_and_connections_do_not_outlive_theirs() -> None:
    before = services({"origins": ["http://one", "http://two"]})
    after = services({"origins": ["http://two"]}, {"origins": ["http://three"]})

    async def run() -> None:
        async with MemoryNetwork() as network:
            network.origin("one", serving(b"body"))
            scene = Scene(network)
            scene.upstreams.adopt(before)
            assert await scene.get(before, b"s0.test") == 200
            assert len(scene.client.idle) == 1
            resource, request = asked(before, b"s0.test")
            old = scene.upstreams.target(resource, request, b"/").state
            scene.upstreams.adopt(after)
            assert len(scene.client.idle) == 0
            resource, request = asked(after, b"s0.test")
            new = scene.upstreams.target(resource, request, b"/").state
            assert new.states[0] is old.states[1]
            # A pool that is gone is still there for what began with it.
            four = {"name": "p", "origin": [{"url": "http://four"}]}
            scene.upstreams.adopt(services({"pool": [four]}))
            resource, request = asked(before, b"s0.test")
            found = scene.upstreams.target(resource, request, b"/").state
            assert found.pool is before.all[0].pools["default"]
            assert found is not old
            scene.close()

    run_virtually(run())


def test_what_may_not_be_signed_is_refused_before_anything_is_asked() -> None:
    signing = {"access_key": "id", "secret_key": "secret"}
    pools = [
        {"name": "store", "origin": [{"url": "http://store", "signing": signing}]},
    ]
    of = services({"pool": pools}, {"origins": ["http://two"]})

    async def run() -> None:
        async with MemoryNetwork() as network:
            scene = Scene(network)
            scene.upstreams.adopt(of)
            refusals = {}
            for host, target, has_body in (
                (b"s0.test", b"/bucket/a", False), (b"s0.test", b"/bucket/a?acl", False),
                (b"s0.test", b"/bucket/a", True), (b"s1.test", b"/bucket/a?acl", False),
            ):  # fmt: skip
                resource, request = asked(of, host, target)
                found = scene.upstreams.refusal(resource, request, target, has_body=has_body)
                refusals[host, target, has_body] = None if found is None else found.status
            assert list(refusals.values()) == [None, 403, 400, None]
            scene.close()

    run_virtually(run())


def test_an_origin_that_is_checked_goes_down_and_up_for_its_service() -> None:
    health = {"path": "/health", "interval": 1, "fall": 1, "rise": 1}
    pools = [{"name": "p", "origin": [{"url": "http://one"}], "health": health}]
    of = services({"pool": pools})

    async def run() -> None:
        async with MemoryNetwork() as network:
            network.origin("one", serving(b"", status=500), serving(b"fine"))
            scene = Scene(network)
            with capture_logs() as logged:
                scene.upstreams.adopt(of)
                await asyncio.sleep(0.5)
                network.streams[0].origin.close()
                await asyncio.sleep(2)
                scene.close()
            changes = [line for line in logged if line["event"] in ("origin_down", "origin_up")]
            assert [(line["event"], line["service"], line["origin"]) for line in changes] == [
                ("origin_down", "s0", "one"), ("origin_up", "s0", "one"),
            ]  # fmt: skip
            assert scene.metrics.origin_health_changes == {"down": 1, "up": 1}

    run_virtually(run())


def test_a_body_that_is_continued_or_cannot_be_is_counted_and_logged() -> None:
    of = services({"origins": ["http://one", "http://two"]})
    tag = 'ETag: "a"'
    head = f"HTTP/1.1 200 OK\r\nContent-Length: 400\r\n{tag}\r\n\r\n".encode()
    broken = playbook(any_request, head, b"body", reset)

    async def run() -> None:
        async with MemoryNetwork() as network:
            missing = playbook(any_request, b"HTTP/1.1 404 None\r\nContent-Length: 0\r\n\r\n")
            network.origin("one", broken, broken, missing)
            network.origin("two", serving(b"body" * 100, tag))
            scene = Scene(network)
            scene.upstreams.adopt(of)
            with capture_logs() as logged:
                assert await scene.get(of, b"s0.test") == 200
                network.fails("two", Failure.CONNECT_REFUSED)
                scene.client.idle.retain(())
                assert await scene.get(of, b"s0.test") is Failure.BODY_RESET
            assert scene.metrics.origin_switches == {"reset_in_body": 1}
            assert scene.metrics.origin_switches_failed == {"reset_in_body": 1}
            (line,) = [line for line in logged if line["event"] == "origin_switched"]
            assert (line["service"], line["to"], line["at_byte"]) == ("s0", "two", 4)
            (line,) = [line for line in logged if line["event"] == "origin_switch_failed"]
            assert line["tried"].startswith("one: reset_in_body, two: connect_refused")
            scene.close()

    run_virtually(run())


def test_an_origin_that_fails_too_often_is_counted_and_logged() -> None:
    outliers = {"failures": 2, "paths": 1, "clients": 1}
    origins = [{"url": "http://one"}, {"url": "http://two"}]
    of = services({"pool": [{"name": "p", "origin": origins, "outliers": outliers}]})

    async def run() -> None:
        async with MemoryNetwork() as network:
            network.fails("one", Failure.CONNECT_REFUSED)
            network.origin("two", serving(b"body"))
            scene = Scene(network)
            scene.upstreams.adopt(of)
            with capture_logs() as logged:
                assert [await scene.get(of, b"s0.test") for _ in range(3)] == [200] * 3
            assert scene.metrics.origin_ejections == {"s0/p/one": 1}
            assert scene.metrics.origin_retries == {"connect_refused": 2}
            assert [line["event"] for line in logged].count("origin_ejected") == 1
            scene.close()

    run_virtually(run())
