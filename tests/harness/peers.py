"""Requests as other servers of a network send them, and edges in memory that belong to one."""

from __future__ import annotations

from headrace.topology.model import Server, Site, Topology
from headrace.upstream.peering import NO_PURGES, Peer, PeerSecrets, PurgeTimes, sign
from tests.harness.breakable_store import EPOCH_S
from tests.harness.memory_edge import MemoryEdge

SECRETS = PeerSecrets((b"n" * 32, b"o" * 32))
TOPOLOGY = Topology(
    sites=(Site("north"), Site("mid")),
    servers=(
        Server("edge", "north", "edge.example"),
        Server("n2", "north", "n2.example"),
        Server("m1", "mid", "m1.example"),
    ),
)
SIBLING = Peer("n2", "north")


def join(*edges: MemoryEdge, secrets: PeerSecrets = SECRETS) -> None:
    """Let edges be the server "edge" of the network."""
    for edge in edges:
        edge.context.membership.adopt(TOPOLOGY, "edge")
        edge.context.use_secrets(None, secrets)


def now(edge: MemoryEdge) -> float:
    """Return the time that an edge's clock has."""
    return EPOCH_S + edge.loop.time()


def said(
    edge: MemoryEdge, target: str, asker: Peer = SIBLING, *, method: str = "GET", host: str = "h",
    secrets: PeerSecrets = SECRETS, skew_s: float = 0.0,
) -> str:  # fmt: skip
    """Return the field line of a request, signed by a server whose clock is ahead by `skew_s`."""
    at = now(edge) + skew_s
    ((name, value),) = sign(secrets, method.encode(), host.encode(), target.encode(), asker, at)
    return f"{name.decode()}: {value.decode()}"


def knowing(
    *, not_before: float = 0.0, stale_before: float = 0.0, purges: PurgeTimes = NO_PURGES
) -> Peer:
    """Return the sibling, which knows of purges."""
    if purges is NO_PURGES:
        purges = PurgeTimes(not_before, stale_before)
    return Peer("n2", "north", 1, purges)
