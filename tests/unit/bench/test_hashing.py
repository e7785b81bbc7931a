"""The compared ways of hashing are what they are called, and the report has them all."""

from __future__ import annotations

import pytest
from bench.hashing.algorithms import ALGORITHMS, anchor, without
from bench.hashing.measure import hold, keys, measure_all, zipf
from bench.hashing.report import report

SERVERS = [("a", 1), ("b", 4), ("c", 2), ("d", 1)]
ASKED = keys(4_000)
IDEAL = [name for name in ALGORITHMS if name not in ("Maglev", "jump")]


@pytest.mark.parametrize("name", ALGORITHMS)
def test_servers_get_about_what_their_weight_says(name: str) -> None:
    find = ALGORITHMS[name](SERVERS)
    found = [find(key) for key in ASKED]
    for number, (_name, weight) in enumerate(SERVERS):
        assert found.count(number) / len(ASKED) == pytest.approx(weight / 8, rel=0.6)


@pytest.mark.parametrize("name", ALGORITHMS)
def test_a_server_that_has_left_gets_nothing(name: str) -> None:
    find = without(ALGORITHMS[name], SERVERS, 2)
    assert {find(key) for key in ASKED} == {0, 1, 3}


@pytest.mark.parametrize("name", IDEAL)
def test_only_what_it_had_moves(name: str) -> None:
    build = ALGORITHMS[name]
    before, after = build(SERVERS), without(build, SERVERS, 2)
    assert all(after(key) == before(key) for key in ASKED if before(key) != 2)


def test_anchor_takes_out_servers_one_after_the_other() -> None:
    assert anchor(SERVERS)(b"a") in range(4)


def test_the_report_has_every_algorithm_and_the_placement() -> None:
    held = [hold([1, 1, 4], "10, 40", zipf(500))]
    text = report(list(measure_all((4,), 500)), held, 500, 0.9, "Measured.")
    for name in ALGORITHMS:
        assert f"| {name} |" in text
    assert "| 3 | 10, 40 |" in text
