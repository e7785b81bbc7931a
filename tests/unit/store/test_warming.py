"""The index is brought into memory, all of it and in small steps, where there is room."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from headrace.store import Store
from headrace.store.maintenance import warming
from headrace.store.maintenance.warming import EVERY_S, SHARE, IndexWarming, memory_for_files
from tests.unit.store.samples import a_store

STEP_BYTES = 256 * 1024
REACHED_BYTES = 5 * STEP_BYTES + 4096


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    monkeypatch.setattr(warming, "STEP_BYTES", STEP_BYTES)
    with a_store(tmp_path) as opened:
        monkeypatch.setattr(opened.index, "reached_bytes", lambda: REACHED_BYTES)
        yield opened


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """Which stretches the kernel was asked to read."""
    found: list[tuple[int, int]] = []

    def advise(_fd: int, at: int, size_bytes: int, advice: int) -> None:
        assert advice == os.POSIX_FADV_WILLNEED
        found.append((at, at + size_bytes))

    monkeypatch.setattr(os, "posix_fadvise", advise)
    return found


def test_all_of_it_is_brought_in_step_by_step(store: Store, asked: list[tuple[int, int]]) -> None:
    walk = IndexWarming(store.index, lambda: SHARE * REACHED_BYTES)
    for step in range(5):
        assert walk.step(0.0)
        assert asked[-1][1] == (step + 1) * STEP_BYTES
    assert not walk.step(0.0)
    assert asked[0][0] == 0
    assert asked[-1][1] == REACHED_BYTES
    assert all(end == start for (_, end), (start, _) in itertools.pairwise(asked))
    assert max(end - start for start, end in asked) <= 128 * 1024


def test_it_is_done_again_after_a_while(store: Store, asked: list[tuple[int, int]]) -> None:
    walk = IndexWarming(store.index, lambda: SHARE * REACHED_BYTES)
    while walk.step(0.0):
        pass
    once = len(asked)
    assert not walk.step(EVERY_S - 1)
    assert len(asked) == once
    while walk.step(EVERY_S):
        pass
    assert len(asked) == 2 * once


@pytest.mark.parametrize("room_bytes", [None, SHARE * REACHED_BYTES - 1])
def test_not_where_it_has_no_room(
    store: Store, asked: list[tuple[int, int]], room_bytes: int | None
) -> None:
    walk = IndexWarming(store.index, lambda: room_bytes)
    assert not walk.step(0.0)
    assert asked == []


def test_the_room_is_what_the_system_and_the_groups_leave(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "meminfo").write_text("MemTotal: 9 kB\nMemAvailable:  8 kB\n")
    monkeypatch.setattr(warming, "_MEMINFO", tmp_path / "meminfo")
    monkeypatch.setattr(warming, "_GROUP", tmp_path / "cgroup")
    monkeypatch.setattr(warming, "_GROUPS", tmp_path)
    assert memory_for_files() == 8192
    (tmp_path / "cgroup").write_text("0::/system.slice/edge.service\n")
    group = tmp_path / "system.slice" / "edge.service"
    a_group(group, high="max", most="max", current=7000, of_files=0)
    assert memory_for_files() == 8192
    a_group(group.parent, high="max", most="5000", current=3000, of_files=3000)
    assert memory_for_files() == 5000
    (tmp_path / "meminfo").write_text("MemTotal: 9 kB\n")
    assert memory_for_files() is None


def a_group(group: Path, *, high: str, most: str, current: int, of_files: int) -> None:
    group.mkdir(parents=True, exist_ok=True)
    (group / "memory.high").write_text(f"{high}\n")
    (group / "memory.max").write_text(f"{most}\n")
    (group / "memory.current").write_text(f"{current}\n")
    of_each = of_files // 2
    (group / "memory.stat").write_text(
        f"anon 1\nfile 9999\ninactive_file {of_each}\nactive_file {of_files - of_each}\n"
    )


@pytest.mark.parametrize(
    ("high", "most", "current", "of_files", "room_bytes"),
    [
        ("max", "5000", 4000, 1000, 2000),  # what processes have of it is no room for files
        ("max", "5000", 5200, 0, 0),
        ("3000", "5000", 1000, 1000, 3000),  # beyond it the group is slowed down
        ("6000", "5000", 0, 0, 5000),
    ],
)
def test_what_a_group_has_besides_files_is_no_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    high: str, most: str, current: int, of_files: int, room_bytes: int,
) -> None:  # fmt: skip
    (tmp_path / "meminfo").write_text("MemAvailable:  8 kB\n")
    (tmp_path / "cgroup").write_text("0::/edge\n")
    monkeypatch.setattr(warming, "_MEMINFO", tmp_path / "meminfo")
    monkeypatch.setattr(warming, "_GROUP", tmp_path / "cgroup")
    monkeypatch.setattr(warming, "_GROUPS", tmp_path)
    a_group(tmp_path / "edge", high=high, most=most, current=current, of_files=of_files)
    assert memory_for_files() == room_bytes


UNLIMITED = 9223372036854771712


@pytest.mark.parametrize(
    ("line", "at"),
    [
        ("4:memory:/docker/abc", "docker/abc"),
        ("4:cpuset,memory:/docker/abc", "docker"),  # a group around it
        ("4:memory:/docker/abc", ""),  # in a container its own group is the outermost there
        ("4:memory:" + "/deep" * 1000, ""),
    ],
)
def test_groups_of_version_1_have_limits_as_well(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line: str, at: str
) -> None:
    (tmp_path / "meminfo").write_text("MemAvailable:  8 kB\n")
    (tmp_path / "cgroup").write_text(f"5:cpu:/docker/abc\n{line}\n0::/system.slice\n")
    monkeypatch.setattr(warming, "_MEMINFO", tmp_path / "meminfo")
    monkeypatch.setattr(warming, "_GROUP", tmp_path / "cgroup")
    monkeypatch.setattr(warming, "_GROUPS", tmp_path)
    assert memory_for_files() == 8192
    group = tmp_path / "memory" / at
    group.mkdir(parents=True)
    (group / "memory.usage_in_bytes").write_text("4000\n")
    (group / "memory.stat").write_text(
        "active_file 1\ntotal_inactive_file 600\ntotal_active_file 400\n"
    )
    (group / "memory.limit_in_bytes").write_text(f"{UNLIMITED}\n")
    assert memory_for_files() == 8192
    (group / "memory.limit_in_bytes").write_text("5000\n")
    assert memory_for_files() == 2000


def test_it_stops_when_others_take_the_room(store: Store, asked: list[tuple[int, int]]) -> None:
    rooms = iter([SHARE * REACHED_BYTES, 0, SHARE * REACHED_BYTES])
    walk = IndexWarming(store.index, lambda: next(rooms))
    assert walk.step(0.0)
    once = len(asked)
    assert not walk.step(0.0)
    assert len(asked) == once
    assert walk.step(EVERY_S)
    assert asked[once][0] == 0
