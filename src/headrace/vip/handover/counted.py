"""What the kernel has in our tables, and how many packets were passed on. Pure.

The kernel's counters begin at nothing with each change of the rules; these go on.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from headrace.vip.handover.ruleset import TABLE


class _Counter(msgspec.Struct):
    name: str
    table: str
    family: str
    packets: Annotated[int, Meta(ge=0)]
    bytes: Annotated[int, Meta(ge=0)]


class _Listing(msgspec.Struct):
    nftables: list[dict[str, Any]]


_decoder = msgspec.json.Decoder(_Listing)

Key = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Sum:
    """Packets, and their bytes."""

    packets: int = 0
    size_bytes: int = 0


@dataclass(frozen=True, slots=True)
class Listed:
    """One of our tables: its counters by family and name, and what stands for the rest of it."""

    counters: dict[Key, Sum]
    rules: str


def read_table(text: bytes) -> Listed:
    """Return what a table has, as `nft -j list table` says it. Raises msgspec.DecodeError or
    msgspec.ValidationError.
    """
    counters: dict[Key, Sum] = {}
    rules = hashlib.sha256()
    for item in _decoder.decode(text).nftables:
        if "counter" in item:
            one = msgspec.convert(item["counter"], _Counter)
            if one.table == TABLE:
                counters[one.family, one.name] = Sum(one.packets, one.bytes)
        elif "metainfo" not in item:
            rules.update(msgspec.json.encode(item))
    return Listed(counters, rules.hexdigest())


class Counted:
    """Sums by name, over both families and all changes of the rules; `last` has the Unix times at
    which some were seen to have grown."""

    def __init__(self) -> None:
        self.packets: Counter[str] = Counter()
        self.size_bytes: Counter[str] = Counter()
        self.last: dict[str, float] = {}
        self._last: dict[Key, Sum] = {}

    def take(self, found: dict[Key, Sum], now: float) -> None:
        """Take what the kernel has counted since its counters began."""
        for key, one in found.items():
            last = self._last.get(key, Sum())
            if one.packets < last.packets:  # they began again
                last = Sum()
            if one.packets > last.packets:
                self.last[key[1]] = now
            self.packets[key[1]] += one.packets - last.packets
            self.size_bytes[key[1]] += one.size_bytes - last.size_bytes
        self._last = dict(found)

    def begun_again(self) -> None:
        """Note that the kernel's counters are at nothing."""
        self._last = {}
