"""Where clients go without a plan: their first site serves, and one server of it holds the shard.

That is nearly always so, and then it is the shard alone that counts. It takes less time than to
look into a memory of plans, which shards that hardly come again would only fill.
"""

from __future__ import annotations

from collections.abc import Callable, Collection

from headrace.topology.model import Server
from headrace.topology.tiers import Owned


class Straight:
    """One site for clients of one class who belong there.

    `find` returns who owns a shard there. `made` is for whoever answers, to keep what it made of a
    server, by its name: for one that `server` returned.
    """

    __slots__ = ("_usable", "find", "made")

    def __init__(self, find: Callable[[bytes], Owned], usable: Collection[str]) -> None:
        """`usable` are those of its servers that take new clients and speak what these speak."""
        self.find = find
        self._usable = frozenset(usable)
        self.made: dict[str, object] = {}

    def server(self, shard: bytes) -> Server | None:
        """Return the server that a client is sent to; None: it takes a plan."""
        owners = self.find(shard)
        if owners.width != 1:
            return None
        server = owners.servers[0]
        return server if server.name in self._usable else None
