"""The scenario of a drill."""

from __future__ import annotations

from pathlib import Path

import pytest

from headrace.config.drill import DRILL
from headrace.config.loader import load_config
from headrace.config.problems import ConfigError

GOOD = """\
title = "kill -9 of the edge"
affected = ["oslo1"]

[[step]]
at = 0
do = "kill"
on = ["oslo1"]

[[step]]
at = "3s"
do = "start"
on = ["oslo1"]
healed = true

[[step]]
when = "home"
do = "nothing"
on = ["oslo1"]

[expect]
works_again = "1s"
back = "5s"
"""


def problems(tmp_path: Path, text: str) -> str:
    file = tmp_path / "drill.toml"
    file.write_text(text)
    with pytest.raises(ConfigError) as caught:
        load_config(file, DRILL)
    return str(caught.value).replace(f"{file}", "drill.toml")


def test_a_whole_one(tmp_path: Path) -> None:
    file = tmp_path / "drill.toml"
    file.write_text(GOOD)

    found = load_config(file, DRILL)

    assert [step.do for step in found.steps] == ["kill", "start", "nothing"]
    assert found.expect.back_s == 5.0


@pytest.mark.parametrize(
    ("old", "new", "line", "said"),
    [
        ('at = "3s"', 'at = "3s"\nwhen = "soon"', 11, "when"),
        ('do = "start"', 'do = "explode"', 11, "do"),
        ("at = 0", 'at = "5s"', 10, "the step before is later"),
        ('do = "kill"\non = ["oslo1"]', 'do = "kill"', 4, "needs to know of what"),
        ('do = "kill"', 'do = "split"', 4, "belong together"),
        ('do = "kill"', 'do = "configure"', 4, "nothing to replace"),
        ('do = "kill"', 'do = "slow"', 4, "never move"),
        ("healed = true", "", 22, "no step is marked"),
        ("healed = true", "event = true\nhealed = true", 14, "nothing has happened before it"),
        ('at = "3s"', 'at = "10m"', 0, "a run could take"),
        ('affected = ["oslo1"]', "affected = []", 2, "affected"),
    ],
)
def test_messages_lead_to_the_line(
    tmp_path: Path, old: str, new: str, line: int, said: str
) -> None:
    assert old in GOOD

    found = problems(tmp_path, GOOD.replace(old, new, 1))

    assert said in found
    if line:
        assert f"drill.toml:{line}" in found


def test_what_is_marked_twice(tmp_path: Path) -> None:
    twice = GOOD.replace('when = "home"', 'when = "home"\nhealed = true')

    assert "another step says so already" in problems(tmp_path, twice)


def test_steps_in_turn_have_neither_times_nor_names(tmp_path: Path) -> None:
    text = GOOD.replace('affected = ["oslo1"]', 'affected = ["oslo"]\nin_turn = "oslo"')

    found = problems(tmp_path, text)

    assert "step[0].at = 0: steps that are taken for one server after the other" in found
    assert "it is for the server whose turn it is" in found
