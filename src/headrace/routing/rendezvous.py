"""Weighted rendezvous: who of several serves a client, each by its weight.

Each has a score for each client, and the highest wins. A score depends on nobody else, so that a
client moves only when its winner became lighter, or another one heavier.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Protocol, TypeVar

from xxhash import xxh3_64_intdigest

V4_NETWORK_BITS, V6_NETWORK_BITS = 24, 48
"""Clients of one such network are treated alike: a household, or a resolver's client subnet."""
_NOBODY = b"\0"
SCALE = 2.0**-52
_KEEPING = 0x9E3779B97F4A7C15


class Bids(Protocol):
    """Something with a seed and a weight."""

    @property
    def seed(self) -> int:
        """What it is known by in hashes."""

    @property
    def weight(self) -> float:
        """How much it should have."""


Bidder = TypeVar("Bidder", bound=Bids)


def hash_network(client: bytes | None) -> bytes:
    """Return what stands for a client's network in hashes."""
    if client is None:
        return _NOBODY
    return client[:3] if len(client) == 4 else client[:6]


def network_bits(client: bytes) -> int:
    """Return how many bits of an address `hash_network` reads."""
    return V4_NETWORK_BITS if len(client) == 4 else V6_NETWORK_BITS


def score(client: bytes, seed: int, weight: float) -> float:
    """Return what somebody of this seed and weight bids for a client; with weight 0, nothing."""
    if not weight:
        return 0.0
    # Of 52 bits and a half: neither 0 nor 1, whatever the hash is.
    return -weight / math.log(((xxh3_64_intdigest(client, seed) >> 12) + 0.5) * SCALE)


def keeps(client: bytes, seed: int, part: float) -> bool:
    """Return whether a client is of the part that somebody of this seed keeps: a smaller part is
    always a part of a larger one. Not by the hash of `score`, which has its own say."""
    return (xxh3_64_intdigest(client, seed ^ _KEEPING) >> 12) * SCALE < part


def by_score(
    client: bytes,
    bidders: Sequence[Bidder],
    digest: Callable[[bytes, int], int] = xxh3_64_intdigest,
    log: Callable[[float], float] = math.log,
) -> list[Bidder]:
    """Return bidders by falling score; equal ones keep their order. The same as by `score`, but
    without a call for each."""
    bids = [
        (each.weight / log(((digest(client, each.seed) >> 12) + 0.5) * SCALE), number)
        for number, each in enumerate(bidders)
    ]
    bids.sort()
    return [bidders[number] for _bid, number in bids]


def seed_of(name: str) -> int:
    """Return the seed of a site or a server. The same in each process, whatever it started with."""
    return xxh3_64_intdigest(name.encode())
