"""What the kernel is told: ends of the tunnel, and rules."""

from __future__ import annotations

import itertools
import re
from dataclasses import replace
from ipaddress import ip_address

from hypothesis import given
from hypothesis import strategies as st

from headrace.topology.vips import Announce
from headrace.vip.handover.ruleset import DEVICE, MOST_PASSES, no_rules, ruleset
from headrace.vip.handover.tunnel import connect, forward, make
from headrace.vip.handover.wish import MOST_SIBLINGS, Wish, wish_of
from headrace.vip.plan.order import SiteOrder, site_order
from tests.unit.vip.plan.sites import a_server, a_site, names_of

PORT, MOST = 8094, 1000


def an_order(count: int = 3, neighbours: int = 2, owners: int = 20) -> SiteOrder:
    """Return the order of a site of which the first servers own a VIP each."""
    servers = [
        a_server(name, at <= owners, number=at) for at, name in enumerate(names_of(count), 1)
    ]
    return site_order(a_site(servers, Announce(neighbours)), "north")


def a_wish(order: SiteOrder, me: str = "n1", to: str = "n2") -> Wish:
    own = [vip for vip, one in order.vips.items() if one.owner == to]
    found = wish_of(order, me, dict.fromkeys(own, to), PORT, MOST)
    assert found is not None
    return found


def test_all_servers_know_each_other_by_the_same_ends() -> None:
    order = an_order()
    wishes = {name: a_wish(order, name, "n2" if name != "n2" else "n1") for name in order.servers}
    for me, other in itertools.permutations(wishes, 2):
        seen = next(one for one in wishes[me].siblings if one.name == other)
        assert (seen.mac, seen.address) == (wishes[other].mac, wishes[other].address)
    for one in wishes.values():
        hops = [each for sibling in one.siblings for each in (sibling.ipv4, sibling.ipv6)]
        assert len(set(hops)) == len(hops)
        assert all(hop.is_link_local for hop in hops)


def test_only_servers_that_share_a_vip_have_an_end_here() -> None:
    order = an_order(12, 1)
    partners = {
        name
        for one in order.vips.values()
        if "n1" in one.names
        for name in one.names
        if name != "n1"
    }
    assert len(partners) < 11
    assert {one.name for one in a_wish(order, to=min(partners)).siblings} == partners
    many = an_order(MOST_SIBLINGS + 20, MOST_SIBLINGS + 19, owners=1)
    assert len(a_wish(many).siblings) == MOST_SIBLINGS


def test_a_server_without_an_address_of_the_family_is_left_out() -> None:
    order = an_order()
    servers = {**order.servers, "n2": replace(order.servers["n2"], ipv4=())}
    found = a_wish(replace(order, servers=servers))
    assert "n2" not in {one.name for one in found.siblings}
    assert found.targets == ()
    bare = {**order.servers, "n1": replace(order.servers["n1"], ipv4=(), ipv6=())}
    assert wish_of(replace(order, servers=bare), "n1", {}, PORT, MOST) is None
    only6 = {name: replace(one, ipv4=()) for name, one in order.servers.items()}
    of6 = a_wish(replace(order, servers=only6))
    assert of6.address.version == 6
    taken = f"udp dport {PORT} ip6 daddr {of6.address} ip6 saddr @ends accept"
    assert taken in ruleset(of6).split("table ip6", 1)[1]
    assert "udp dport" not in ruleset(of6).split("table ip6", 1)[0]
    assert " mtu 1430 " in make(of6)[1]


def chains(text: str) -> dict[str, str]:
    """The chains of a table by name."""
    parts = re.split(r"^ chain (\w+) \{", text, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


@given(st.booleans(), st.sampled_from(["ip", "ip6"]))
def test_every_way_through_the_rules_ends(goes_on: bool, family: str) -> None:
    """Each pass on says that it is one more than the packet had behind it, and the last one's
    receiver passes on nothing."""
    order = an_order()
    onward = {vip: "n3" for vip, one in order.vips.items() if one.owner == "n2"}
    wish = wish_of(order, "n1", {}, PORT, MOST, onward if goes_on else {})
    assert wish is not None
    text = ruleset(wish).split("\ntable ip6", 1)[family == "ip6"]
    found = chains(text)
    judged = found["from_sibling"]
    marks = dict(re.findall(r"(0x\w+) : goto ((?:after|copied)_\d)", judged))
    assert len(marks) == (2 * (MOST_PASSES - 1) if goes_on else 0)
    # A copy of a packet that was passed on so often is taken or dropped.
    copies = re.findall(r"(0x\w+) : goto copied", judged)
    assert len(copies) == MOST_PASSES
    assert not re.findall(r"(?:to|also|pass|copy|after)_\w+|accept", found["copied"])
    for mark, at in marks.items():
        for chain in re.findall(r"goto ((?:to|also)_\w+)", found[at]):
            said = {int(one, 16) for one in re.findall(r"mark set (0x\w+)", found[chain])}
            after = int(mark, 16) + 1
            passed = MOST_PASSES - int(at[-1])
            assert said == {after, int(max(copies), 16) - passed + 1}
            assert not chain.startswith("also") or said == {after}
    # The order: whoever may not come by the tunnel is dropped before anything is decided.
    assert found["arriving"].index(f'iifname "{DEVICE}"') > found["arriving"].index('iif "lo"')
    drops = [judged.index(word) for word in ("@vips", "only_sizes", "syn == syn", "fib saddr")]
    assert max(drops) < judged.index("goto take")


def test_only_vips_with_a_target_have_a_rule() -> None:
    order = an_order()
    text = ruleset(a_wish(order))
    own = [str(vip) for vip, one in order.vips.items() if one.owner == "n1"]
    others = [str(vip) for vip, one in order.vips.items() if one.owner == "n2"]
    judged = " ".join(re.findall(r"vmap \{(.*?)\}", text))
    assert all(vip in judged for vip in others)
    assert not any(vip in judged.split() for vip in own)
    without = wish_of(order, "n1", {}, PORT, MOST)
    assert without is not None
    assert "dup" not in ruleset(without)


def test_rules_replace_what_is_there_at_once() -> None:
    """A table is made where it is missing, removed, and made: in one transaction."""
    text = ruleset(a_wish(an_order()))
    assert text.startswith("".join(no_rules().splitlines(keepends=True)[:2]))
    assert text.count("{") == text.count("}")


def test_every_sibling_is_reached_at_its_own_address() -> None:
    found = a_wish(an_order())
    lines = [*connect(found, {4, 6}), *forward(found)]
    for one in found.siblings:
        assert f"fdb replace {one.mac} dev {DEVICE} dst {one.address} self permanent" in lines
        assert f"route replace {one.ipv4}/32 dev {DEVICE}" in lines
        assert f"route replace {one.ipv6}/128 dev {DEVICE}" in lines
    assert not any("fe80" in line for line in connect(found, {4}))


def test_what_is_passed_on_of_a_vip_that_it_announces_yet_is_taken() -> None:
    """Though it is no candidate for it, by a new description."""
    order, vip = an_order(3, 1), ip_address("198.51.100.7")
    found = wish_of(order, "n1", {}, PORT, MOST, held=[vip])
    assert found is not None
    assert vip in found.vips
    assert len(found.vips) == 1 + sum("n1" in one.names for one in order.vips.values())
