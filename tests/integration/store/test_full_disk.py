"""Without room on disk nothing is lost but what was being stored, and no process dies."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.integration.store.processes import end, said, start


@pytest.mark.parametrize("filled_with", ["bodies", "index"])
def test_a_full_disk_refuses_and_the_store_stays_whole(tmp_path: Path, filled_with: str) -> None:
    process = start("full_disk", str(tmp_path), filled_with)
    try:
        assert said(process) == "done"
    finally:
        end(process)
