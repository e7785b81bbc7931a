"""A lab's directory and its lock."""

from __future__ import annotations

from pathlib import Path

import pytest

from headrace.lab.errors import LabError
from headrace.lab.network.home import labs, locked, make_home, remove_home


def test_a_directory_of_somebody_else_is_left_alone(tmp_path: Path) -> None:
    other = tmp_path / "lab"
    other.mkdir()
    (other / "thesis.txt").write_text("years of work")
    with pytest.raises(LabError, match="not of a lab"):
        make_home(other)
    assert (other / "thesis.txt").exists()


def test_a_lab_begins_with_an_empty_directory(tmp_path: Path) -> None:
    home = tmp_path / "lab"
    make_home(home)
    (home / "old.log").touch()
    make_home(home)
    assert not (home / "old.log").exists()
    assert labs(tmp_path) == ["lab"]
    remove_home(home)
    assert labs(tmp_path) == []


def test_two_labs_of_one_name_are_refused_and_nothing_stays(tmp_path: Path) -> None:
    root = tmp_path / "labs"
    with locked(root, "lab"), locked(root, "other"):
        with pytest.raises(LabError, match="runs already"), locked(root, "lab"):
            pass
        assert sorted(one.name for one in root.iterdir()) == ["lab.lock", "other.lock"]
    assert not root.exists()
