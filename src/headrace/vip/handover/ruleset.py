"""The rules by which the kernel passes on what this server does not know. Pure.

A packet to a VIP that is no SYN goes to the sibling unless a connection here has it. What came from
a sibling is answered here in any case, so nothing is passed on twice, whoever is asked. A SYN is
answered here too. Nothing is remembered: no packet of a client takes memory.

The kernel finds the socket itself. A listener that takes all addresses is no connection; whether a
socket takes all is what `wildcard` says. Of sockets that are closing or not yet open it says
nothing, so `transparent` asks whether there is one at all.
"""

from __future__ import annotations

from collections.abc import Iterator

from headrace.vip.handover.wish import Sibling, Wish
from headrace.vip.plan.model import Address

TABLE = "headrace_vip_handover"
DEVICE = "headrace-pass"
PRIORITY = -310
"""Before connections are tracked (-200): what is passed on is not to be taken for a new one."""

ERRORS_PER_S = 1000
TAKEN, OVER, PASSED = "taken", "over", "passed_"


def ruleset(wish: Wish) -> str:
    """Return what replaces the rules that are there, at once."""
    return "".join(
        f"table {family} {TABLE} {{}}\ndelete table {family} {TABLE}\n"
        + "\n".join((f"table {family} {TABLE} {{", *_table(wish, version), "}", ""))
        for family, version in (("ip", 4), ("ip6", 6))
    )


def no_rules() -> str:
    """Return what removes all of it."""
    return "".join(
        f"table {family} {TABLE} {{}}\ndelete table {family} {TABLE}\n" for family in ("ip", "ip6")
    )


def _table(wish: Wish, version: int) -> Iterator[str]:
    kind = "ipv4_addr" if version == 4 else "ipv6_addr"
    family = "ip" if version == 4 else "ip6"
    vips = [one for one in wish.vips if one.version == version]
    targets = {vip: name for vip, name in wish.targets if vip.version == version}
    used = set(targets.values())
    siblings = [one for one in wish.siblings if one.name in used]
    yield from (f" counter {TAKEN} {{ }}", f" counter {OVER} {{ }}")
    yield from (f" counter {PASSED}{one.label} {{ }}" for one in siblings)
    yield from _set("vips", kind, vips)
    if wish.address.version == version:
        yield from _set("ends", kind, [one.address for one in wish.siblings])
    for one in siblings:
        yield from _to(wish, one, version)
    yield " chain from_sibling {"
    yield f"  {family} daddr != @vips drop"
    errors = "icmp" if version == 4 else "icmpv6"
    yield f"  meta l4proto {{ tcp, {errors} }} counter name {TAKEN} accept"
    yield "  drop"
    yield " }"
    yield " chain arriving {"
    yield f"  type filter hook prerouting priority {PRIORITY}; policy accept;"
    yield '  iif "lo" accept'
    yield f'  iifname "{DEVICE}" goto from_sibling'
    if wish.address.version == version:
        yield (
            f"  {family} daddr {wish.address} udp dport {wish.port} {family} saddr != @ends drop"
        )
    labels = {one.name: one.label for one in siblings}
    pairs = [f"{vip} : goto to_{labels[name]}" for vip, name in targets.items() if name in labels]
    if pairs:
        yield f"  {family} daddr vmap {{ {', '.join(pairs)} }}"
    yield " }"


def _to(wish: Wish, sibling: Sibling, version: int) -> Iterator[str]:
    label = sibling.label
    gateway: Address = sibling.ipv4 if version == 4 else sibling.ipv6
    counted = f"counter name {PASSED}{label}"
    away = f'{counted} dup to {gateway} device "{DEVICE}"'
    # What a router on the way says of a packet's size is for whoever has the connection: both.
    if version == 4:
        errors = "icmp type destination-unreachable"
    else:
        errors = "icmpv6 type { destination-unreachable, packet-too-big }"
    burst = max(wish.most_packets // 10, 5)
    yield f" chain pass_{label} {{"
    yield (
        f"  limit rate over {wish.most_packets}/second burst {burst} packets "
        f"counter name {OVER} drop"
    )
    yield f"  {away}"
    yield "  drop"
    yield " }"
    yield f" chain to_{label} {{"
    yield f"  {errors} limit rate {ERRORS_PER_S}/second {away}"
    yield "  meta l4proto != tcp accept"
    yield "  tcp flags & syn == syn accept"
    yield "  socket wildcard 0 accept"
    yield f"  socket wildcard 1 goto pass_{label}"
    yield "  socket transparent 0 accept"
    yield "  socket transparent 1 accept"
    yield f"  goto pass_{label}"
    yield " }"


def _set(name: str, kind: str, addresses: list[Address]) -> Iterator[str]:
    elements = f" elements = {{ {', '.join(str(one) for one in addresses)} }};" if addresses else ""
    yield f" set {name} {{ type {kind};{elements} }}"
