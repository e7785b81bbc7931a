"""A caching server in a simulation: its store, whether it works, and what it has served lately."""

from __future__ import annotations

from headrace.edge.tiering.popularity import Popularity
from headrace.simulate.stores import Store
from headrace.topology.model import Server

SLOW_SHARE = 0.1

Flow = tuple[str, str]
"""The names of a coverage and of a class."""


class Node:
    """One server. Counters are of the present interval; whoever measures takes them. `flows` has
    the bytes and requests of clients by coverage and class, `shards` the bytes by class and shard,
    of classes whose shards are widened.
    """

    __slots__ = (
        "_popularity", "client_bytes", "client_hits", "client_requests", "flows", "gives_wrong",
        "index", "is_external", "is_slow", "is_up", "peer_bytes", "peer_hits", "peer_requests",
        "played_s", "server", "shards", "site", "store",
    )  # fmt: skip

    def __init__(
        self, index: int, server: Server, store: Store, *, is_external: bool = False
    ) -> None:
        self.index = index
        self.server = server
        self.site = server.site
        self.store = store
        self.is_external = is_external
        self.is_up = True
        self.is_slow = False
        self.gives_wrong = False
        self.flows: dict[Flow, list[int]] = {}
        self.shards: dict[tuple[str, bytes], int] = {}
        self._popularity: Popularity | None = None
        self.reset()

    def reset(self) -> None:
        """Begin to count again."""
        self.client_bytes = self.client_requests = self.client_hits = 0
        self.peer_bytes = self.peer_requests = self.peer_hits = 0
        self.played_s = 0.0
        self.flows.clear()
        self.shards.clear()

    @property
    def popularity(self) -> Popularity:
        """What it knows of how often objects are asked for."""
        if self._popularity is None:
            self._popularity = Popularity()
        return self._popularity

    @property
    def able_bps(self) -> float:
        """What it can send now."""
        if not self.is_up:
            return 0.0
        return self.server.capacity_bps * (SLOW_SHARE if self.is_slow else 1.0)
