"""Who decides: the first that lives, is awake and hears enough."""

from __future__ import annotations

import pytest

from headrace.feedback.exchange.seniority import Heard, decider, enough

ORDER = ("a", "b", "c")
ALL = frozenset(ORDER)


def heard(*, age_s: float = 0.0, awake: bool = True, hears: frozenset[str] = ALL) -> Heard:
    return Heard(age_s, awake, hears)


@pytest.mark.parametrize(
    ("changed", "decides"),
    [
        ({}, "a"),
        ({"a": heard(age_s=2.6)}, "b"),
        ({"a": heard(awake=False)}, "b"),
        ({"a": heard(hears=frozenset("a"))}, "b"),
        ({"a": heard(age_s=9), "b": heard(awake=False)}, "c"),
        ({"a": heard(age_s=9), "b": heard(age_s=9), "c": heard(hears=frozenset("c"))}, "c"),
        ({name: heard(awake=False) for name in ORDER}, None),
    ],
)
def test_the_first_that_can_decides(changed: dict[str, Heard], decides: str | None) -> None:
    assert decider(ORDER, {name: heard() for name in ORDER} | changed, 2.5) == decides


def test_whoever_is_not_configured_never_decides() -> None:
    assert decider(("b",), {"a": heard(), "b": heard(age_s=9)}, 2.5) is None


@pytest.mark.parametrize(
    ("order", "hears", "whether"),
    [("a", "a", True), ("ab", "a", True), ("abc", "a", False), ("abc", "ab", True),
     ("abcd", "ab", True), ("abcd", "axyz", False)],
)  # fmt: skip
def test_half_of_all_are_enough(order: str, hears: str, whether: bool) -> None:
    assert enough(tuple(order), frozenset(hears)) is whether
