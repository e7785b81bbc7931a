"""What ExaBGP is told; real ExaBGP reads the same in tests/integration/bgp."""

from __future__ import annotations

import base64
from ipaddress import ip_address, ip_network

import pytest

from headrace.bgp.announcement import Announcement
from headrace.bgp.exabgp.text import announce_line, configuration, withdraw_line
from headrace.bgp.session import Intake
from tests.unit.bgp.test_received import ROUTER
from tests.unit.bgp.test_session import session

V4 = Announcement(ip_network("192.0.2.1/32"), med=100)
V6 = Announcement(ip_network("2001:db8::1/128"), med=100)
SIX = session(peer=ip_address("2001:db8::a"), local=ip_address("2001:db8::b"))


def test_each_session_carries_its_family_and_what_is_announced_in_it() -> None:
    text = configuration([session(), SIX], {}, [V4, V6], "/helper")
    four, six = text.split("neighbor 2001:db8::a {")
    assert "family { ipv4 unicast; }" in four
    assert "route 192.0.2.1/32 next-hop self origin igp med 100;" in four
    assert "2001:db8::1/128" not in four
    assert "family { ipv6 unicast; }" in six
    assert "route 2001:db8::1/128 next-hop self origin igp med 100;" in six


def test_a_password_cannot_end_its_line() -> None:
    secret = "x'; local-as 1; md5-password 'y"
    text = configuration([session()], {ROUTER: secret}, [], "/helper")
    assert secret not in text
    assert f"md5-password '{base64.b64encode(secret.encode()).decode()}';" in text
    assert "md5-base64 true;" in text


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"ttl_security_hops": 1}, ["outgoing-ttl 255;", "incoming-ttl 255;"]),
        ({"ttl_security_hops": 3}, ["outgoing-ttl 255;", "incoming-ttl 253;"]),
        ({"graceful_restart_s": 60}, ["graceful-restart 60;"]),
        ({}, ["graceful-restart disable;", "passive false;", "connect 179;", "hold-time 9;"]),
        ({"passive": True, "port": 1179}, ["passive true;", "listen 1179;"]),
        ({"description": "isp-1 left"}, ['description "isp-1 left";']),
        ({"intake": Intake(5)}, ["receive { parsed; update; }"]),
    ],
)
def test_settings_of_a_session(changes: dict[str, object], words: list[str]) -> None:
    text = configuration([session(**changes)], {}, [], "/helper")
    assert all(word in text for word in words)


def test_nothing_is_received_unless_it_is_wanted() -> None:
    assert "receive" not in configuration([session()], {}, [], "/helper")


def test_commands_name_all_sessions_of_the_family() -> None:
    other = session(peer=ip_address("192.0.2.9"))
    line = announce_line([session(), SIX, other], V4)
    assert line.startswith("neighbor 192.0.2.1 , neighbor 192.0.2.9 announce route 192.0.2.1/32 ")
    gone = withdraw_line([session(), SIX], V6.prefix)
    assert gone == "neighbor 2001:db8::a withdraw route 2001:db8::1/128 next-hop self"


def test_all_that_an_announcement_has_is_said() -> None:
    full = Announcement(
        V4.prefix,
        next_hop=ip_address("192.0.2.77"),
        med=1,
        prepend=2,
        communities=frozenset({(65535, 0), (1, 2)}),
        large_communities=frozenset({(1, 2, 3)}),
        local_preference=50,
    )
    rest = "local-preference 50 as-path [ %s ] community [ 1:2 65535:0 ] large-community [ 1:2:3 ]"
    words = "announce route 192.0.2.1/32 next-hop 192.0.2.77 origin igp med 1 " + rest
    # To another AS the own one stands once more in front, which ExaBGP does not do by itself.
    assert announce_line([session()], full).endswith(words % "64510 64510 64510")
    assert announce_line([session(peer_as=64510)], full).endswith(words % "64510 64510")
