"""What a speaker says becomes what is known of its sessions, and what people are told."""

from __future__ import annotations

from ipaddress import ip_address, ip_network

from headrace.bgp.announcement import Family
from headrace.bgp.events import (
    Acknowledged,
    Attributes,
    BfdDown,
    BfdUp,
    DownReason,
    Dropped,
    DropReason,
    Lost,
    Received,
    Refused,
    RoutersChanged,
    SessionDown,
    SessionKey,
    SessionUp,
    SpeakerChanged,
    SpeakerEvent,
    SpeakerState,
)
from headrace.vip.speak.said import Said

KEY = SessionKey(ip_address("10.0.0.1"))
PREFIX = ip_network("192.0.2.1/32")


def told(said: Said, event: SpeakerEvent, now: float = 5.0) -> list[str]:
    """The kinds of what people are told."""
    return [one.kind for one in said.heard(event, now)]


def test_sessions_go_up_and_down_with_reasons() -> None:
    said = Said([KEY], 1.0)
    assert told(said, SessionUp(KEY), 2.0) == ["session_up"]
    assert (said.sessions[KEY].up, said.sessions[KEY].since) == (True, 2.0)
    down = SessionDown(KEY, DownReason.HOLD_TIMER, "nothing came", "check the link")
    assert told(said, down, 3.0) == ["session_down"]
    found = said.sessions[KEY]
    assert (found.up, found.since, found.reason, found.ups) == (False, 3.0, "hold-timer", 1)
    told(said, down, 4.0)
    assert said.sessions[KEY].since == 3.0


def test_what_the_speaker_took_is_known_until_it_dies() -> None:
    said = Said([KEY], 1.0)
    assert told(said, Acknowledged(PREFIX)) == []
    assert said.acknowledged == {PREFIX}
    told(said, Acknowledged(PREFIX, withdrawn=True))
    assert said.acknowledged == set()
    told(said, Acknowledged(PREFIX))
    assert told(said, SpeakerChanged(SpeakerState.DIED, "killed", 0.2)) == ["speaker_died"]
    assert said.acknowledged == set()
    told(said, SpeakerChanged(SpeakerState.STARTED))
    assert said.starts == 1


def test_refusals_and_what_routers_announce_are_counted() -> None:
    said = Said([KEY], 1.0)
    assert told(said, Refused(PREFIX, "no next hop")) == ["refused"]
    assert said.refused == {PREFIX: "no next hop"}
    told(said, Acknowledged(PREFIX))
    assert said.refused == {}
    assert told(said, Received(KEY, PREFIX, Attributes())) == []
    assert said.sessions[KEY].received == 1
    told(said, Lost(KEY, PREFIX))
    told(said, Lost(KEY, PREFIX))
    assert said.sessions[KEY].received == 0
    assert told(said, Dropped(KEY, DropReason.TOO_MANY, "1,000")) == ["dropped"]
    assert said.dropped == {"too-many": 1}


def test_a_router_that_flaps_is_told_less_and_less_often() -> None:
    said = Said([KEY], 1.0)
    down = SessionDown(KEY, DownReason.NOTIFIED, "again", "see its log")
    kinds = []
    for second in range(600):
        kinds += told(said, SessionUp(KEY), float(second))
        kinds += told(said, down, second + 0.5)
    assert len(kinds) == 10 + 600 // 30 - 1
    assert said.sessions[KEY].ups == 600
    (last,) = said.heard(SessionUp(KEY), 700.0)
    assert "more that are not told" in last.detail
    # Others are told all the same.
    other = SessionKey(ip_address("10.0.0.2"))
    assert told(said, SessionUp(other), 600.0) == ["session_up"]


def test_bfd_is_known_apart_from_its_session() -> None:
    said = Said([KEY], 1.0, [KEY])
    assert (said.bfd[KEY].up, said.bfd[KEY].since) == (None, 1.0)
    assert told(said, BfdDown(KEY, "no answer for 15 s", "speak BFD"), 16.0) == ["bfd_down"]
    assert told(said, SessionUp(KEY), 17.0) == ["session_up"]
    found = said.bfd[KEY]
    assert (found.up, found.since, found.detail, found.remedy) == (
        *(False, 16.0, "no answer for 15 s"),
        "speak BFD",
    )
    # Down still: since then, whatever is said of it.
    list(said.heard(BfdDown(KEY, "bfdd ended"), 20.0))
    assert said.bfd[KEY].since == 16.0
    assert told(said, BfdUp(KEY), 21.0) == ["bfd_up"]
    assert (said.bfd[KEY].up, said.bfd[KEY].since) == (True, 21.0)


def test_without_bfd_nothing_is_known_of_it() -> None:
    assert Said([KEY], 1.0).bfd == {}


def test_routers_that_stay_are_known_as_they_were() -> None:
    other = SessionKey(ip_address("10.0.0.2"))
    said = Said([KEY], 1.0)
    told(said, SessionUp(KEY), 2.0)
    told(said, Refused(None, "the changed routers: no port", "see the log"))
    assert told(said, RoutersChanged({KEY: 64500}), 3.0) == []
    assert None not in said.refused
    changed = RoutersChanged({other: 64501, KEY: 64500}, frozenset({other}))
    assert told(said, changed, 4.0) == ["routers_changed"]
    assert [(one.up, one.since) for one in said.sessions.values()] == [(False, 4.0), (True, 2.0)]
    assert list(said.bfd) == [other]
    told(said, RoutersChanged({other: 64501}), 5.0)
    assert (list(said.sessions), said.bfd) == ([other], {})


def test_a_session_that_ended_and_was_made_again_at_once_is_no_secret() -> None:
    other = SessionKey(ip_address("10.0.0.2"))
    said = Said([KEY, other], 1.0)
    told(said, SessionUp(KEY))
    assert (said.up, said.up_since_asked()) == ({Family.IPV4}, {Family.IPV4})
    down = SessionDown(KEY, DownReason.HOLD_TIMER, "", "")
    told(said, down)
    told(said, SessionUp(KEY))
    assert said.up == {Family.IPV4}
    assert [said.up_since_asked() for _asked in range(2)] == [set(), {Family.IPV4}]
    # With another router that has heard all of it, nothing was lost.
    told(said, SessionUp(other))
    told(said, down)
    assert said.up_since_asked() == {Family.IPV4}
