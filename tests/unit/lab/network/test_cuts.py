"""What can be cut, and the rules that come from it."""

from __future__ import annotations

import pytest

from headrace.lab.errors import LabError
from headrace.lab.network.cuts import Cut, make_cut, rules, touched
from tests.unit.lab.network.plans import plan_of

PLAN = plan_of()


def test_a_line_is_called_by_its_node_or_by_both_ends() -> None:
    wanted = Cut("oslo1")
    assert make_cut(PLAN, "oslo1", None, silent=False) == wanted
    assert make_cut(PLAN, "oslo1", "north", silent=False) == wanted
    assert make_cut(PLAN, "north", "oslo1", silent=False) == wanted
    assert make_cut(PLAN, "exchange", "north", silent=True) == Cut("north", silent=True)


def test_between_two_without_a_line_packets_are_dropped() -> None:
    assert make_cut(PLAN, "rome", "oslo", silent=False) == Cut("oslo", "rome", silent=True)


@pytest.mark.parametrize(
    ("one", "other", "words"),
    [
        ("exchange", None, "there is no line exchange"),
        ("oslo", None, "there is no line oslo"),
        ("oslo", "paris", "paris is no machine, site or ISP"),
        ("oslo", "oslo2", "have parts in common"),
        ("north", "oslo", "have parts in common"),
    ],
)
def test_what_cannot_be_cut_is_said(one: str, other: str | None, words: str) -> None:
    with pytest.raises(LabError, match=words):
        make_cut(PLAN, one, other, silent=False)


def test_a_line_that_is_down_needs_no_rules() -> None:
    assert touched(PLAN, Cut("oslo1")) == []
    assert "chain" not in rules(PLAN, {Cut("oslo1")}, PLAN.machines["oslo1"])


def test_a_silent_line_drops_all_there_is_on_it() -> None:
    cut = Cut("oslo1", silent=True)
    text = rules(PLAN, {cut}, PLAN.machines["oslo1"])
    assert 'iifname "up" drop' in text
    assert 'oifname "up" drop' in text
    assert "chain" not in rules(PLAN, {cut}, PLAN.machines["oslo2"])


def test_a_split_holds_on_both_sides_for_both_families() -> None:
    cut = make_cut(PLAN, "oslo", "rome", silent=False)
    assert {machine.name for machine in touched(PLAN, cut)} == {
        f"{site}{number}" for site in ("oslo", "rome") for number in (1, 2, 3)
    }
    text = rules(PLAN, {cut}, PLAN.machines["oslo1"])
    far = "198.51.100.65, 198.51.100.67, 198.51.100.69"
    assert f"ip saddr {{ {far} }} ip daddr {{ 192.0.2.65 }} drop" in text
    assert "ip6 saddr { 2001:db8:1:100::2 } ip6 daddr { 2001:db8:2:100::2" in text


def test_rules_begin_by_removing_those_before() -> None:
    assert rules(PLAN, (), PLAN.machines["oslo1"]).splitlines() == [
        "table inet headrace_lab {}",
        "delete table inet headrace_lab",
    ]
