"""Who listens at a VIP itself, by what `ss` says."""

from __future__ import annotations

from ipaddress import ip_address

from headrace.vip.handover.listeners import complaint_of, listeners_in

VIPS = [ip_address(one) for one in ("192.0.2.1", "2001:db8::1", "192.0.2.2")]


def test_only_listeners_at_a_vip_itself_are_said() -> None:
    text = (
        "LISTEN 0 100 192.0.2.1:443 0.0.0.0:*\n"
        "LISTEN 0 100 [2001:db8::1]:80 [::]:*\n"
        "LISTEN 0 100 [::ffff:192.0.2.2]:80 *:*\n"
        "LISTEN 0 100 *:443 *:*\nLISTEN 0 100 [::]:80 [::]:*\nLISTEN 0 100 0.0.0.0:22 0.0.0.0:*\n"
        "LISTEN 0 100 127.0.0.1%lo:9090 0.0.0.0:*\nsomething else\n\n"
    )
    found = listeners_in(text, VIPS)
    assert found == ("192.0.2.1 port 443", "192.0.2.2 port 80", "2001:db8::1 port 80")
    assert "192.0.2.1 port 443" in complaint_of(found)
    assert "more" not in complaint_of(found)


def test_many_are_not_all_said() -> None:
    assert complaint_of(()) == ""
    assert "and 7 more" in complaint_of([f"a port {number}" for number in range(10)])
