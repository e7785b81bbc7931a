"""bgpd is brought from what it runs with to what is announced, and nothing else is touched."""

from __future__ import annotations

import re
from contextlib import suppress
from ipaddress import ip_address, ip_network

from hypothesis import given
from hypothesis import strategies as st

from headrace.bgp.announcement import Announcement
from headrace.bgp.events import Attributes, DownReason, SessionKey
from headrace.bgp.frr.text import (
    commands,
    map_commands,
    map_name,
    read_maps,
    read_neighbors,
    read_networks,
    read_routes,
)
from headrace.bgp.polled import Seen

PREFIXES = [ip_network(f"192.0.2.{number}/32") for number in range(3)]
PREFIXES += [ip_network(f"2001:db8::{number}/128") for number in range(3)]
ANNOUNCEMENTS = st.lists(
    st.builds(Announcement, prefix=st.sampled_from(PREFIXES), med=st.sampled_from([1, 2, None])),
    unique_by=lambda one: one.prefix,
)
FOREIGN = """\
router bgp 64510
 address-family ipv4 unicast
  network 203.0.113.0/24
  network 203.0.113.77/32 route-map theirs
 exit-address-family
exit
route-map theirs permit 10
"""


class Bgpd:
    """As much of bgpd as understands what it is told here."""

    def __init__(self) -> None:
        self.networks: dict[str, str] = {}
        self.maps: dict[str, list[str]] = {}

    def running(self) -> str:
        networks = "".join(
            f"  network {prefix} route-map {name}\n" for prefix, name in self.networks.items()
        )
        maps = "".join(
            f"route-map {name} permit 10\n" + "".join(f" {word}\n" for word in words)
            for name, words in self.maps.items()
        )
        return FOREIGN + networks + maps

    def tell(self, said: list[str]) -> None:
        name = ""
        for line in said:
            words = line.split()
            if words[0] == "route-map":
                name = words[1]
                assert name not in self.maps, "a route map is never changed"
                self.maps[name] = []
            elif words[0] == "set":
                self.maps[name].append(line)
            elif words[0] == "network":
                assert words[3] in self.maps
                self.networks[words[1]] = words[3]
            elif words[:2] == ["no", "network"]:
                del self.networks[words[2]]
            elif words[:2] == ["no", "route-map"]:
                del self.maps[words[2]]


@given(st.lists(ANNOUNCEMENTS, min_size=1, max_size=4))
def test_it_ends_with_exactly_what_is_announced(sets: list[list[Announcement]]) -> None:
    bgpd = Bgpd()
    for announcements in sets:
        bgpd.tell(commands(bgpd.running(), announcements, 64510))
        wanted = {str(one.prefix): map_commands(one, 64510) for one in announcements}
        assert {one: bgpd.maps[name] for one, name in bgpd.networks.items()} == wanted
        assert set(bgpd.maps) == {map_name(words) for words in wanted.values()}
        assert commands(bgpd.running(), announcements, 64510) == []


def test_what_is_not_from_here_is_left_alone() -> None:
    assert read_networks(FOREIGN) == {}
    assert read_maps(FOREIGN) == set()
    assert commands(FOREIGN, [], 64510) == []


def test_all_that_an_announcement_has_is_said() -> None:
    full = Announcement(
        PREFIXES[0],
        next_hop=ip_address("192.0.2.9"),
        med=1,
        prepend=2,
        communities=frozenset({(65535, 0), (1, 2)}),
        large_communities=frozenset({(1, 2, 3)}),
        local_preference=50,
    )
    assert map_commands(full, 64510) == [
        "set metric 1",
        "set local-preference 50",
        "set as-path prepend 64510 64510",
        "set community 1:2 65535:0",
        "set large-community 1:2:3",
        "set ip next-hop 192.0.2.9",
    ]
    six = Announcement(PREFIXES[3], next_hop=ip_address("2001:db8::9"))
    assert map_commands(six, 64510) == ["set ipv6 next-hop global 2001:db8::9"]
    assert re.fullmatch("headrace-[0-9a-f]{16}", map_name([]))


def test_sessions_are_read() -> None:
    text = """{
      "10.99.1.1": {"bgpState": "Established", "lastResetDueTo": "Hold Timer Expired"},
      "fd99:1::1": {"bgpState": "Active", "lastResetDueTo": "BFD down received"},
      "fd99:1::2": {"bgpState": "Active",
        "lastNotificationReason": "OPEN Message Error/Bad Peer AS"},
      "fd99:1::3": {"bgpState": "Connect"},
      "broken": 7
    }"""
    seen = read_neighbors(text)
    assert seen[SessionKey(ip_address("10.99.1.1"))] == Seen(True)
    assert seen[SessionKey(ip_address("fd99:1::1"))].reason is DownReason.BFD
    assert seen[SessionKey(ip_address("fd99:1::2"))].reason is DownReason.WRONG_AS
    assert seen[SessionKey(ip_address("fd99:1::3"))].reason is None
    assert len(seen) == 4


@given(st.text(max_size=50) | st.sampled_from(["[]", "7", "null", '{"x": {}}', '{"routes": 7}']))
def test_nonsense_is_a_value_error_at_most(text: str) -> None:
    for read in (read_neighbors, read_routes):
        with suppress(ValueError):
            read(text)
    assert read_maps(text) == set()
    assert read_networks(text) == {}


def test_routes_are_read() -> None:
    text = """{"vrfName": "default", "routes": {
      "8.8.0.0/16": [{"valid": true, "metric": 7, "path": "64500 15169"}],
      "broken": [{"path": ""}], "8.9.0.0/16": []}}"""
    assert read_routes(text) == {ip_network("8.8.0.0/16"): Attributes((64500, 15169), 7)}
