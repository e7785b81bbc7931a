from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from headrace.edge.fill.client_budgets import MOST_NETWORKS, ByteBudget, Counts

NETWORKS = st.sampled_from(["a", "b", "c"])


@given(st.lists(st.tuples(NETWORKS, st.booleans()), max_size=60))
def test_counts_stay_within_both_limits_and_return_to_nothing(
    steps: list[tuple[str, bool]],
) -> None:
    counts = Counts(2, 3)
    held: dict[str, int] = {}
    for network, takes in steps:
        if takes:
            room = held.get(network, 0) < 2 and sum(held.values()) < 3
            assert counts.take(network) is room
            held[network] = held.get(network, 0) + room
        elif held.get(network):
            counts.give(network)
            held[network] -= 1
        assert counts.total == sum(held.values())
        assert counts.held(network) == held.get(network, 0)
    for network, number in held.items():
        for _ in range(number):
            counts.give(network)
    assert counts.total == 0
    assert not counts._held


def test_a_local_proxy_has_no_limit_of_its_own() -> None:
    counts = Counts(1, 3)
    assert [counts.take("") for _ in range(4)] == [True, True, True, False]


def test_a_held_place_is_given_back_whatever_happens() -> None:
    counts = Counts(1)
    try:
        with counts.hold("a") as taken:
            assert taken
            with counts.hold("a") as again:
                assert not again
            raise ZeroDivisionError
    except ZeroDivisionError:
        pass
    assert counts.total == 0


@given(st.lists(st.tuples(NETWORKS, st.integers(0, 150), st.floats(0, 5)), max_size=60))
def test_no_one_spends_more_than_the_burst_and_what_came_back(
    steps: list[tuple[str, int, float]],
) -> None:
    budget = ByteBudget(100, 10.0)
    now = 0.0
    spent: dict[str, int] = {}
    for network, size, passed in steps:
        now += passed
        if budget.spend(network, size, now):
            spent[network] = spent.get(network, 0) + size
        assert spent.get(network, 0) <= 100 + 10.0 * now + 1e-6
        assert 0 <= budget.left_bytes(network, now) <= 100


def test_a_network_that_waits_has_its_burst_again() -> None:
    budget = ByteBudget(100, 10.0)
    assert budget.spend("a", 100, 0.0)
    assert not budget.spend("a", 1, 0.0)
    assert budget.spend("b", 100, 0.0)
    assert budget.spend("a", 100, 10.0)


def test_a_clock_that_goes_back_gives_nothing() -> None:
    budget = ByteBudget(100, 10.0)
    assert budget.spend("a", 100, 50.0)
    assert not budget.spend("a", 1, 0.0)


def test_more_networks_than_are_remembered_share_an_account() -> None:
    budget = ByteBudget(100, 0.0)
    for number in range(MOST_NETWORKS):
        assert budget.spend(f"n{number}", 60, 0.0)
    assert budget.spend("new", 60, 0.0)
    assert not budget.spend("another", 60, 0.0)
    assert len(budget._accounts) <= MOST_NETWORKS + 1


def test_networks_that_owe_nothing_make_room() -> None:
    budget = ByteBudget(100, 100.0)
    for number in range(MOST_NETWORKS):
        assert budget.spend(f"n{number}", 60, 0.0)
    assert budget.spend("new", 60, 10.0)
    assert budget.spend("another", 60, 10.0)
    assert len(budget._accounts) <= 3
