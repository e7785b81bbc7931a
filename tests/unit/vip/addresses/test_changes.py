"""Addresses that are wanted come to be there; those that others bound are never touched."""

from __future__ import annotations

from ipaddress import ip_address

from hypothesis import given
from hypothesis import strategies as st

from headrace.vip.addresses.changes import changes
from headrace.vip.addresses.ip_program import add_lines, remove_lines
from headrace.vip.plan.model import Address

ADDRESSES = st.sets(st.integers(0, 9).map(lambda number: ip_address(f"192.0.2.{number}")))
A, B, V6 = ip_address("192.0.2.1"), ip_address("192.0.2.2"), ip_address("2001:db8::1")


def test_what_is_there_already_is_used_and_stays_others() -> None:
    found = changes([A, B], present=[A], own=[])
    assert (found.add, found.remove, found.own) == ((B,), (), frozenset({B}))
    assert changes([], present=[A, B], own=found.own).remove == (B,)


def test_what_somebody_removed_is_bound_again() -> None:
    assert changes([A], present=[], own=[A]).add == (A,)


def test_they_are_bound_so_that_the_kernel_does_not_choose_them() -> None:
    assert add_lines("lo", [A, V6]) == [
        "address add 192.0.2.1/32 dev lo preferred_lft 0",
        "address add 2001:db8::1/128 dev lo preferred_lft 0 nodad",
    ]
    assert remove_lines("dum0", [V6]) == ["address del 2001:db8::1/128 dev dum0"]


@given(wanted=ADDRESSES, present=ADDRESSES, own=ADDRESSES)
def test_all_that_is_wanted_is_there_and_nothing_of_others_is_gone(
    wanted: set[Address], present: set[Address], own: set[Address]
) -> None:
    found = changes(wanted, present, own)
    after = (present | set(found.add)) - set(found.remove)
    assert wanted <= after
    assert present - own <= after
    assert after - wanted <= present - own
    assert found.own <= after
    assert not changes(wanted, after, found.own).anything
