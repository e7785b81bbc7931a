"""Prefixes of addresses, kept compact: a million of them take some megabytes. Pure.

A prefix is a record of its address and its length; the records are sorted, each there once, so
that sets are compared, merged and written as bytes.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_address
from itertools import groupby
from socket import AF_INET, AF_INET6, inet_pton

Prefix = IPv4Network | IPv6Network

V4_RECORD = struct.Struct(">IB")
V6_RECORD = struct.Struct(">QQB")
_LONGEST_TEXT = 64
_MAPPED = b"\0" * 10 + b"\xff\xff"
_MAPPED_BITS = 8 * len(_MAPPED)
_V4_HOST_BITS = tuple((1 << 32 - length) - 1 for length in range(33))
_V6_HOST_BITS = tuple((1 << 128 - length) - 1 for length in range(129))


@dataclass(frozen=True, slots=True)
class PrefixSet:
    """Prefixes of both families, as sorted records: of 5 bytes (`V4_RECORD`: address, length) and
    of 17 (`V6_RECORD`: upper and lower half of the address, length).
    """

    v4: bytes = b""
    v6: bytes = b""

    @staticmethod
    def of(prefixes: Iterable[Prefix | str]) -> PrefixSet:
        """Return the set of these prefixes. Raises ValueError for a text that is none."""
        return set_of_records([record_of(str(prefix)) for prefix in prefixes])

    def __len__(self) -> int:
        return len(self.v4) // V4_RECORD.size + len(self.v6) // V6_RECORD.size

    def __iter__(self) -> Iterator[Prefix]:
        for address, length in self.pairs_v4():
            yield IPv4Network((address, length))
        for address, length in self.pairs_v6():
            yield IPv6Network((address, length))

    def __or__(self, other: PrefixSet) -> PrefixSet:
        """Return the prefixes of both."""
        if not other:
            return self
        return set_of_records([*self.records(), *other.records()]) if self else other

    def pairs_v4(self) -> Iterator[tuple[int, int]]:
        """Return the address and the length of each IPv4 prefix, in order."""
        return V4_RECORD.iter_unpack(self.v4)

    def pairs_v6(self) -> Iterator[tuple[int, int]]:
        """Return the address and the length of each IPv6 prefix, in order."""
        for upper, lower, length in V6_RECORD.iter_unpack(self.v6):
            yield upper << 64 | lower, length

    def records(self) -> list[bytes]:
        """Return each prefix as its record, in order; its size tells the family."""
        sized = ((self.v4, V4_RECORD.size), (self.v6, V6_RECORD.size))
        return [
            data[start : start + size]
            for data, size in sized
            for start in range(0, len(data), size)
        ]


NO_PREFIXES = PrefixSet()


def record_of(text: str) -> bytes:
    """Return the record of a prefix, such as `192.0.2.0/24` or `2001:db8::/32`; an address by
    itself is one of full length, and an IPv4-mapped one is of IPv4.

    Raises ValueError, with the remedy.
    """
    address, slash, digits = text.partition("/")
    try:
        if ":" in address:
            packed, host_bits = inet_pton(AF_INET6, address), _V6_HOST_BITS
        else:
            packed, host_bits = inet_pton(AF_INET, address), _V4_HOST_BITS
    except (OSError, ValueError):  # a NUL or a surrogate in it is a ValueError
        raise _no_prefix(text) from None
    length = len(host_bits) - 1
    if slash:
        if not (digits.isascii() and digits.isdigit() and len(digits) <= 3):
            raise _no_prefix(text)
        length = int(digits)
        if length >= len(host_bits):
            raise ValueError(
                f"/{length} is longer than an address: write a length from 0 to "
                f"{len(host_bits) - 1}"
            )
    if int.from_bytes(packed) & host_bits[length]:
        raise ValueError(
            f"has bits beyond its length: write {_lowest(packed, host_bits[length])}/"
            f"{length}, or a longer one"
        )
    if packed.startswith(_MAPPED) and length >= _MAPPED_BITS:
        # The same clients as those with IPv4 addresses, so that it is found when it is there twice.
        return packed[len(_MAPPED) :] + (length - _MAPPED_BITS).to_bytes()
    return packed + length.to_bytes()


def text_of(record: bytes) -> str:
    """Return the prefix of a record as it is written."""
    return f"{ip_address(record[:-1])}/{record[-1]}"


def set_of_records(records: list[bytes]) -> PrefixSet:
    """Return the set of prefixes with these records."""
    v4 = [record for record in records if len(record) == V4_RECORD.size]
    v6 = [record for record in records if len(record) != V4_RECORD.size]
    return PrefixSet(_sorted_once(v4), _sorted_once(v6))


def _sorted_once(records: list[bytes]) -> bytes:
    records.sort()
    return b"".join(record for record, _ in groupby(records))


def _no_prefix(text: str) -> ValueError:
    shown = text if len(text) <= _LONGEST_TEXT else f"{text[:_LONGEST_TEXT]}…"
    return ValueError(f"{shown!r} is not a prefix: write 192.0.2.0/24 or 2001:db8::/32")


def _lowest(packed: bytes, host_bits: int) -> str:
    return str(ip_address((int.from_bytes(packed) & ~host_bits).to_bytes(len(packed))))
