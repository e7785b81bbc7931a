"""A full or failing disk: clients are served all the same, and a metric says so. The store stays
within its size.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.harness.bodies import Body, Checker
from tests.harness.edge import Edge, running_edge
from tests.harness.origin import Origin
from tests.harness.polling import eventually
from tests.harness.replies import cacheable

MIB = 1024 * 1024
_libc = ctypes.CDLL(None, use_errno=True)


def mount_small_disk(directory: Path, size_bytes: int) -> bool:
    """Mount a tmpfs of this size; False where we may not."""
    directory.mkdir(parents=True, exist_ok=True)
    options = f"size={size_bytes}".encode()
    return bool(_libc.mount(b"tmpfs", os.fsencode(directory), b"tmpfs", 0, options) == 0)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    directory = tmp_path / "disk"
    if not mount_small_disk(directory, 64 * MIB):
        pytest.fail("mounting a small disk needs root: run the tests in a container as root")
    try:
        yield directory
    finally:
        _libc.umount2(os.fsencode(directory), 2)


def ready(edge: Edge) -> dict[str, str]:
    answer = edge.ask_admin("GET", "/ready", token=None)
    assert answer.status == 200
    said: dict[str, str] = answer.json
    return said


def get_whole(edge: Edge, path: str, body: Body) -> None:
    checker = Checker(body)
    with edge.client() as client:
        found = client.get(path, sink=checker.feed)
    assert (found.status, found.complete, checker.position) == (200, True, len(body))


def test_a_full_disk_is_passed_by_and_counted(
    origin: Origin, tmp_path: Path, small_disk: Path
) -> None:
    settings: dict[str, object] = {
        "cache_dir": small_disk / "cache",
        "store": {"size": "1GiB", "slice": "1MiB", "checksum": "off"},
    }
    with running_edge(origin.url, tmp_path, settings) as edge:
        edge.expected_errors |= {"store_write_failed", "sweep_failed"}
        for number in range(8):
            body = Body(600 + number, 12 * MIB)
            origin.serve(f"/full/{number}", cacheable(body))
            get_whole(edge, f"/full/{number}", body)
        for number in range(8):
            get_whole(edge, f"/full/{number}", Body(600 + number, 12 * MIB))
        eventually(
            lambda: edge.metric("headrace_store_disk_full_total") > 0, "the full disk is counted"
        )
        eventually(lambda: "impaired" in ready(edge), "the edge says it, and is ready")
        assert ready(edge)["impaired"] == "the store takes nothing new: the disk is full"
        assert edge.metric("headrace_store_refuses") == 1
        assert len(edge.events("store_refuses")) == 1


def test_the_store_stays_within_its_size(origin: Origin, tmp_path: Path) -> None:
    settings: dict[str, object] = {
        "store": {"size": "4MiB", "slice": "256KiB", "checksum": "off", "memory": 0}
    }
    with running_edge(origin.url, tmp_path, settings) as edge:
        for number in range(40):
            body = Body(700 + number, 500_000)
            origin.serve(f"/bounded/{number}", cacheable(body))
            get_whole(edge, f"/bounded/{number}", body)

        def stored_bytes() -> int:
            files = (tmp_path / "cache" / "objects").rglob("*")
            return sum(file.stat().st_size for file in files if file.is_file())

        eventually(lambda: stored_bytes() <= 4 * MIB, "the store is within its size")
        assert edge.metric("headrace_store_evictions_total") > 0
        for number in range(40):
            get_whole(edge, f"/bounded/{number}", Body(700 + number, 500_000))


def test_an_object_larger_than_the_store_is_served_whole(origin: Origin, tmp_path: Path) -> None:
    settings: dict[str, object] = {"store": {"size": "2MiB", "slice": "256KiB"}}
    body = Body(800, 20 * MIB)
    origin.serve("/larger", cacheable(body))
    with running_edge(origin.url, tmp_path, settings) as edge:
        for _ in range(2):
            get_whole(edge, "/larger", body)


def test_a_cache_directory_that_cannot_be_written_stops_the_start(tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file where the directory should be")
    with (
        pytest.raises(AssertionError, match="the edge ended at its start"),
        running_edge("http://127.0.0.1:1", tmp_path),
    ):
        pass
