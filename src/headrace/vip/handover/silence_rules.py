"""The rules by which nothing of some VIPs leaves a server that was cut off. Pure.

They stand where packets leave by a device. What is dropped there TCP takes for a full line: it
tries again each half second, however long it has tried, where a loss would make it wait ever
longer. What goes to this machine itself, as checks do, passes no such device.

The kernel ends the silence of a VIP itself as soon as a packet comes to it by a line: then a router
sends it here. It does not where the packet is for another MAC, as switches flood them after a
change, and a capture takes them. What another server passes on does not end it: that one may be
about to give this server up, and its word counts. And where nobody renews it, it ends by itself.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from headrace.vip.handover.ruleset import DEVICE
from headrace.vip.plan.model import Address

TABLE = "headrace_vip_silence"
_FAMILIES = ((4, "ip", "ipv4_addr"), (6, "ip6", "ipv6_addr"))


class _Set(msgspec.Struct):
    elem: list[Any] = []


class _Item(msgspec.Struct):
    set: _Set | None = None


class _Listing(msgspec.Struct):
    nftables: Annotated[list[_Item], Meta(max_length=1000)]


_decoder = msgspec.json.Decoder(_Listing)


def silence_rules(vips: Collection[Address], devices: Collection[str], lasts_s: int) -> str:
    """Return what makes these VIPs silent, and no others, for so long."""
    return no_silence() + "\n".join(
        (f"table netdev {TABLE} {{", *_table(vips, devices, lasts_s), "}\n")
    )


def no_silence() -> str:
    """Return what ends all of it."""
    return f"table netdev {TABLE} {{}}\ndelete table netdev {TABLE}\n"


def _table(vips: Collection[Address], devices: Collection[str], lasts_s: int) -> Iterator[str]:
    for version, _family, kind in _FAMILIES:
        silent = [f"{one} timeout {lasts_s}s" for one in _sorted(vips) if one.version == version]
        elements = f" elements = {{ {', '.join(silent)} }};" if silent else ""
        yield f" set silent{version} {{ type {kind}; flags dynamic, timeout;{elements} }}"
    yield " chain leaving {"
    yield f"  type filter hook egress devices = {{ {_names(devices)} }} priority 0; policy accept;"
    for version, family, _kind in _FAMILIES:
        yield f"  {family} saddr @silent{version} meta l4proto tcp drop"
    yield " }"
    yield " chain arriving {"
    lines = [one for one in devices if one != DEVICE]
    yield f"  type filter hook ingress devices = {{ {_names(lines)} }} priority 0; policy accept;"
    for version, family, _kind in _FAMILIES:
        to = f"{family} daddr"
        ends = f"delete @silent{version} {{ {to} }}"
        yield f"  meta pkttype host {to} @silent{version} meta l4proto tcp {ends}"
    yield " }"


def _names(devices: Collection[str]) -> str:
    return ", ".join(json.dumps(one) for one in sorted(devices))


def silent_in(text: bytes) -> frozenset[str]:
    """Return the addresses that are silent yet, as `nft -j list table` says it. Raises
    msgspec.DecodeError or msgspec.ValidationError.
    """
    return frozenset(_elements(_decoder.decode(text)))


def _elements(listing: _Listing) -> Iterator[str]:
    for item in listing.nftables:
        for one in [] if item.set is None else item.set.elem:
            value = one["elem"]["val"] if isinstance(one, dict) and "elem" in one else one
            yield str(value)


def _sorted(vips: Collection[Address]) -> list[Address]:
    return sorted(vips, key=lambda one: (one.version, int(one)))
