from __future__ import annotations

from typing import Any

import pytest

from headrace.config.scenario import SCENARIO
from headrace.config.scenario.model import ScenarioConfig
from headrace.simulate.bounds import MOST_CELLS, MemoryBound, TooLarge, check_intervals
from tests.harness.scenarios import a_scenario, simulated


def test_intervals_and_sites_are_bounded_together() -> None:
    check_intervals(MOST_CELLS // 100, 99)
    with pytest.raises(TooLarge, match="interval longer"):
        check_intervals(MOST_CELLS // 100 + 1, 99)


def test_a_simulation_that_cannot_be_kept_is_refused_before_it_runs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("headrace.simulate.bounds.MOST_CELLS", 100)
    with pytest.raises(TooLarge):
        simulated()


def test_more_memory_than_is_allowed_ends_with_a_remedy() -> None:
    with pytest.raises(TooLarge, match="--memory"):
        MemoryBound(1).check()


def test_what_the_machine_has_left_is_enough_to_begin() -> None:
    MemoryBound().check()


def problems_of(**tables: Any) -> list[str]:
    base = a_scenario().model_dump(by_alias=True, exclude_defaults=True)
    base["network"] = str(base["network"])
    config = ScenarioConfig.model_validate({**base, **tables})
    return [problem.message for problem in SCENARIO.inconsistencies(config)]


def an_audience(**keys: Any) -> dict[str, Any]:
    return {"network": "isp-a", "viewers": 1000, **keys}


@pytest.mark.parametrize(
    ("tables", "word"),
    [
        ({"audience": [an_audience(viewers=50_000_000)] * 100, "length": "30d"}, "requests"),
        ({"audience": [an_audience(viewers=6_000_000)]}, "viewers at once"),
        ({"audience": [an_audience(places=100_000)] * 51}, "networks of clients"),
        (
            {
                "catalogue": [
                    {"name": f"c{number}", "host": "vod.example", "titles": 5_000_000}
                    for number in range(2)
                ]
            },
            "titles",
        ),
        (
            {
                "live": [
                    {
                        "name": "final", "host": "vod.example", "viewers": 4_900_000, "at": 0,
                        "length": "7d", "chunk": 1,
                    }
                ],
                "length": "7d",
            },
            "requests",
        ),
    ],
)  # fmt: skip
def test_what_no_machine_runs_is_refused(tables: dict[str, Any], word: str) -> None:
    assert any(word in message for message in problems_of(**tables))


def test_a_part_may_stand_for_what_is_too_much() -> None:
    assert problems_of(audience=[an_audience(viewers=6_000_000)], scale=0.001) == []


@pytest.mark.parametrize("title", ["\x1b]0;mine\x07", "two\nlines", "turned \u202e round"])
def test_a_title_steers_no_terminal(title: str) -> None:
    with pytest.raises(ValueError, match="title"):
        a_scenario(title=title)
