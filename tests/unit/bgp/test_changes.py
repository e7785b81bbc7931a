"""A speaker is told exactly what makes it announce what is desired."""

from __future__ import annotations

from ipaddress import ip_network

from hypothesis import given
from hypothesis import strategies as st

from headrace.bgp.announcement import Announcement, Family
from headrace.bgp.changes import Desired

ANNOUNCEMENTS = st.builds(
    Announcement,
    prefix=st.integers(0, 5).map(lambda number: ip_network(f"192.0.2.{number}/32")),
    med=st.sampled_from([100, 200]),
)
SETS = st.lists(ANNOUNCEMENTS, unique_by=lambda one: one.prefix).map(frozenset)


@given(st.lists(SETS, max_size=5), st.integers(0, 3))
def test_changes_lead_to_what_is_desired(sets: list[frozenset[Announcement]], said: int) -> None:
    state, speaker = Desired(), {}
    for announcements in sets:
        state.set(announcements)
        for _ in range(said):  # The window may close before all is said.
            if (change := state.take_change()) is not None:
                speaker[change[0]] = change[1]
    while (change := state.take_change()) is not None:
        speaker[change[0]] = change[1]
    there = {one for one in speaker.values() if one is not None}
    assert there == set(sets[-1] if sets else ())


def test_announcements_come_before_withdrawals() -> None:
    state = Desired()
    old, new = Announcement(ip_network("192.0.2.1/32")), Announcement(ip_network("192.0.2.2/32"))
    state.set([old])
    assert state.take_change() == (old.prefix, old)
    state.set([new])
    assert state.take_change() == (new.prefix, new)
    assert state.take_change() == (old.prefix, None)
    assert state.take_change() is None


def test_what_was_refused_is_tried_again_only_when_something_else_is_set() -> None:
    state = Desired()
    one = Announcement(ip_network("192.0.2.1/32"))
    state.set([one])
    state.take_change()
    state.refused(one.prefix, one)
    state.set([one])
    assert state.take_change() is None
    other = Announcement(ip_network("192.0.2.2/32"))
    state.set([one, other])
    assert [state.take_change(), state.take_change()] == [(one.prefix, one), (other.prefix, other)]


def test_a_speaker_that_starts_is_told_all_at_once() -> None:
    state = Desired()
    one = Announcement(ip_network("192.0.2.1/32"))
    state.set([one])
    assert state.started() == [one]
    assert state.take_change() is None


def test_prefixes_of_a_family_without_a_session_are_forgotten() -> None:
    state = Desired()
    old, new = (Announcement(ip_network(one)) for one in ("192.0.2.1/32", "2001:db8::1/128"))
    state.set([old, new])
    assert state.take_change() == (old.prefix, old)
    state.keep({Family.IPV4})
    assert state.take_change() is None
    assert (state.desired, state.told) == ({old.prefix: old}, {old.prefix: old})
    # When it has one again, all of it is told.
    state.set([old, new])
    assert state.take_change() == (new.prefix, new)
