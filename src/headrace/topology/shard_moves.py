"""Which share of the shards has another owner by two descriptions: by a sample that is always the
same. Pure.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from headrace.topology.model import ContentClass, Site, Topology
from headrace.topology.placement import Placement

SAMPLE = 4096
"""Shards of each site and class; a share is right to about a hundredth."""


@dataclass(frozen=True, slots=True)
class ShardMoves:
    """The shards of one class in one site: the share that moves, and what each server owns."""

    moved: float
    before: Mapping[str, float]
    after: Mapping[str, float]


class ShardSample:
    """Two placements, compared. What is equal for two classes is found once."""

    def __init__(self, old: Topology, new: Topology, sample: int = SAMPLE) -> None:
        self._old, self._new = Placement(old), Placement(new)
        self._sample = sample
        self._known: dict[tuple[str, int, int, bool], ShardMoves] = {}

    def moves(self, site: Site, old: ContentClass, new: ContentClass) -> ShardMoves:
        """Return what moves in a site that both descriptions have, of a class that both have."""
        same_keys = (old.shard_key, old.shard_pattern) == (new.shard_key, new.shard_pattern)
        known = (site.name, old.replicas, new.replicas, same_keys)
        found = self._known.get(known)
        if found is None:
            found = self._known[known] = self._sampled(site.name, old, new, same_keys=same_keys)
        return found

    def _sampled(
        self, site: str, old: ContentClass, new: ContentClass, *, same_keys: bool
    ) -> ShardMoves:
        before: Counter[str] = Counter()
        after: Counter[str] = Counter()
        moved = 0.0
        for number in range(self._sample):
            # A class whose keys are made in another way has other shards, none in its old place.
            shard = b"shard %d" % number
            renamed = shard if same_keys else b"renamed %d" % number
            was = _owners(self._old, site, old, shard)
            now = _owners(self._new, site, new, renamed)
            before.update(was)
            after.update(now)
            moved += len(now - was) / len(now) if now else float(bool(was))
        return ShardMoves(moved / self._sample, _shares(before), _shares(after))


def _owners(placement: Placement, site: str, content: ContentClass, shard: bytes) -> set[str]:
    owners = placement.owners(site, content, shard)
    return {server.name for server in owners.servers[: owners.width]}


def _shares(counts: Counter[str]) -> dict[str, float]:
    total = counts.total()
    return {name: count / total for name, count in sorted(counts.items())}
