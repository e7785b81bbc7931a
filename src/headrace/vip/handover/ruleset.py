"""The rules by which the kernel passes on what this server does not know. Pure.

A packet to a VIP that is no SYN goes to the sibling unless a connection here has it. What came
from a sibling, and is not known here either, goes to who had the VIP earlier, and so on: a packet
carries how often it was passed on, and is answered where that is MOST_PASSES. A SYN is answered
where it comes first. Nothing is remembered: no packet of a client takes memory.

The kernel finds the socket itself. A listener that takes all addresses is no connection; whether a
socket takes all is what `wildcard` says. Of one that is not yet open, or was closed and is only
remembered (TIME_WAIT), it says nothing, so `transparent` asks whether there is one at all. A client
may use the port of what is remembered again, and open it at another server; or both have answered
it, and it believes one. So such packets are taken here, and a copy goes to the sibling. That one
passes it on as it would the packet, but drops it in the end where nobody has anything of it. Which
of two such servers is right, their kernels know: the wrong one would answer with a reset. Packets
that are taken in doubt so get a mark that the kernel repeats in a reset, and such resets stay here.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator

from headrace.vip.handover.shares import share_limits, too_much
from headrace.vip.handover.wish import Sibling, Wish
from headrace.vip.plan.model import Address

TABLE = "headrace_vip_handover"
DEVICE = "headrace-pass"
PRIORITY = -310
"""Before connections are tracked (-200): what is passed on is not to be taken for a new one."""

MOST_PASSES = 3
"""By then a packet was at all servers of a VIP that has two neighbours, whoever got it first."""

TAKEN, OVER, PASSED, REFUSED = "taken", "over", "passed_", "refused"
_MARK, _COPIED = 0x4850, 0x4858
"""Plus a number, how often a packet was passed on, or the copy of one that was taken. It goes as
VXLAN's group, which is the packet's mark.
"""

_DOUBT = "0x2f"
"""The DSCP of what is taken in doubt, of those for local use. It is set where a packet is taken,
and no packet that leaves has it but answers of half a connection to what it cannot use."""

_BOTH = (False, True)
_FRAGMENT = {4: "ip frag-off & 0x1fff != 0", 6: "frag frag-off != 0"}
_SIZES = {
    4: "icmp type destination-unreachable",
    6: "icmpv6 type { destination-unreachable, packet-too-big }",
}


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
    targets = [(vip, name) for vip, name in wish.targets if vip.version == version]
    onward = [(vip, name) for vip, name in wish.onward if vip.version == version]
    used = {name for _vip, name in (*targets, *onward)}
    siblings = [one for one in wish.siblings if one.name in used]
    labels = {one.name: one.label for one in siblings}
    yield from (f" counter {name} {{ }}" for name in (TAKEN, OVER, REFUSED))
    yield from (f" counter {PASSED}{one.label} {{ }}" for one in siblings)
    if siblings:
        yield from share_limits(wish.most_packets)
    yield from _set("vips", kind, [one for one in wish.vips if one.version == version])
    if wish.address.version == version:
        yield from _set("ends", kind, [one.address for one in wish.siblings])
    for one in siblings:
        yield from _pass(wish, one, version)
    for name in dict.fromkeys(name for _vip, name in targets):
        yield from _chain(wish, labels[name], version, 1)
    yield f" chain take {{ meta mark set 0 counter name {TAKEN} accept; }}"
    yield f" chain in_doubt {{ {family} dscp set {_DOUBT} goto take; }}"
    yield " chain copied {"
    yield "  socket wildcard 0 goto take"
    if not wish.cookies:
        yield "  socket wildcard 1 drop"
    yield from (f"  {one} goto in_doubt" for one in _doubtful(wish))
    yield "  drop"
    yield " }"
    for passes, copied in itertools.product(range(2, MOST_PASSES + 1) if onward else (), _BOTH):
        for name in dict.fromkeys(name for _vip, name in onward):
            yield from _chain(wish, labels[name], version, passes, copied=copied)
        yield f" chain {'copied' if copied else 'after'}_{passes - 1} {{"
        yield f"  {family} daddr {_by_vip(onward, labels, passes, copied=copied)}"
        yield f"  goto {'copied' if copied else 'take'}"
        yield " }"
    yield from _from_sibling(version, family, bool(onward))
    yield " chain arriving {"
    yield f"  type filter hook prerouting priority {PRIORITY}; policy accept;"
    if wish.address.version == version:
        yield (
            f"  udp dport {wish.port} {family} daddr {wish.address} {family} saddr @ends accept\n"
            f"  udp dport {wish.port} fib daddr type != unicast counter name {REFUSED} drop"
        )
    yield '  iif "lo" accept'
    yield f'  iifname "{DEVICE}" goto from_sibling'
    if targets:
        yield f"  {family} daddr {_by_vip(targets, labels, 1)}"
    yield " }"
    yield " chain leaving {"
    yield "  type filter hook output priority raw; policy accept;"
    yield f"  {family} dscp {_DOUBT} {family} saddr @vips tcp flags & (rst | ack) == rst drop"
    yield " }"


def _from_sibling(version: int, family: str, goes_on: bool) -> Iterator[str]:
    """What siblings pass on, and nothing else: no SYN, no word to neighbours on a line."""
    protocol = "icmp" if version == 4 else "icmpv6"
    yield f" chain only_sizes {{ {_SIZES[version]} return; counter name {REFUSED} drop; }}"
    yield " chain from_sibling {"
    yield f"  {family} daddr != @vips counter name {REFUSED} drop"
    yield f"  meta l4proto != {{ tcp, {protocol} }} counter name {REFUSED} drop"
    yield f"  meta l4proto {protocol} jump only_sizes"
    yield f"  tcp flags & syn == syn counter name {REFUSED} drop"
    yield f"  fib saddr type {{ local, broadcast, multicast }} counter name {REFUSED} drop"
    pairs = [f"{_mark(MOST_PASSES, copied=True)} : goto copied"]
    for at in range(1, MOST_PASSES):
        pairs += [f"{_mark(at)} : goto after_{at}"] if goes_on else []
        pairs += [f"{_mark(at, copied=True)} : goto copied{f'_{at}' if goes_on else ''}"]
    yield f"  meta mark vmap {{ {', '.join(pairs)} }}"
    yield "  goto take"
    yield " }"


def _pass(wish: Wish, sibling: Sibling, version: int) -> Iterator[str]:
    """Away with it, within the limits; `copy_` leaves the packet here as well."""
    label = sibling.label
    gateway: Address = sibling.ipv4 if version == 4 else sibling.ipv6
    burst = max(wish.most_packets // 10, 5)
    for chain, too_many, after in (
        (f"pass_{label}", f"counter name {OVER} drop", "drop"),
        (f"copy_{label}", f"counter name {OVER} return", "return"),
    ):
        yield f" chain {chain} {{"
        yield f"  {too_much(version, wish.seed)} {too_many}"
        yield f"  limit rate over {wish.most_packets}/second burst {burst} packets {too_many}"
        yield f'  counter name {PASSED}{label} dup to {gateway} device "{DEVICE}"'
        yield f"  {after}"
        yield " }"


def _doubtful(wish: Wish) -> list[str]:
    """What has half a connection here, or a closed one, or perhaps a cookie."""
    halves = ["socket transparent 0", "socket transparent 1"]
    return [*halves, "socket wildcard 1"] if wish.cookies else halves


def _chain(
    wish: Wish, label: str, version: int, passes: int, *, copied: bool = False
) -> Iterator[str]:
    """What is not known here goes to a sibling, for the `passes`-th time. What cannot be told whose
    it is goes to both: a router's word on sizes, and later fragments. While SYNs are answered with
    cookies, what is not known may be the third packet of a connection, which the kernel can tell.
    """
    family = "ip" if version == 4 else "ip6"
    known, in_doubt = "goto take", "goto in_doubt"
    if passes == 1:
        known, in_doubt = "accept", f"{family} dscp set {_DOUBT} accept"
    mark = f"meta mark set {_mark(passes, copied=copied)}"
    yield f" chain {_way(copied)}_{label}_{passes} {{"
    for unclear in (_SIZES[version], f"meta l4proto tcp {_FRAGMENT[version]}"):
        yield f"  {unclear} {mark} jump copy_{label}"
        yield f"  {unclear} meta mark set 0 {known}"
    yield f"  meta l4proto != tcp {known}"
    yield f"  tcp flags & syn == syn {known}"
    yield f"  socket wildcard 0 {known}"
    if not wish.cookies:
        yield f"  socket wildcard 1 {mark} goto pass_{label}"
    for one in _doubtful(wish):
        yield f"  {one} meta mark set {_mark(passes, copied=True)} jump copy_{label}"
        yield f"  {one} meta mark set 0 {in_doubt}"
    yield f"  {mark} goto pass_{label}"
    yield " }"


def _mark(passes: int, *, copied: bool = False) -> str:
    return f"0x{(_COPIED if copied else _MARK) + passes:x}"


def _way(copied: bool) -> str:
    return "also" if copied else "to"


def _by_vip(
    pairs: list[tuple[Address, str]], labels: dict[str, str], passes: int, *, copied: bool = False
) -> str:
    way = _way(copied)
    found = [f"{vip} : goto {way}_{labels[name]}_{passes}" for vip, name in pairs]
    return f"vmap {{ {', '.join(found)} }}"


def _set(name: str, kind: str, addresses: list[Address]) -> Iterator[str]:
    elements = f" elements = {{ {', '.join(str(one) for one in addresses)} }};" if addresses else ""
    yield f" set {name} {{ type {kind};{elements} }}"
