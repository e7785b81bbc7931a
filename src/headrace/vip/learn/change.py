"""What one set of learnt prefixes changes of another. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

from headrace.topology.client_shares import sizes
from headrace.topology.prefix_set import PrefixSet, set_of_records
from headrace.topology.prefixes import V4_BITS, V6_BITS, flatten, packed_prefix

DIGEST_LETTERS = 12
_V6_UNIT = 1 << 64


@dataclass(frozen=True, slots=True)
class Extent:
    """How many addresses of a family a change is about; of IPv6 they are networks of /64.

    `before` and `after` are how many the sets have.
    """

    before: float
    after: float
    added: float
    removed: float

    @property
    def share(self) -> float:
        """The share that is added and removed, of the larger of the two sets; 0 of none."""
        most = max(self.before, self.after)
        return min(1.0, (self.added + self.removed) / most) if most else 0.0


@dataclass(frozen=True, slots=True)
class Change:
    """From one set to another. `identity` stands for both: equal where others have the same."""

    before: PrefixSet
    after: PrefixSet
    added: PrefixSet
    removed: PrefixSet
    v4: Extent
    v6: Extent
    identity: str

    @property
    def digest(self) -> str:
        """What people call it by."""
        return self.identity[:DIGEST_LETTERS]

    @property
    def prefixes(self) -> int:
        """How many prefixes come and go."""
        return len(self.added) + len(self.removed)

    @property
    def share(self) -> float:
        """The larger of the shares of both families."""
        return max(self.v4.share, self.v6.share)


def compared(before: PrefixSet, after: PrefixSet) -> Change | None:
    """Return what changes; None for nothing."""
    if before == after:
        return None
    old, new = set(before.records()), set(after.records())
    return Change(
        before,
        after,
        set_of_records(list(new - old)),
        set_of_records(list(old - new)),
        _extent(_starts(before.pairs_v4(), V4_BITS), _starts(after.pairs_v4(), V4_BITS), V4_BITS),
        _extent(_starts(before.pairs_v6(), V6_BITS), _starts(after.pairs_v6(), V6_BITS), V6_BITS),
        _identity(before, after),
    )


def addresses(prefixes: PrefixSet) -> tuple[float, float]:
    """Return how many IPv4 addresses and IPv6 networks (/64) a set has."""
    change = compared(PrefixSet(), prefixes)
    return (change.v4.after, change.v6.after) if change else (0.0, 0.0)


def _starts(pairs: Iterable[tuple[int, int]], bits: int) -> Iterable[tuple[int, int]]:
    """Return where ranges begin, and whether (1) or not (0) the prefixes have them."""
    packed = (packed_prefix(start, length, 1) for start, length in pairs)
    return zip(*flatten(packed, bits), strict=True)


def _extent(old: Iterable[tuple[int, int]], new: Iterable[tuple[int, int]], bits: int) -> Extent:
    found = sizes(old, new, 1 << bits)
    unit = 1 if bits == V4_BITS else _V6_UNIT
    both, gone, come = found[1, 1], found[1, 0], found[0, 1]
    return Extent((both + gone) / unit, (both + come) / unit, come / unit, gone / unit)


def _identity(before: PrefixSet, after: PrefixSet) -> str:
    found = hashlib.sha256()
    for part in (before.v4, before.v6, after.v4, after.v6):
        found.update(len(part).to_bytes(8) + part)
    return found.hexdigest()
