"""Connections of clients are told from the checks of a server itself."""

from __future__ import annotations

from ipaddress import ip_address

from headrace.vip.clients import MOST_FILTERED, clients_in, filter_of

VIPS = [ip_address("192.0.2.1"), ip_address("2001:db8::1")]
LISTED = """\
ESTAB      0      0                192.0.2.1:55657          192.0.2.1:80
ESTAB      0      0       [::ffff:192.0.2.1]:80    [::ffff:192.0.2.1]:55657
FIN-WAIT-1 0      3780609 [::ffff:192.0.2.1]:80    [::ffff:198.51.100.9]:47065
ESTAB      0      0       [2001:db8::1]:443        [2001:db8:9::1]:1
ESTAB      0      0       10.0.0.1:443             198.51.100.9:1
ESTAB      0      0       192.0.2.1%lo:443         198.51.100.9:2
nonsense
"""


def test_only_clients_count() -> None:
    assert clients_in(LISTED, VIPS) == 3
    assert clients_in("", VIPS) == 0


def test_the_kernel_is_asked_for_these_alone_while_they_are_few() -> None:
    assert filter_of(VIPS) == ["( src 192.0.2.1 or src [2001:db8::1] )"]
    assert filter_of(VIPS * MOST_FILTERED) == []
