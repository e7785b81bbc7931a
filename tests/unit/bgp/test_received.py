"""What routers announce is filtered, bounded, and reported once for each reason."""

from __future__ import annotations

from ipaddress import ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.bgp.announcement import IPNetwork
from headrace.bgp.events import Attributes, Dropped, DropReason, Lost, Received, SessionKey
from headrace.bgp.received import ReceivedRoutes, refusal
from headrace.bgp.session import Intake
from tests.unit.bgp.test_session import session

ROUTER = SessionKey(ip_address("192.0.2.1"))
SOME = Attributes(as_path=(64500,))


def routes(**intake: object) -> ReceivedRoutes:
    return ReceivedRoutes([session(intake=Intake(**({"most": 2} | intake)))])  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("prefix", "reason"),
    [
        ("0.0.0.0/0", DropReason.DEFAULT_ROUTE),
        ("8.0.0.0/7", DropReason.TOO_SHORT),
        ("8.8.8.0/25", DropReason.TOO_LONG),
        ("8.8.9.0/24", DropReason.OWN),
        ("10.0.0.0/8", DropReason.NOT_GLOBAL),
        ("224.0.0.0/8", DropReason.NOT_GLOBAL),
        ("9.0.0.0/8", DropReason.NOT_ALLOWED),
        ("2001:db8::/32", DropReason.WRONG_FAMILY),
        ("8.8.8.0/24", None),
    ],
)
def test_filters(prefix: str, reason: DropReason | None) -> None:
    within = (ip_network("8.0.0.0/8"), ip_network("10.0.0.0/8"), ip_network("224.0.0.0/8"))
    intake = Intake(10, within=within)
    own = {ip_network("8.8.9.0/24")}
    assert refusal(intake, ROUTER, ip_network(prefix), own) is reason


def test_private_prefixes_are_taken_where_they_are_allowed() -> None:
    assert refusal(Intake(1, private=True), ROUTER, ip_network("10.0.0.0/8"), ()) is None


def test_too_many_are_reported_once_and_what_is_there_stays() -> None:
    table = routes()
    seen = []
    for number in range(100):
        prefix = ip_network(f"8.{number}.0.0/16")
        seen += list(table.announced(ROUTER, prefix, SOME, ()))
    assert [type(one) for one in seen] == [Received, Received, Dropped]
    assert table.dropped[DropReason.TOO_MANY] == 98
    assert len(table.held(ROUTER)) == 2
    # One that is there may change, and makes room when it goes.
    other = Attributes(med=5)
    first = ip_network("8.0.0.0/16")
    assert list(table.announced(ROUTER, first, other, ())) == [Received(ROUTER, first, other)]
    assert list(table.announced(ROUTER, first, other, ())) == []
    assert list(table.withdrawn(ROUTER, first)) == [Lost(ROUTER, first)]
    assert len(list(table.announced(ROUTER, ip_network("8.9.0.0/16"), SOME, ()))) == 1


def test_an_ended_session_loses_all_and_may_report_again() -> None:
    table = routes(most=1)
    list(table.announced(ROUTER, ip_network("8.0.0.0/16"), SOME, ()))
    default = ip_network("0.0.0.0/0")
    assert len(list(table.announced(ROUTER, default, SOME, ()))) == 1
    assert list(table.announced(ROUTER, default, SOME, ())) == []
    assert list(table.ended(ROUTER)) == [Lost(ROUTER, ip_network("8.0.0.0/16"))]
    assert len(list(table.announced(ROUTER, default, SOME, ()))) == 1


PREFIXES = st.integers(0, 5).map(lambda number: ip_network(f"8.{number}.0.0/16"))


@given(st.lists(st.tuples(st.booleans(), PREFIXES)))
def test_events_add_up_to_what_is_held(steps: list[tuple[bool, IPNetwork]]) -> None:
    table, believed = routes(most=3), set()
    for announced, prefix in steps:
        events = (
            table.announced(ROUTER, prefix, SOME, ())
            if announced
            else table.withdrawn(ROUTER, prefix)
        )
        for event in events:
            if isinstance(event, Received):
                believed.add(event.prefix)
            elif isinstance(event, Lost):
                believed.remove(event.prefix)
        assert believed == set(table.held(ROUTER))
        assert len(believed) <= 3


def test_a_whole_table_replaces_the_former() -> None:
    table = routes(most=5)
    one, two, three = (ip_network(f"8.{number}.0.0/16") for number in range(3))
    list(table.replaced(ROUTER, {one: SOME, two: SOME}, ()))
    parts = table.replaced(ROUTER, {two: SOME, three: SOME}, ())
    events = [event for part in parts for event in part]
    assert events == [Lost(ROUTER, one), Received(ROUTER, three, SOME)]


def test_what_is_announced_now_comes_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("headrace.bgp.received.PART", 10)
    table = routes(most=30)
    many = {ip_network(f"8.{number}.0.0/16"): SOME for number in range(25)}
    assert [len(part) for part in table.replaced(ROUTER, many, ())] == [10, 10, 5]
    # Again: nothing is new, but for what this server announces itself by now.
    own = [ip_network("8.3.0.0/16")]
    events = [one for part in table.replaced(ROUTER, many, own) for one in part]
    assert [type(one) for one in events] == [Dropped, Lost]
    parts = list(table.replaced(ROUTER, {}, ()))
    assert [len(part) for part in parts] == [10, 10, 4]
    assert not table.held(ROUTER)


def test_other_bounds_count_for_what_comes_and_what_is_there_stays() -> None:
    table = routes()
    first, second = ip_network("8.1.0.0/16"), ip_network("8.2.0.0/16")
    assert list(table.announced(ROUTER, first, SOME, ()))
    table.change([session(intake=Intake(1))])
    assert isinstance(next(iter(table.announced(ROUTER, second, SOME, ()))), Dropped)
    assert list(table.held(ROUTER)) == [first]
