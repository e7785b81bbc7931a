"""The picture of steps shows every row of the table and every way between them."""

from __future__ import annotations

import enum
import re
from dataclasses import dataclass

from scripts.draw_steps import draw


class Step(enum.Enum):
    BEGIN = 1
    WORK = 2
    END = 3


@dataclass(frozen=True)
class Row:
    step: Step
    does: str
    where: str
    next: tuple[Step, ...]


ROWS = (
    Row(Step.BEGIN, "begin <it>", "a.b", (Step.WORK, Step.END)),
    Row(Step.WORK, "work", "c.d", (Step.END, Step.BEGIN)),
    Row(Step.END, "end", "e.f", ()),
)


def test_each_row_is_a_box_and_each_way_an_arrow() -> None:
    picture = draw(ROWS)
    assert all(step.name in picture for step in Step)
    assert "begin &lt;it&gt;" in picture
    assert len(re.findall('marker-end="', picture)) == 4


def test_no_two_ways_of_different_steps_share_a_lane() -> None:
    lanes = set(re.findall(r'<path d="M(\d+),[\d.]+ H(\d+) .*? stroke="(#\w+)"', draw(ROWS)))
    assert len({(side, lane) for side, lane, _colour in lanes}) == 3


def test_the_picture_is_the_same_each_time() -> None:
    assert draw(ROWS) == draw(ROWS)
