"""A scenario is brought to the lab that it runs in."""

from __future__ import annotations

from pathlib import Path

import pytest

from headrace.config.drill import DRILL
from headrace.config.drill.model import DrillConfig
from headrace.config.loader import load_config
from headrace.lab.drill.expanded import expanded
from headrace.lab.errors import LabError
from tests.unit.lab.network.plans import plan_of

IN_TURN = """\
title = "one after the other"
affected = ["oslo"]
in_turn = "oslo"

[[step]]
do = "drain"
wait = "20s"

[[step]]
when = "home"
do = "nothing"
healed = true
"""


def scenario(tmp_path: Path, text: str) -> DrillConfig:
    file = tmp_path / "drill.toml"
    file.write_text(text)
    return load_config(file, DRILL)


def test_each_server_has_its_turn(tmp_path: Path) -> None:
    config = scenario(tmp_path, IN_TURN)

    found = expanded(config, plan_of())

    assert found.affected == ["oslo1", "oslo2", "oslo3"]
    assert [(step.do, step.on) for step in found.steps] == [
        (do, [server]) for server in found.affected for do in ("drain", "nothing")
    ]
    # Only what the last one does heals the whole.
    assert [step.healed for step in found.steps] == [False] * 5 + [True]
    assert expanded(config, plan_of("small")).affected == ["oslo1", "oslo2"]


def test_a_server_and_its_site_are_affected_once(tmp_path: Path) -> None:
    text = 'title = "x"\naffected = ["rome2", "rome"]\n[[step]]\ndo = "cut"\non = ["rome2"]\n'

    assert expanded(scenario(tmp_path, text), plan_of()).affected == ["rome2", "rome1", "rome3"]


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('affected = ["oslo"]', 'affected = ["milan"]', "no server milan: name some of oslo1"),
        ('in_turn = "oslo"', 'in_turn = "milan"', "no server milan"),
        ('wait = "20s"', 'wait = "5m"', "a run could take"),
        ('in_turn = "oslo"', 'in_turn = "oslo"\nleast_servers = 4', "oslo has 3 servers, and 4"),
    ],
)
def test_what_the_lab_has_not_is_refused(tmp_path: Path, old: str, new: str, says: str) -> None:
    config = scenario(tmp_path, IN_TURN.replace(old, new))

    with pytest.raises(LabError, match=says):
        expanded(config, plan_of())


def test_a_step_needs_a_machine_of_the_lab(tmp_path: Path) -> None:
    text = 'title = "x"\naffected = ["oslo1"]\n[[step]]\ndo = "cut"\non = ["rome2"]\n'

    with pytest.raises(LabError, match="the lab small has no rome2"):
        expanded(scenario(tmp_path, text), plan_of("small"))
