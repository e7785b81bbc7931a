"""When a server that was cut off keeps back what its VIPs would send, and for how long."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from ipaddress import IPv4Address, IPv6Address, ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.bgp.announcement import Family
from headrace.bgp.session import Session
from headrace.topology.vips import Announce
from headrace.vip.handover.lines import on_lines
from headrace.vip.handover.silence import (
    MOST_S,
    NEVER_DOWN,
    SETTLES_S,
    Line,
    Silence,
    Silences,
    heard_since,
    next_lines,
    next_silences,
    silent,
)
from headrace.vip.handover.silence_rules import no_silence, silence_rules, silent_in
from headrace.vip.plan.floor import Neighbour
from headrace.vip.plan.health import Soundness
from headrace.vip.plan.hearing import Hearing
from headrace.vip.plan.model import Address
from headrace.vip.plan.order import site_order
from tests.unit.vip.plan.sites import a_server, a_site, names_of

NOW = 1000.0
ORDER = site_order(
    a_site([a_server(name, at == 1) for at, name in enumerate(names_of(3), 1)], Announce(2)),
    "north",
)
(V4,) = (one for one in ORDER.vips if one.version == 4)
OTHERS = [name for name in ORDER.vips[V4].names if name != "n1"]
SECOND, THIRD = OTHERS
DEAD = dict.fromkeys(OTHERS, Neighbour(Soundness.FAILED, NOW - 1))
HEARD: dict[Family, float | None] = dict.fromkeys(Family, NOW - 100)
UNHEARD: dict[Family, float | None] = dict.fromkeys(Family)
CUT: Silences = {V4: Silence()}


def says(at: float, to: str = "", *, announces: bool = True) -> Neighbour:
    """One that answers, and passes on to somebody."""
    vips = frozenset([V4] if announces else [])
    return Neighbour(Soundness.SOUND, at, announces=vips, takes=8094, passes={V4: to} if to else {})


def after(
    before: Silences,
    neighbours: Mapping[str, Neighbour],
    since: Mapping[Family, float | None] = UNHEARD,
    now: float = NOW,
    *,
    partners: tuple[str, ...] = tuple(OTHERS),
    broken: frozenset[Address] = frozenset(),
) -> Silences:
    """What the first server keeps back of its VIP of IPv4."""
    found = next_silences(ORDER, "n1", before, neighbours, partners, since, broken, now)
    return {vip: one for vip, one in found.items() if vip == V4}


def test_only_who_reaches_nobody_is_silent() -> None:
    assert after({}, DEAD) == CUT
    assert after({}, DEAD, HEARD) == {}
    assert after({}, {**DEAD, THIRD: says(NOW)}) == {}
    impaired = Neighbour(Soundness.DEGRADED, NOW)
    assert after({}, {**DEAD, THIRD: impaired}) == {}
    # One family that is heard does not help the other, and the other way round.
    assert after({}, DEAD, {Family.IPV6: NOW, Family.IPV4: None}) == CUT
    assert after({}, DEAD, {Family.IPV4: NOW, Family.IPV6: None}) == {}


def test_who_never_heard_a_neighbour_that_takes_packets_is_not() -> None:
    """A server that starts, one that is alone, one whose neighbours have no handover."""
    assert after({}, DEAD, partners=()) == {}
    assert after({}, {}, partners=()) == {}
    assert after({}, {**DEAD, SECOND: says(NOW)}, partners=(THIRD,)) == CUT


def test_it_ends_by_the_word_of_the_one_that_has_the_vip() -> None:
    back = after(CUT, {**DEAD, SECOND: says(NOW - 0.1, "n1")}, now=NOW)
    assert back == {V4: Silence(NOW)}  # its word may be of the time before
    assert after(back, {**DEAD, SECOND: says(NOW + 0.1)}, now=NOW + 0.2) == back
    third = {**DEAD, THIRD: says(NOW + 0.1, "n1")}
    assert after(back, third, now=NOW + 0.2) == back  # the second may have it
    failed = replace(third[THIRD], soundness=Soundness.FAILED, passes={}, takes=None)
    assert after(back, {**third, SECOND: failed}, now=NOW + 0.2) == {}
    assert after(back, {**DEAD, SECOND: says(NOW + 0.1, THIRD)}, now=NOW + 0.2) == back
    assert after(back, {**DEAD, SECOND: says(NOW + 0.1, "n1")}, now=NOW + 0.2) == {}


def test_it_ends_when_routers_hear_the_server_again() -> None:
    up = {Family.IPV4: NOW + 1}
    back = after(CUT, DEAD, up, NOW + 1)
    assert back == {V4: Silence(NOW + 1)}
    assert after(back, DEAD, up, NOW + 0.9 + SETTLES_S) == back
    assert after(back, DEAD, up, NOW + 1 + SETTLES_S) == {}


def test_a_neighbour_that_never_says_it_is_not_waited_for() -> None:
    back: Silences = {V4: Silence(NOW)}
    hostile = {**DEAD, SECOND: says(NOW + MOST_S, THIRD)}
    assert after(back, hostile, now=NOW + MOST_S - 0.1) == back
    assert after(back, hostile, now=NOW + MOST_S) == {}
    assert after(back, hostile, now=NOW - 1) == {}  # the clock was set back


def test_a_packet_that_came_ends_it_until_the_server_is_cut_off_anew() -> None:
    vips = frozenset([V4])
    broken = after(CUT, DEAD, broken=vips)
    assert (silent(CUT), silent(broken)) == (vips, frozenset())
    assert after(broken, DEAD) == broken
    answers = {**DEAD, SECOND: says(NOW)}
    assert after(broken, answers) == {}
    assert after({V4: Silence(NOW)}, answers, broken=vips) == {}
    assert silent(after({V4: Silence(NOW)}, DEAD, now=NOW + 1)) == vips


@given(
    st.lists(
        st.tuples(
            st.sampled_from([*Soundness]),
            st.sampled_from(["", "n1", THIRD]),
            st.booleans(),
            st.floats(0.05, 2.0),
        ),
        min_size=1,
        max_size=40,
    )
)
def test_whoever_is_reached_does_not_make_it_last(
    turns: list[tuple[Soundness, str, bool, float]],
) -> None:
    """Whatever a neighbour says, and whenever it dies again."""
    now, found, reached_s = NOW, after({}, DEAD), 0.0
    for soundness, to, announces, pause_s in turns:
        now += pause_s
        one = replace(says(now, to, announces=announces), soundness=soundness)
        found = after(found, {SECOND: one, THIRD: Neighbour(Soundness.FAILED, now)}, now=now)
        answers = soundness in (Soundness.SOUND, Soundness.DEGRADED)
        reached_s = reached_s + pause_s if answers and reached_s else float(answers) * 1e-9
        if found and not answers:
            assert found[V4].back_at is None
        assert not (found and reached_s >= MOST_S + 1e-6)
        if soundness is Soundness.SOUND and not answers:
            assert found


def test_a_session_that_was_up_when_the_line_went_down_does_not_count() -> None:
    up = Hearing(up_since=NOW)
    down = Line(NOW + 10, hold_s=9)
    assert heard_since(None, NEVER_DOWN, NOW) is None
    assert heard_since(up, NEVER_DOWN, NOW + 1) == NOW
    assert heard_since(up, down, NOW + 10) is None
    assert heard_since(up, down, NOW + 19) is None
    # If it was over, it would have ended by now.
    assert heard_since(up, down, NOW + 21) == NOW
    assert heard_since(Hearing(up_since=NOW + 11), down, NOW + 11) == NOW + 11


def session(local: str, peer: str) -> Session:
    return Session(ip_address(peer), ip_address(local), 64500, 64510, IPv4Address("10.0.0.1"))


def test_a_family_has_no_line_when_none_of_its_sessions_has_one() -> None:
    sessions = [
        session("10.0.0.2", "10.0.0.1"),
        session("10.0.1.2", "10.0.1.1"),
        session("fd00::2", "fd00::1"),
    ]
    first, second, third = (one.local for one in sessions)
    assert next_lines({}, sessions, {first, third}, NOW)[Family.IPV4] == Line(None, 9)
    found = next_lines({}, sessions, {second}, NOW)
    assert (found[Family.IPV4].down_at, found[Family.IPV6].down_at) == (None, NOW)
    found = next_lines(found, sessions, {second, third}, NOW + 1)
    assert found[Family.IPV6].down_at == NOW
    assert next_lines(found, sessions, None, NOW + 2) == found
    assert next_lines({}, [], set(), NOW)[Family.IPV4] == NEVER_DOWN


def test_addresses_are_on_lines_that_are_there() -> None:
    text = b"""[
      {"ifname": "lo", "flags": ["LOOPBACK", "UP", "LOWER_UP"],
       "addr_info": [{"family": "inet", "local": "127.0.0.1"}]},
      {"ifname": "a", "flags": ["NO-CARRIER", "UP"],
       "addr_info": [{"family": "inet", "local": "10.0.0.2"}]},
      {"ifname": "b", "flags": ["UP", "LOWER_UP"], "addr_info": [
       {"family": "inet6", "local": "fd00::2"}, {"family": "inet"}]}, {}]"""
    assert on_lines(text) == {IPv4Address("127.0.0.1"), IPv6Address("fd00::2")}
    assert on_lines(b"") == frozenset()


@pytest.mark.parametrize("bad", [b"{", b'[{"addr_info": [{"local": "x"}]}', b'{"nftables": 1}'])
def test_what_programs_say_may_be_nonsense(bad: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        on_lines(bad)
    with pytest.raises(ValueError, match=r"."):
        silent_in(bad)


def test_rules_name_each_vip_in_its_family() -> None:
    vips = [ip_address("192.0.2.1"), ip_address("2001:db8::1")]
    text = silence_rules(vips, ["up", 'odd name"'], 6)
    assert "elements = { 192.0.2.1 timeout 6s }" in text
    assert "elements = { 2001:db8::1 timeout 6s }" in text
    assert text.startswith(no_silence())
    assert "elements" not in silence_rules([], ["up"], 6)
    listed = b"""{"nftables": [{"metainfo": {}}, {"set": {"name": "silent4", "elem": [
      {"elem": {"val": "192.0.2.1", "timeout": 6, "expires": 5}}]}}, {"set": {"name": "x"}}]}"""
    assert silent_in(listed) == {"192.0.2.1"}
