"""The viewers of a network: where they are, and how many watch at which time of the day."""

from __future__ import annotations

import math
from random import Random

from headrace.config.scenario.demand import AudienceTable
from headrace.errors import HeadraceError
from headrace.topology.model import Topology
from headrace.topology.prefix_set import PrefixSet

HOUR_S = 3600.0
V4_NETWORK, V6_NETWORK = 24, 48

USUAL_DAY = (
    0.35, 0.22, 0.13, 0.08, 0.06, 0.06, 0.08, 0.13, 0.18, 0.22, 0.26, 0.30,
    0.36, 0.38, 0.38, 0.40, 0.45, 0.55, 0.68, 0.82, 0.94, 1.00, 0.88, 0.60,
)  # fmt: skip
"""Which share of the viewers watches at each hour of the day, where a scenario does not say."""


class UnknownAudience(HeadraceError):
    """A scenario speaks of clients that the network does not have."""


class Audience:
    """Clients of one network."""

    def __init__(
        self, table: AudienceTable, topology: Topology, chance: Random, starts_s: float
    ) -> None:
        """Find their addresses. Raises UnknownAudience."""
        self.table = table
        self.name = table.network
        self.chance = chance
        self._starts_s = starts_s
        self._curve = table.curve or USUAL_DAY
        self.clients = _clients(table, topology, chance)

    def share_at(self, now: float) -> float:
        """Return which share of them watches: between two hours it changes evenly."""
        hours = (self._starts_s + now) / HOUR_S
        hour = math.floor(hours)
        before, after = self._curve[hour % 24], self._curve[(hour + 1) % 24]
        return before + (after - before) * (hours - hour)

    def draw(self) -> bytes:
        """Return the address of one of them."""
        return self.clients[int(self.chance.random() * len(self.clients))]


def _clients(table: AudienceTable, topology: Topology, chance: Random) -> list[bytes]:
    network = next((one for one in topology.networks if one.name == table.network), None)
    if network is None:
        known = ", ".join(one.name for one in topology.networks[:10]) or "none"
        raise UnknownAudience(
            f"the network has no clients called {table.network!r}: name one of {known}, or add a "
            "[[network]] with its prefixes"
        )
    prefixes = _pairs(network.prefixes)
    if not prefixes:
        raise UnknownAudience(f"{table.network!r} has no prefixes, so no clients: add some")
    found = dict.fromkeys(_client(*chance.choice(prefixes), chance) for _ in range(table.places))
    return list(found)


def _pairs(prefixes: PrefixSet) -> list[tuple[int, int, int]]:
    """Return address, length and the bits of the family of each prefix."""
    v4 = [(address, length, 32) for address, length in prefixes.pairs_v4()]
    return v4 + [(address, length, 128) for address, length in prefixes.pairs_v6()]


def _client(address: int, length: int, bits: int, chance: Random) -> bytes:
    """Return an address in one of the client networks of a prefix."""
    within = V4_NETWORK if bits == 32 else V6_NETWORK
    if length < within:
        address |= chance.getrandbits(within - length) << (bits - within)
    if length < bits:
        address |= 1
    return address.to_bytes(bits // 8)
