"""A series of drills is interrupted and continued."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.lab.drill.figures import Figures
from headrace.lab.drill.series import Row, resumed, row_of
from headrace.lab.drill.shipped import find_scenarios, topology_text
from tests.unit.lab.drill.test_report import figures

GOOD, REFUSED = figures(0.1), figures(0.1, refused=["the client was late"])


def row(name: str, runs: list[Figures], errors: int = 0) -> Row:
    return Row(name, name, "d1", runs=runs, errors=["broken"] * errors)


@pytest.mark.parametrize(
    ("runs", "errors", "left"),
    [
        ([], 0, 3),
        ([GOOD, REFUSED], 0, 2),
        ([GOOD], 1, 1),
        ([GOOD] * 3, 0, 0),
        # No more than twice as many in all.
        ([REFUSED] * 5, 0, 1),
        ([REFUSED] * 6, 0, 0),
    ],
)
def test_runs_that_are_left(runs: list[Figures], errors: int, left: int) -> None:
    assert row("a", runs, errors).left(3) == left


def test_a_series_is_continued() -> None:
    before = [row("a", [GOOD, GOOD], 1).done(), row("gone", [GOOD]).done()]
    rows = {"a": row("a", []), "b": row("b", [])}

    assert resumed(rows, before) == []

    assert rows["a"].left(4) == 1
    assert rows["a"].errors == ["broken"]
    assert rows["b"].left(4) == 4


def test_runs_of_another_drill_do_not_count() -> None:
    rows = {"a": Row("a", "a", "d2")}

    assert resumed(rows, [row("a", [GOOD]).done()]) == ["a"]
    assert rows["a"].left(4) == 4


def test_another_scenario_or_lab_is_another_drill() -> None:
    (config,) = find_scenarios(["edge-kill"]).values()
    whole, small = (topology_text(config, name=name) for name in (None, "small"))
    other = config.model_copy(update={"after_s": config.after_s + 1})

    digests = {row_of("x", *each).digest for each in ((config, whole), (config, small))}
    digests.add(row_of("x", other, whole).digest)

    assert len(digests) == 3
    assert row_of("x", config, whole).digest in digests


@given(st.lists(st.sampled_from(["good", "refused", "error"])), st.integers(1, 10))
def test_a_series_always_ends(outcomes: list[str], repeat: int) -> None:
    made, one = 0, row("a", [])
    for outcome in [*outcomes, *["refused"] * 20]:
        if not one.left(repeat):
            break
        made += 1
        if outcome == "error":
            one.errors.append("broken")
        else:
            one.runs.append(GOOD if outcome == "good" else REFUSED)
    assert one.left(repeat) == 0
    assert repeat <= made <= 2 * repeat
