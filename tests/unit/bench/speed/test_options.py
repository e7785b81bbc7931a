"""Which works the names on the bench's command line mean."""

from __future__ import annotations

import pytest
from bench.speed.options import NAMES, works_of


@pytest.mark.parametrize(
    ("only", "works"),
    [("", []), ("a,h1", ["a", "h1"]), ("e3,e7", ["e2", "e2"]), ("e", ["e"]), ("s", ["s"])],
)
def test_latencies_of_mixed_load_are_found_by_one_work(only: str, works: list[str]) -> None:
    assert works_of(only) == works


@pytest.mark.parametrize("name", ["a", "b", "b2", "e4", "f3", "i2", "k", "s", "s6"])
def test_works_are_named_by_themselves_or_by_their_letter(name: str) -> None:
    assert name in NAMES


@pytest.mark.parametrize("name", ["j", "b3", "e8", "k1", "s7", ""])
def test_other_names_are_of_no_work(name: str) -> None:
    assert name not in NAMES
