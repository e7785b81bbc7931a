"""The last events, in bounds."""

from __future__ import annotations

from ipaddress import ip_address

import pytest

from headrace.vip.events import DETAIL_LETTERS, MOST, Event, Events, meant_by


def test_the_last_ones_are_kept_and_of_a_long_detail_only_its_beginning() -> None:
    events = Events()
    for number in range(2 * MOST):
        events.add(Event(float(number), "reason", "192.0.2.1", "x" * 100_000))
    kept = events.last(3 * MOST)
    assert len(kept) == MOST
    assert {len(one.detail) for one in kept} == {DETAIL_LETTERS}
    assert kept[0].at == 2 * MOST - 1
    assert events.last(1, {"192.0.2.2"}) == []
    assert events.last(1, {"192.0.2.2", "192.0.2.1"}) == kept[:1]


@pytest.mark.parametrize(
    ("about", "meant"),
    [
        ("", set()),
        ("north", {"10.99.1.1", "fd99:1::1"}),
        ("10.99.1.1", {"10.99.1.1"}),
        ("FD99:1:0::1", {"fd99:1::1"}),
        ("nobody", {"nobody"}),
    ],
)
def test_a_router_is_meant_by_its_name_and_an_address_however_it_is_written(
    about: str, meant: set[str]
) -> None:
    routers = [("north", "10.99.1.1"), ("north", "fd99:1::1"), ("south", "10.99.2.1"), ("", "::1")]
    assert meant_by(about, [(name, ip_address(one)) for name, one in routers]) == meant
