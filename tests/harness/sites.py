"""Real edges that are the servers of one site, on loopback addresses of their own."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from headrace.topology.build import load_topology
from headrace.topology.classify import Classes
from headrace.topology.model import Topology
from headrace.topology.placement import Placement
from tests.harness.certificates import Authority
from tests.harness.edge import HOST, Edge, free_port, running_edge
from tests.harness.toml import to_toml
from tests.harness.wire import Client

SITE = "here"
OTHER_SITE = "there"
MID = "above"
SECRET = "a-secret-of-tests-that-is-long-enough-for-it"


@dataclass(frozen=True, slots=True)
class RunningSite:
    """Edges by the names of their servers, and where they listen."""

    topology: Topology
    edges: dict[str, Edge]
    places: dict[str, tuple[str, int]]

    def order(self, target: str) -> list[str]:
        """Return the servers for a target, the owner first."""
        found = Classes(self.topology.classes).of(HOST.encode(), target.encode())
        assert found is not None
        owners = Placement(self.topology).owners(SITE, found.content, found.shard)
        return [server.name for server in owners.servers]

    def client(self, name: str, **options: Any) -> Client:
        """Return a connection to one of them."""
        return Client(self.places[name], **options)


@contextlib.contextmanager
def running_site(
    origin: str,
    directory: Path,
    names: tuple[str, ...],
    content: Mapping[str, object] = {},
    settings: Mapping[str, object] = {},
    tiering: Mapping[str, object] = {"first_byte": "5s", "answer": "10s"},
    *,
    member: bool = True,
    further: Mapping[str, list[dict[str, object]]] = {},
    peer_tls: Authority | None = None,
    mutual: bool = False,
    mid: tuple[str, ...] = (),
    other: tuple[str, ...] = (),
) -> Iterator[RunningSite]:
    """Start edges that are servers of one site, all of one class; without `member` each is on its
    own. Those of `names` that `mid` has are of a site above it, those that `other` has of another
    site below that. `content` are further keys of the
    class, `settings` of each edge's configuration; `further` are more listeners of some. With
    `peer_tls` they ask each other by TLS at a port apart, with certificates of this authority for
    their own names; if that is `mutual`, they share no secret. By default servers have the patience
    that a busy machine needs.
    """
    directory.mkdir(parents=True, exist_ok=True)
    places = {name: (f"127.0.1.{number}", free_port()) for number, name in enumerate(names, 1)}
    peer_ports = {} if peer_tls is None else {name: free_port() for name in names}
    description = _written(directory, _description(places, content, peer_ports, mid, other))
    secret = directory / "secret"
    secret.write_text(SECRET + "\n")
    secret.chmod(0o600)
    with contextlib.ExitStack() as stack:
        edges = {}
        for name, (address, port) in places.items():
            own: dict[str, object] = {
                "node_id": name,
                "workers": 1,
                **settings,
                "listen": [{"address": f"{address}:{port}"}, *further.get(name, ())],
            }
            if member:
                own["network"] = {
                    "file": description, "server": name, "secret_file": secret, "cdn_name": "test",
                    "tiering": tiering,
                }  # fmt: skip
            if peer_tls is not None:
                _ask_by_tls(own, f"{address}:{peer_ports[name]}", host_of(name), peer_tls)
            if peer_tls is not None and mutual:
                _show_certificates(own, peer_tls)
            edges[name] = stack.enter_context(
                running_edge(origin, directory / name, own, check=False)
            )
        yield RunningSite(load_topology(description), edges, places)
        for edge in edges.values():
            if edge.process.poll() is None:
                assert not edge.problems()


def described_site(directory: Path, names: tuple[str, ...]) -> Path:
    """Return the description of one site with these servers, without any of them running."""
    places = {name: (f"127.0.1.{number}", 8000 + number) for number, name in enumerate(names, 1)}
    return _written(directory, _description(places, {}, {}, ()))


def _written(directory: Path, description: Mapping[str, object]) -> Path:
    path = directory / "network.toml"
    path.write_text(to_toml(description))
    return path


def host_of(name: str) -> str:
    """Return the host that the description gives a server."""
    return f"{name}.{HOST}"


def _ask_by_tls(own: dict[str, Any], address: str, host: str, authority: Authority) -> None:
    """Add to an edge's configuration what it takes to ask, and to be asked, by TLS."""
    pair = authority.issue(host)
    own["listen"].append({"address": address, "tls": True, "peers": True})
    own["certificate"] = [{"cert": pair.cert, "key": pair.key}]
    network = own["network"]
    network["tiering"] = {"ca": authority.ca_file, **network["tiering"]}


def _show_certificates(own: dict[str, Any], authority: Authority) -> None:
    """Let a server be known by its certificate alone."""
    own["listen"][-1]["client_ca"] = authority.ca_file
    del own["network"]["secret_file"]
    own["network"]["tiering"] |= own["certificate"][0]


def _description(
    places: Mapping[str, tuple[str, int]],
    content: Mapping[str, object],
    peer_ports: Mapping[str, int],
    mid: tuple[str, ...],
    other: tuple[str, ...] = (),
) -> dict[str, object]:
    above: list[dict[str, object]] = [{"name": MID, "kind": "mid"}] if mid else []
    below = {"parents": [MID]} if mid else {}
    sites = [SITE, OTHER_SITE] if other else [SITE]
    return {
        "site": [*({"name": site, **below} for site in sites), *above],
        "server": [
            {
                "name": name, "host": host_of(name),
                "site": MID if name in mid else OTHER_SITE if name in other else SITE,
                "ipv4": [address], "http_port": port, "capacity": "10Gbps",
                **({"peer_port": peer_ports[name], "peer_tls": True} if peer_ports else {}),
            }
            for name, (address, port) in places.items()
        ],
        "coverage": [
            {"name": "all", "default": True, "sites": [{"name": site} for site in sites]}
        ],
        "class": [{"name": "objects", "hosts": [HOST], **content}],
    }  # fmt: skip
