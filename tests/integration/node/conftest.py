"""A supervisor over fake workers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.harness.supervised import Supervised


@pytest.fixture
def edge(tmp_path: Path) -> Iterator[Supervised]:
    """Not started yet, with a config that works."""
    with Supervised(tmp_path) as supervised:
        supervised.write_config()
        yield supervised
