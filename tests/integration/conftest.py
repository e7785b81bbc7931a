"""Network namespaces for tests, and a directory that daemons reach."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.harness.namespaces import Namespaces


@pytest.fixture
def open_path() -> Iterator[Path]:
    """A directory that other users reach, as FRR's daemons must; those of pytest are private."""
    made = Path(tempfile.mkdtemp(prefix="hrt-"))
    made.chmod(0o755)
    yield made
    shutil.rmtree(made)


@pytest.fixture
def namespaces(open_path: Path) -> Iterator[Namespaces]:
    """Namespaces that are gone after the test, whatever happened, and before the directory is."""
    assert open_path.is_dir()
    with Namespaces() as made:
        yield made
