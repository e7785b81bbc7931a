"""How many packets were passed on, of what the kernel counts. Pure.

The kernel's counters begin at nothing with each change of the rules; these go on.
"""

from __future__ import annotations

from collections import Counter
from typing import Annotated

import msgspec
from msgspec import Meta

from headrace.vip.handover.ruleset import TABLE


class _Counter(msgspec.Struct):
    name: str
    table: str
    family: str
    packets: Annotated[int, Meta(ge=0)]


class _Item(msgspec.Struct):
    counter: _Counter | None = None


class _Listing(msgspec.Struct):
    nftables: list[_Item]


_decoder = msgspec.json.Decoder(_Listing)

Key = tuple[str, str]


def read_counters(text: bytes) -> dict[Key, int]:
    """Return the counters of our tables, by family and name, as `nft -j list counters` has them.

    Raises msgspec.DecodeError.
    """
    return {
        (one.family, one.name): one.packets
        for item in _decoder.decode(text).nftables
        if (one := item.counter) is not None and one.table == TABLE
    }


class Counted:
    """Sums by name, over both families and all changes of the rules."""

    def __init__(self) -> None:
        self.packets: Counter[str] = Counter()
        self._last: dict[Key, int] = {}

    def take(self, found: dict[Key, int]) -> None:
        """Take what the kernel has counted since its counters began."""
        for key, packets in found.items():
            last = self._last.get(key, 0)
            self.packets[key[1]] += packets - last if packets >= last else packets
        self._last = dict(found)

    def begun_again(self) -> None:
        """Note that the kernel's counters are at nothing."""
        self._last = {}
