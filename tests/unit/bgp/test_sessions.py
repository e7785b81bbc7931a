"""Only what changes about a session is reported."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address

from headrace.bgp.events import DownReason, SessionDown, SessionUp
from headrace.bgp.sessions import PATIENCE_S, SessionStates
from tests.unit.bgp.test_received import ROUTER
from tests.unit.bgp.test_session import session


def states() -> SessionStates:
    return SessionStates([session()], 0.0)


def reasons(events: object) -> list[DownReason]:
    return [one.reason for one in events]  # type: ignore[attr-defined]


def test_a_router_that_flaps_with_one_reason_is_reported_for_each_time_it_was_up() -> None:
    known = states()
    assert list(known.up(ROUTER, 1.0)) == [SessionUp(ROUTER)]
    assert list(known.up(ROUTER, 1.0)) == []
    assert reasons(known.down(ROUTER, DownReason.PEER_CLOSED, "", 2.0)) == [DownReason.PEER_CLOSED]
    for second in range(3, 30):
        assert list(known.down(ROUTER, DownReason.PEER_CLOSED, "", second)) == []
    assert list(known.up(ROUTER, 31.0)) == [SessionUp(ROUTER)]
    assert len(list(known.down(ROUTER, DownReason.PEER_CLOSED, "", 32.0))) == 1


def test_a_refusal_is_not_hidden_by_the_closed_connections_between() -> None:
    known = states()
    told = []
    for second in range(5):
        told += reasons(known.down(ROUTER, DownReason.WRONG_AS, "", second))
        told += reasons(known.down(ROUTER, DownReason.PEER_CLOSED, "", second))
    assert told == [DownReason.WRONG_AS]


def test_what_is_not_reached_for_long_is_reported_once_with_what_to_check() -> None:
    known = states()
    assert list(known.overdue(PATIENCE_S - 1, str)) == []
    (told,) = known.overdue(PATIENCE_S, str)
    assert told.reason is DownReason.CONNECTING
    assert "MD5" in told.remedy
    assert list(known.overdue(PATIENCE_S * 2, str)) == []


def test_why_a_session_ended_is_not_why_it_stays_away() -> None:
    known = states()
    list(known.up(ROUTER, 1.0))
    list(known.down(ROUTER, DownReason.WRONG_AS, "notification received (2,2)", 20.0))
    assert list(known.overdue(20.0 + PATIENCE_S - 1, str)) == []
    (told,) = known.overdue(20.0 + PATIENCE_S, str)
    assert told.reason is DownReason.CONNECTING
    assert told.detail.endswith("before: wrong-as")
    assert "MD5" in told.remedy
    assert list(known.overdue(90.0, str)) == []
    # It is heard again, and refuses as before: that is news.
    assert reasons(known.down(ROUTER, DownReason.WRONG_AS, "", 91.0)) == [DownReason.WRONG_AS]


def test_one_that_refuses_again_and_again_is_heard() -> None:
    known = states()
    told = []
    for second in range(60):
        told += reasons(known.down(ROUTER, DownReason.NOTIFIED, "", second))
        told += reasons(known.overdue(second + 0.5, str))
    assert told == [DownReason.NOTIFIED]


def test_a_dead_speaker_ends_only_what_was_up() -> None:
    known = states()
    assert list(known.all_down(DownReason.SPEAKER, "", 1.0)) == []
    list(known.up(ROUTER, 2.0))
    assert known.any_up()
    (told,) = known.all_down(DownReason.SPEAKER, "killed", 3.0)
    assert isinstance(told, SessionDown)
    assert not known.any_up()


def test_sessions_that_stay_are_known_as_they_were() -> None:
    known, other = states(), replace(session(), peer=ip_address("192.0.2.200"))
    list(known.up(ROUTER, 1.0))
    known.change([session(), other], 5.0)
    assert known.is_up(ROUTER)
    assert not known.is_up(other.key)
    assert not list(known.overdue(5.0 + PATIENCE_S - 1.0, lambda: ""))
    assert [one.session for one in known.overdue(5.0 + PATIENCE_S, lambda: "")] == [other.key]
    known.change([other], 20.0)
    assert ROUTER not in known
    assert not known.any_up()
