"""The requests that real edges got, given to simulated ones."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from bench.tiering.trace import Request, path_of

from headrace.simulate.content import Kind, Title
from headrace.simulate.network import Network, Servers, Source
from headrace.simulate.node import Node
from headrace.simulate.stores import make_store
from headrace.topology.classify import Classes
from headrace.topology.model import Topology
from tests.harness.edge import HOST


@dataclass(frozen=True, slots=True)
class Replayed:
    """What came of the requests after the warm-up."""

    requests: int
    hits: int
    at_origin: int


def replayed(
    topology: Topology,
    requests: Iterable[Request],
    *,
    warm_up: int,
    body_bytes: int,
    store_bytes: int,
    tiers: bool = True,
) -> Replayed:
    """Return what simulated servers make of requests for `path_of` objects."""
    nodes = {
        server.name: Node(number, server, make_store("s3-fifo", store_bytes))
        for number, server in enumerate(topology.servers)
    }
    servers = Servers(nodes, tiering=tiers)
    network = Network(topology, servers)
    kind = Kind(
        "objects",
        Classes(topology.classes, topology.servers),
        HOST,
        path_of(0).replace("0", "{title}"),
        chunk_s=1.0,
        bit_rate_bps=8 * body_bytes,
        cache_control="max-age=86400",
        horizon_s=3600.0,
    )
    titles: dict[int, Title] = {}
    hits = counted = 0
    for number, request in enumerate(requests):
        if number == warm_up:
            servers.origins.reset()
            hits = counted = 0
        title = titles.get(request.number)
        if title is None:
            title = titles[request.number] = Title(kind, request.number, str(request.number), 1)
        source = network.serve(nodes[request.server], title, 0, 0.0)
        hits += source is Source.HIT
        counted += 1
    return Replayed(counted, hits, servers.origins.requests)
