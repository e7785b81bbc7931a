"""Weighted rendezvous: who of several serves a client, each by its weight.

Each has a score for each client, and the highest wins. A score depends on nobody else, so that a
client moves only when its winner became lighter, or another one heavier.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

from xxhash import xxh3_64_intdigest

V4_NETWORK_BITS, V6_NETWORK_BITS = 24, 48
"""Clients of one such network are treated alike: a household, or a resolver's client subnet."""
_NOBODY = b"\0"
_SCALE = 2.0**-52


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
    return -weight / math.log(((xxh3_64_intdigest(client, seed) >> 12) + 0.5) * _SCALE)


def seed_of(name: str) -> int:
    """Return the seed of a site or a server. The same in each process, whatever it started with."""
    return xxh3_64_intdigest(name.encode())


def ranked(client: bytes, bidders: Iterable[tuple[str, int, float]]) -> list[str]:
    """Return the names of (name, seed, weight) by falling score. Equal ones go by name."""
    scored = sorted((-score(client, seed, weight), name) for name, seed, weight in bidders)
    return [name for _, name in scored]
