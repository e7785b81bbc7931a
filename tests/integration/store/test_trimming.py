"""Two processes that store large slices at once leave the store as near to its size as one does."""

from __future__ import annotations

from pathlib import Path

from headrace.store import Store
from headrace.store.trimming import trim
from tests.integration.store.large import LARGES, SETTINGS
from tests.integration.store.processes import end, said, start, tell


def test_the_bound_holds_for_all_processes_together(tmp_path: Path) -> None:
    filler = start("large", str(tmp_path), "small")
    assert said(filler) == "ready"
    end(filler)
    processes = [start("large", str(tmp_path), name) for name in ("one", "two")]
    try:
        assert [said(one) for one in processes] == ["ready", "ready"]
        for one in processes:
            tell(one, "go")
        lines = [said(one).split() for _ in range(LARGES) for one in processes]
    finally:
        for one in processes:
            end(one)
    kept = sum(int(stored) for stored, _bytes in lines)
    most_bytes = max(int(used_bytes) for _stored, used_bytes in lines)
    assert 0 < kept <= len(lines)
    assert SETTINGS.size_bytes < most_bytes <= SETTINGS.size_bytes + SETTINGS.overshoot_bytes
    store = Store.open(tmp_path, SETTINGS)
    try:
        while trim(store):
            pass
        used_bytes = store.stats()["bytes"]
        assert used_bytes <= SETTINGS.size_bytes
        files = [file for file in (tmp_path / "objects").rglob("*") if file.is_file()]
        assert used_bytes == sum(-(-file.stat().st_size // 4096) * 4096 for file in files)
    finally:
        store.close()
