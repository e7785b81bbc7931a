"""Announcements refuse what no speaker could send, and communities are read as they are written."""

from __future__ import annotations

from ipaddress import ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.bgp.announcement import (
    Announcement,
    Family,
    by_prefix,
    community_text,
    parse_community,
    parse_large_community,
)

V4 = ip_network("192.0.2.1/32")
V6 = ip_network("2001:db8::1/128")


def test_family_is_that_of_the_prefix() -> None:
    assert Announcement(V4).family is Family.IPV4
    assert Announcement(V6).family is Family.IPV6


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"med": -1}, "MED"),
        ({"med": 2**32}, "MED"),
        ({"prepend": 17}, "prepend"),
        ({"local_preference": 2**32}, "local preference"),
        ({"communities": frozenset({(65536, 0)})}, "community"),
        ({"communities": frozenset((1, n) for n in range(33))}, "more than 32"),
        ({"large_communities": frozenset({(1, 2, 2**32)})}, "large community"),
        ({"next_hop": ip_address("2001:db8::1")}, "next hop"),
    ],
)
def test_what_no_speaker_could_send_is_refused(wrong: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Announcement(V4, **wrong)  # type: ignore[arg-type]


def test_one_prefix_cannot_be_announced_in_two_ways() -> None:
    one = Announcement(V4, med=100)
    assert by_prefix([one, Announcement(V6), Announcement(V4, med=100)]).keys() == {V4, V6}
    with pytest.raises(ValueError, match="two ways"):
        by_prefix([one, Announcement(V4, med=200)])


@given(st.tuples(st.integers(0, 65535), st.integers(0, 65535)))
def test_communities_are_read_as_written(community: tuple[int, int]) -> None:
    assert parse_community(community_text(community)) == community


@given(st.tuples(*[st.integers(0, 2**32 - 1)] * 3))
def test_large_communities_are_read_as_written(community: tuple[int, int, int]) -> None:
    assert parse_large_community(community_text(community)) == community


@pytest.mark.parametrize(
    "text", ["", "1", "1:2:3", "65536:1", "-1:2", "a:b", "1:²", "1:9999999999999"]
)
def test_other_texts_are_no_communities(text: str) -> None:
    with pytest.raises(ValueError, match="no community"):
        parse_community(text)
