"""The table of steps is whole: it names code that exists, and every request can end."""

from __future__ import annotations

import importlib

import pytest

from headrace.edge.request.steps import NEXT, STEPS, TROUBLE, Row, Step


@pytest.mark.parametrize("row", STEPS, ids=lambda row: row.step.value)
def test_a_row_names_code_that_is_there(row: Row) -> None:
    module, name = row.where.rsplit(".", 1)
    try:
        owner: object = importlib.import_module(f"headrace.{module}")
    except ModuleNotFoundError:
        module, owner_name = module.rsplit(".", 1)
        owner = getattr(importlib.import_module(f"headrace.{module}"), owner_name)
    assert callable(getattr(owner, name))


def test_each_step_has_one_row() -> None:
    assert [row.step for row in STEPS] == list(Step)


def test_every_step_but_the_last_leads_to_the_end() -> None:
    ends = {Step.DONE}
    while True:
        more = {step for step, following in NEXT.items() if following & ends} | ends
        if more == ends:
            break
        ends = more
    assert ends == set(Step)
    assert not NEXT[Step.DONE]


def test_every_step_can_be_reached() -> None:
    reached = {Step.RECEIVE}
    for _step in Step:
        reached |= {following for step in reached for following in NEXT[step]}
    assert reached == set(Step)


def test_trouble_with_the_store_always_has_a_way_out() -> None:
    assert all(Step.PASS in NEXT[step] for step in TROUBLE)
