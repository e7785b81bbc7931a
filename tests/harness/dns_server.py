"""The router's DNS servers in this process, on a loop in a thread, over a small network."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path
from typing import Any, TypeVar

import uvloop

from headrace.config.router.dns import Dns
from headrace.router.dns.servers import DnsServers
from headrace.router.tallies import Tallies
from headrace.routing.decide import Routing
from headrace.telemetry.metrics import WorkerMetrics
from headrace.topology.coverage import CoverageTable
from headrace.topology.model import ContentClass, Topology
from headrace.topology.placement import Placement
from headrace.topology.view import NO_VIEW, View
from tests.harness.networks import two_sites

T = TypeVar("T")

ZONES = (
    {
        "name": "cdn.example",
        "nameservers": ["ns1.cdn.example", "ns2.cdn.example"],
        "record": [
            {"name": "ns1", "type": "A", "value": "192.0.2.53"},
            {"name": "ns1", "type": "AAAA", "value": "2001:db8::53"},
            {"name": "@", "type": "CAA", "value": '0 issue "ca.example"'},
            {"name": "@", "type": "TXT", "value": '"a zone" "of the router"', "ttl": "1h"},
            {"name": "www.about", "type": "CNAME", "value": "pages.example.net."},
        ],
    },
    {"name": "vod.example", "nameservers": ["ns1.cdn.example"]},
    {"name": "shards.example", "nameservers": ["ns1.cdn.example"]},
)


def dns_network(servers_each: int = 3) -> Topology:
    """Return two sites whose servers have IPv6 addresses too, and a class that DNS shards."""
    network = two_sites(servers_each)
    servers = tuple(
        replace(server, ipv6=(IPv6Address(f"2001:db8:c::{number:x}"),))
        for number, server in enumerate(network.servers, 1)
    )
    return replace(
        network,
        servers=servers,
        classes=(
            ContentClass("vod", ("vod.example", "*.vod.example")),
            ContentClass("shards", ("*.shards.example",), shard_key="{host}"),
        ),
    )


def dns_config(port: int = 53, *hosts: str, **more: Any) -> Dns:
    """Return a configuration for some zones, without a limit on responses."""
    document = {
        "listen": [f"{host}:{port}" for host in hosts or ("127.0.0.1",)],
        "zone": list(ZONES),
        "limits": {"responses_per_second": 0},
    }
    return Dns.model_validate(document | more)


def routing_of(topology: Topology, view: View = NO_VIEW) -> Routing:
    """Return the routing of a network."""
    return Routing(topology, Placement(topology, view), CoverageTable(topology), view=view)


@dataclass(slots=True)
class RunningDns:
    """DNS servers that run. What touches them is done on their loop, by `call`."""

    servers: DnsServers
    metrics: WorkerMetrics
    port: int
    directory: Path
    loop: asyncio.AbstractEventLoop

    def call(self, what: Callable[[], T]) -> T:
        """Do something on the loop, and return what came of it."""

        async def done() -> T:
            return what()

        return asyncio.run_coroutine_threadsafe(done(), self.loop).result(10)

    def reconfigure(self, config: Dns) -> None:
        """Put another configuration in force."""
        self.call(lambda: self.servers.prepare(config, self.directory).commit())

    def adopt(self, topology: Topology, view: View = NO_VIEW) -> None:
        """Put another network in force."""
        routing = routing_of(topology, view)
        self.call(lambda: self.servers.adopt_network(topology, routing))


@contextlib.contextmanager
def running_dns(
    directory: Path,
    *hosts: str,
    topology: Topology | None = None,
    config: Mapping[str, Any] | None = None,
) -> Iterator[RunningDns]:
    """Run DNS servers on a free port of some addresses."""
    port = free_port()
    loop = uvloop.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    metrics = WorkerMetrics()
    running = RunningDns(DnsServers(loop, metrics, Tallies()), metrics, port, directory, loop)
    try:
        running.reconfigure(dns_config(port, *hosts, **(config or {})))
        running.adopt(topology or dns_network())
        yield running
    finally:
        running.call(running.servers.close)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()


def free_port() -> int:
    """Return a port that is free for UDP and TCP."""
    while True:
        with socket.socket() as tcp, socket.socket(type=socket.SOCK_DGRAM) as udp:
            tcp.bind(("127.0.0.1", 0))
            port: int = tcp.getsockname()[1]
            with contextlib.suppress(OSError):
                udp.bind(("127.0.0.1", port))
                return port


def ipv4_of(*numbers: int) -> set[IPv4Address]:
    """Return the addresses that `networks` gives to servers by their numbers."""
    return {IPv4Address(0xC6336400 + number) for number in numbers}
