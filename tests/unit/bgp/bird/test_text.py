"""What BIRD is told and says; real BIRD reads and writes the same in tests/integration/bgp."""

from __future__ import annotations

from ipaddress import ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.bgp.announcement import Announcement
from headrace.bgp.bird.text import include_text, read_protocols, read_routes
from headrace.bgp.events import Attributes, DownReason, SessionKey
from headrace.bgp.polled import Seen

PROTOCOLS = """\
BIRD 2.0.12 ready.
Name       Proto      Table      State  Since         Info
device1    Device     ---        up     10:57:42.239

isp4       BGP        ---        up     10:57:43.866  Established
  BGP state:          Established
    Neighbor address: 10.99.1.1
    Neighbor AS:      64500
  Channel ipv4
    State:          UP
isp6       BGP        ---        start  10:57:43.866  Active        %s
  BGP state:          Active
    Neighbor address: fd99:1::1
    Last error:       %s
  Channel ipv6
    State:          DOWN
"""
ROUTES = """\
Table master4:
203.0.113.0/24       unicast [s1v4 10:57:43.782] * (100) [AS64510i]
\tvia 10.99.1.2 on s1
\tType: BGP univ
\tBGP.origin: IGP
\tBGP.as_path: 64510 {64511 64512}
\tBGP.next_hop: 10.99.1.2
\tBGP.med: 100
\tBGP.local_pref: 90
\tBGP.community: (1,2) (65535,0)
\tBGP.large_community: (1, 2, 3)
198.51.100.0/24      unicast [s1v4 10:57:43.782] * (100) [AS64510i]
\tvia 10.99.1.2 on s1
"""


def test_each_family_has_its_protocol_whatever_is_announced() -> None:
    text = include_text([Announcement(ip_network("2001:db8::1/128"), med=7)], 64510)
    assert "protocol static headrace4 {\n    ipv4;\n}\n" in text
    assert "    route 2001:db8::1/128 blackhole { bgp_med = 7; };\n" in text


def test_all_that_an_announcement_has_is_said() -> None:
    full = Announcement(
        ip_network("192.0.2.1/32"),
        next_hop=ip_address("192.0.2.9"),
        med=1,
        prepend=2,
        communities=frozenset({(65535, 0), (1, 2)}),
        large_communities=frozenset({(1, 2, 3)}),
        local_preference=50,
    )
    assert (
        "    route 192.0.2.1/32 blackhole { bgp_next_hop = 192.0.2.9; bgp_med = 1; "
        "bgp_local_pref = 50; bgp_path.prepend(64510); bgp_path.prepend(64510); "
        "bgp_community.add((1, 2)); bgp_community.add((65535, 0)); "
        "bgp_large_community.add((1, 2, 3)); };\n"
    ) in include_text([full], 64510)


def test_the_order_of_announcements_means_nothing() -> None:
    listed = [Announcement(ip_network(f"192.0.2.{number}/32")) for number in range(5)]
    assert include_text(listed, 1) == include_text(reversed(listed), 1)


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ("Socket: Connection closed", DownReason.PEER_CLOSED),
        ("Socket: No route to host", DownReason.CONNECTING),
        ("Hold timer expired", DownReason.HOLD_TIMER),
        ("Error: Bad peer AS: 64999", DownReason.WRONG_AS),
        ("Received: Administrative shutdown", DownReason.NOTIFIED),
        ("Error: Malformed AS_PATH", DownReason.MALFORMED),
        ("BFD session down", DownReason.BFD),
    ],
)
def test_sessions_are_read(words: str, reason: DownReason) -> None:
    four, six = (SessionKey(ip_address(one)) for one in ("10.99.1.1", "fd99:1::1"))
    assert read_protocols(PROTOCOLS % (words, words)) == {
        four: ("isp4", Seen(True)),
        six: ("isp6", Seen(False, reason, words)),
    }


def test_routes_are_read() -> None:
    assert read_routes(ROUTES) == {
        ip_network("203.0.113.0/24"): Attributes(
            (64510, 64511, 64512),
            100,
            90,
            frozenset({(1, 2), (65535, 0)}),
            frozenset({(1, 2, 3)}),
        ),
        ip_network("198.51.100.0/24"): Attributes(),
    }


def test_names_that_could_be_more_than_a_name_are_left_out() -> None:
    text = "'x all'   BGP        ---        up\n    Neighbor address: 10.0.0.1\n"
    assert read_protocols(text) == {}


@pytest.mark.parametrize("end", ["\x85", "\u2028", "\u2029", "\x0b", "\x0c", "\x1c", "\r"])
def test_what_a_router_says_as_it_leaves_is_no_line_of_birds(end: str) -> None:
    """BIRD takes some of what ends a line out of that message, and leaves the rest."""
    said = (
        f"bye{end}isp6 BGP --- up{end}    Neighbor address: fd99:1::1{end}  BGP state: Established"
    )
    text = (
        f"isp4       BGP        ---        start\n  Message:        {said}\n"
        "  BGP state:          Active\n    Neighbor address: 10.99.1.1\n"
        "    Last error:       Received: Administrative shutdown\n"
    )
    (session,) = read_protocols(text)
    assert str(session) == "10.99.1.1"
    assert not read_protocols(text)[session][1].up


LINES = st.lists(
    st.sampled_from([*PROTOCOLS.splitlines(), *ROUTES.splitlines()]) | st.text(max_size=30)
).map("\n".join)


@given(LINES)
def test_no_answer_is_an_error(text: str) -> None:
    read_protocols(text)
    for attributes in read_routes(text).values():
        assert len(attributes.as_path) <= 64
        assert len(attributes.communities) <= 32
