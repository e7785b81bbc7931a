"""What the demo's network consists of, and where everything listens. Pure.

Two sites of two edges, a site between them and the origins, two origins, somebody else's CDN for
what overflows, a router, two observers; and the page that shows them. All on loopback, each server
on an address of its own, unless another host is wanted: then everything listens on that one, and
ports tell the servers apart.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

LOOPBACK = "127.0.0.1"
PAGE_PORT = 8080
ROUTER_PORT = 8053
ORIGIN_PORT = 8000
SERVER_PORT = 8081
CLOUD_PORT = 8002
OBSERVER_PORT = 8091
SITES = {"north": ("n1", "n2"), "south": ("s1", "s2"), "mid": ("m1",)}
ORIGINS = ("origin-a", "origin-b")
CLOUD = "cloud"
OBSERVERS = ("observer-a", "observer-b")


@dataclass(frozen=True, slots=True)
class Place:
    """A host and a port there."""

    host: str
    port: int

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"

    @property
    def url(self) -> str:
        """Its URL, without a path."""
        return f"http://{self}"


@dataclass(frozen=True, slots=True)
class PlannedServer:
    """A caching server of the demo: where it serves, and where its admin API is."""

    name: str
    site: str
    place: Place
    admin: Place


@dataclass(frozen=True, slots=True)
class PlannedNode:
    """A router or an observer: where it listens, and where its admin API is."""

    name: str
    place: Place
    admin: Place


@dataclass(frozen=True, slots=True)
class Plan:
    """Where everything listens. `directory` is where configuration, logs and stores are."""

    directory: Path
    page: Place
    routers: tuple[PlannedNode, ...]
    cloud: Place
    origins: dict[str, Place] = field(default_factory=dict)
    servers: tuple[PlannedServer, ...] = ()
    observers: tuple[PlannedNode, ...] = ()

    @property
    def router(self) -> Place:
        """The router that players begin with."""
        return self.routers[0].place

    @property
    def network_file(self) -> Path:
        """The description of the network."""
        return self.directory / "network.toml"

    @property
    def secret_file(self) -> Path:
        """The secret that servers, routers and observers know each other by."""
        return self.directory / "peers.secret"

    @property
    def observers_secret_file(self) -> Path:
        """The secret that observers know each other by."""
        return self.directory / "observers.secret"

    @property
    def token_file(self) -> Path:
        """The token of all admin APIs."""
        return self.directory / "admin.token"

    def store(self, server: str) -> Path:
        """Return the directory of a server's store."""
        return self.directory / server


def make_plan(
    directory: Path,
    host: str,
    page_port: int,
    free_port: Callable[[str, int], int],
    say: Callable[[str], None],
    *,
    routers: int = 1,
) -> Plan:
    """Return a plan on ports that are free; what is not where it was wanted is said. Several
    `routers` are told apart as servers are.

    `free_port` returns the wanted port or any other; 0 wants any. Raises OSError.
    """
    fixed = page_port != 0

    def choose(name: str, at: str, port: int) -> Place:
        wanted = port if fixed else 0
        chosen = free_port(at, wanted)
        if wanted and chosen != wanted:
            say(f"port {wanted} is taken: the {name} listens on {chosen}")
        return Place(at, chosen)

    own = host == LOOPBACK
    page = choose("page", host, page_port)
    planned: list[PlannedNode] = []
    for number in range(routers):
        name = "router" if routers == 1 else f"router-{number + 1}"
        address = f"127.0.9.{number + 1}" if own and number else host
        if own and planned:  # one name can then stand for both
            place = Place(address, free_port(address, planned[0].place.port))
        else:
            place = choose(name, address, ROUTER_PORT if own else ROUTER_PORT + number)
        planned.append(PlannedNode(name, place, Place(LOOPBACK, free_port(LOOPBACK, 0))))
    servers = []
    for number, (name, site) in enumerate(_names(), 1):
        address = f"127.0.{1 + list(SITES).index(site)}.{name[1:]}" if own else host
        place = choose(name, address, SERVER_PORT if own else SERVER_PORT + number)
        admin = Place(LOOPBACK, free_port(LOOPBACK, 0))
        servers.append(PlannedServer(name, site, place, admin))
    cloud = choose(CLOUD, f"127.0.{len(SITES) + 1}.1" if own else host, CLOUD_PORT)
    return Plan(
        directory,
        page,
        tuple(planned),
        cloud,
        {name: choose(name, LOOPBACK, ORIGIN_PORT + i) for i, name in enumerate(ORIGINS)},
        tuple(servers),
        tuple(
            PlannedNode(
                name,
                choose(name, LOOPBACK, OBSERVER_PORT + i),
                Place(LOOPBACK, free_port(LOOPBACK, 0)),
            )
            for i, name in enumerate(OBSERVERS)
        ),
    )


def _names() -> Iterator[tuple[str, str]]:
    for site, servers in SITES.items():
        for server in servers:
            yield server, site


def greeting(plan: Plan) -> str:
    """Return what to do with a demo that runs."""
    return (
        f"Page:    {plan.page.url}/\n"
        f"HLS:     {plan.router.url}/media/master.m3u8\n"
        f"DASH:    {plan.router.url}/media/manifest.mpd\n"
        "Ask twice, and Cache-Status reports where the segment came from, then a hit:\n"
        f"  curl -sLD - -o /dev/null {plan.router.url}/media/seg-0-001.m4s\n"
        f"Files:   {plan.directory}\n"
        "Stop with Ctrl-C."
    )


def commands(plan: Plan) -> dict[str, list[str]]:
    """Return the command of each program, in the order of their start."""
    headrace = str(Path(sys.executable).with_name("headrace"))
    servers = [
        argument
        for server in plan.servers
        if server.site != "mid"
        for argument in ("--server", f"{server.name}={server.place.url}")
    ]
    found = {
        name: [
            *(sys.executable, "-m", "headrace.lab.origin"),
            *("--host", place.host, "--port", str(place.port)),
            *("--router", plan.router.url, *servers),
        ]
        for name, place in (*plan.origins.items(), (CLOUD, plan.cloud))
    }
    for server in plan.servers:
        config = plan.directory / f"{server.name}.toml"
        found[server.name] = [headrace, "edge", "--config", str(config)]
    for router in plan.routers:
        config = plan.directory / f"{router.name}.toml"
        found[router.name] = [headrace, "router", "--config", str(config)]
    for observer in plan.observers:
        config = plan.directory / f"{observer.name}.toml"
        found[observer.name] = [headrace, "feedback", "--config", str(config)]
    return found
