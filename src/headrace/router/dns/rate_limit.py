"""Limits the responses to one client network, so that forged queries flood nobody. Pure.

Counts are in a table of fixed size: by a keyed hash of the network, for the second that runs. Two
networks may share a place there; then they share what is allowed.
"""

from __future__ import annotations

import enum
import os
from array import array

PLACES = 1 << 16
IPV4_PREFIX_BYTES = 3
IPV6_PREFIX_BYTES = 7


class Allowed(enum.Enum):
    """What a client network may get."""

    ALL = "an answer"
    SLIP = "a truncated answer, so that a true client asks over TCP"
    NOTHING = "silence"


class RateLimit:
    """At most `per_s` responses a second to a network; of those beyond, one in `slip` is truncated
    and the others are left out. `per_s` 0: no limit. `slip` 0: none is truncated.
    """

    __slots__ = ("_counts", "_key", "_second", "per_s", "slip")

    def __init__(self, per_s: int, slip: int) -> None:
        self.per_s = per_s
        self.slip = slip
        self._key = int.from_bytes(os.urandom(8), "big")
        self._second = -1
        self._counts = array("I")

    def count(self, network: bytes, second: int) -> Allowed:
        """Count a response, and return what may be sent."""
        if not self.per_s:
            return Allowed.ALL
        if second != self._second:
            self._second = second
            self._counts = array("I", bytes(4 * PLACES))
        place = self._place(network)
        counts = self._counts
        count = counts[place] + 1
        counts[place] = count
        if count <= self.per_s:
            return Allowed.ALL
        return Allowed.SLIP if self.slip and not count % self.slip else Allowed.NOTHING

    def has_none_left(self, client: bytes, second: int) -> bool:
        """Return whether the network of an address has had its share; nothing is counted."""
        return (
            second == self._second and self._counts[self._place(network_of(client))] >= self.per_s
        )

    def is_spent(self, client: bytes, second: int) -> bool:
        """Count a response to an address if its network has some left; return whether it has not.

        Who is told so counts it again, to learn what may be sent.
        """
        network = network_of(client)
        if second == self._second and self._counts[self._place(network)] >= self.per_s:
            return True
        return self.count(network, second) is not Allowed.ALL

    def _place(self, network: bytes) -> int:
        return hash((self._key, network)) & (PLACES - 1)


def network_of(address: bytes) -> bytes:
    """Return the network that an address counts with: its /24, or its /56."""
    return address[: IPV4_PREFIX_BYTES if len(address) == 4 else IPV6_PREFIX_BYTES]
