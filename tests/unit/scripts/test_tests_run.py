"""What `tests/conftest.py` makes of a run of pytest: what did not run, and what was late."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

CONFTEST = Path(__file__).parents[2] / "conftest.py"
FAILED = 1
NOT_RUN = 10

LATE = """
import pathlib
import pytest

def test_that_is_late():
    first = pathlib.Path(__file__).with_name("was-here")
    late = not first.exists()
    first.touch()
    assert not late

def test_that_is_sound():
    pass
"""
SKIPPED = """
@pytest.mark.skip(reason="of no tool")
def test_that_is_skipped():
    pass
"""


def run(directory: Path, tests: str, *options: str) -> tuple[int, str]:
    """Run pytest on these tests as CI does; return its exit code and what it said."""
    shutil.copy(CONFTEST, directory / "conftest.py")
    (directory / "test_it.py").write_text(tests)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "--rootdir", str(directory), *options, "test_it.py"],
        cwd=directory, env={**os.environ, "CI": "true", "PYTEST_ADDOPTS": ""},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    return done.returncode, done.stdout


def test_what_passes_when_tried_once_more_is_named(tmp_path: Path) -> None:
    code, said = run(tmp_path, LATE)
    assert code == FAILED
    assert "failed at first" not in said
    code, said = run(tmp_path, LATE, "--last-failed")
    assert code == 0
    named = said[said.index("failed at first, and passed by themselves") :]
    assert "test_it.py::test_that_is_late" in named
    assert "test_that_is_sound" not in named


def test_a_failure_that_may_be_tried_again_hides_no_test_that_was_skipped(tmp_path: Path) -> None:
    code, said = run(tmp_path, LATE + SKIPPED)
    assert code == NOT_RUN
    assert "not run, which fails CI" in said
    assert run(tmp_path, LATE + SKIPPED)[0] == NOT_RUN
