"""bfdd's configuration, and its answer, which is JSON of its own."""

from __future__ import annotations

from ipaddress import ip_address

import pytest

from headrace.bgp.bfd.text import Pace, changes, configuration, read_peers
from headrace.bgp.events import SessionKey
from tests.unit.bgp.test_session import session


def test_each_router_is_a_peer_at_the_pace() -> None:
    far = [session(ttl_security_hops=3), session(ttl_security_hops=1, bfd_multihop=True)]
    text = configuration([session(), *far], Pace(50, 5))
    assert "  detect-multiplier 5\n  receive-interval 50\n  transmit-interval 50\n" in text
    assert " peer 192.0.2.1 local-address 192.0.2.2\n" in text
    assert text.count(" peer 192.0.2.1 multihop local-address 192.0.2.2\n") == 2
    assert "interface" not in text


def test_answers_are_read() -> None:
    text = '[{"peer": "192.0.2.1", "status": "up", "x": 1}, {"peer": "fd00::1", "status": "down"}]'
    assert read_peers(text) == {
        SessionKey(ip_address("192.0.2.1")): (True, ""),
        SessionKey(ip_address("fd00::1")): (False, ""),
    }


@pytest.mark.parametrize("text", ["", "{}", '[{"peer": "x", "status": "up"}]', '[{"peer": 1}]'])
def test_nonsense_is_an_error(text: str) -> None:
    with pytest.raises(ValueError):
        read_peers(text)


@pytest.mark.parametrize(("interval_ms", "multiplier"), [(9, 3), (100, 1), (60_001, 3), (10, 256)])
def test_paces_that_bfdd_refuses_are_refused(interval_ms: int, multiplier: int) -> None:
    with pytest.raises(ValueError):
        Pace(interval_ms, multiplier)


def test_a_running_bfdd_is_told_what_differs_only() -> None:
    one, other = session(bfd=True), session(bfd=True, peer=ip_address("192.0.2.200"))
    assert changes([one], [one]) == []
    assert changes([one], [one, other]) == [
        *("configure terminal", "bfd"),
        f"peer 192.0.2.200 local-address {other.local}",
        *("profile headrace", "exit", "end"),
    ]
    assert changes([one], []) == [
        *("configure terminal", "bfd"),
        f"no peer {one.peer} local-address {one.local}",
        "end",
    ]
    far = session(bfd=True, bfd_multihop=True)
    assert [word for word in changes([one], [far]) if "peer" in word] == [
        f"no peer {one.peer} local-address {one.local}",
        f"peer {one.peer} multihop local-address {one.local}",
    ]
