"""What `headrace lab up` says in the end."""

from __future__ import annotations

from pathlib import Path

import pytest

from headrace.cli import lab
from headrace.cli.lab import greeting
from headrace.lab.network.control import Lab
from headrace.lab.network.home import DEFAULT_ROOT, MARK
from tests.unit.lab.network.plans import plan_of


def test_the_only_lab_needs_no_options(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lab, "labs", lambda _root: ["small"])

    lines = greeting(Lab(plan_of("small")), DEFAULT_ROOT)

    assert "  headrace lab status" in lines
    assert "  headrace lab kill oslo1:edge" in lines


def test_commands_name_the_lab_where_there_are_several(tmp_path: Path) -> None:
    root = tmp_path / "two labs"
    for name in ("small", "other"):
        (root / name).mkdir(parents=True)
        (root / name / MARK).touch()

    lines = greeting(Lab(plan_of("small")), root)

    options = f" --name small --state-dir '{root}'"
    assert f"  headrace lab status{options}" in lines
    assert f"  headrace lab kill{options} oslo1:edge" in lines
    assert f"  headrace lab down{options}" in lines
    assert all(options in line for line in lines[1:])
