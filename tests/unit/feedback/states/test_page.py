"""The page about states has the program's own tables, and the picture its transitions."""

from __future__ import annotations

from pathlib import Path

from scripts.draw_states import OF_OPERATORS, rows

from headrace.feedback.states.meanings import ALARMS, REASONS, STATES
from headrace.feedback.states.model import AlarmKind, State, Why
from headrace.feedback.states.page import PAGE, filled
from headrace.feedback.states.table import TABLE, Signal

ROOT = Path(__file__).parents[4]


def test_the_page_is_current() -> None:
    written = (ROOT / PAGE).read_text(encoding="utf-8")
    assert written == filled(written), "run: python -m headrace.feedback.states.page"
    assert all(f"| `{one}` |" in written for one in (*State, *Signal, *Why, *AlarmKind))


def test_everything_has_a_meaning() -> None:
    assert list(STATES) == list(State)
    assert list(REASONS) == list(Why)
    assert list(ALARMS) == list(AlarmKind)


def test_the_picture_has_every_way_that_observations_lead() -> None:
    drawn = {(row.step, after) for row in rows() for after in row.next}
    assert drawn == {
        (before, after)
        for (before, signal), after in TABLE.items()
        if signal not in OF_OPERATORS and before is not after
    }
