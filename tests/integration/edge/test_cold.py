"""Bodies that are on disk and not in memory: a thread brings them in, and the bytes are right.

Where the file system is itself memory, pages cannot be dropped; the tests then see that too.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from headrace.edge.body.mapped_file import PAGE_BYTES, MappedBody
from tests.harness.bodies import Body
from tests.harness.edge import running_edge
from tests.harness.origin import Origin
from tests.harness.replies import cacheable

SIZE = 40_000_000
BODIES = {"segment": Body(31, 2_000_000), "large": Body(32, SIZE)}


def bytes_in_memory(path: Path) -> int:
    """Ask another program, and without reading: a read with RWF_NOWAIT starts to fetch what is not
    there, and on a quick disk finds it.
    """
    command = ["fincore", "--bytes", "--noheadings", "--output", "RES", str(path)]
    return int(subprocess.run(command, capture_output=True, check=True).stdout)


def evict(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


@pytest.fixture
def stored(tmp_path: Path) -> Path:
    path = tmp_path / "body"
    path.write_bytes(os.urandom(64 * PAGE_BYTES))
    return path


@pytest.fixture
def body(stored: Path) -> Iterator[MappedBody]:
    made = MappedBody(os.open(stored, os.O_RDONLY), PAGE_BYTES, 63 * PAGE_BYTES)
    yield made
    made.view.release()


def trust_ended(body: MappedBody) -> None:
    body._trusted_until = 0.0


def test_whether_pages_are_in_memory_is_what_the_kernel_says(
    body: MappedBody, stored: Path
) -> None:
    assert body.resident(0, body.size_bytes)
    for _ in range(2):
        evict(stored)
        trust_ended(body)
        there = bytes_in_memory(stored)
        assert there in {0, 64 * PAGE_BYTES}
        assert body.resident(20 * PAGE_BYTES, 10) is (there > 0)
        body.load(0, body.size_bytes)
        trust_ended(body)
        assert body.resident(0, body.size_bytes)


def test_loading_brings_in_what_was_asked_for(body: MappedBody, stored: Path) -> None:
    evict(stored)
    body.load(30 * PAGE_BYTES + 1, 2 * PAGE_BYTES)
    assert body.resident(30 * PAGE_BYTES + 1, 2 * PAGE_BYTES)


def test_loading_what_is_no_longer_there_fails(body: MappedBody, stored: Path) -> None:
    evict(stored)
    os.truncate(stored, 10 * PAGE_BYTES)
    with pytest.raises(OSError, match=r"memory|early"):
        body.load(20 * PAGE_BYTES, PAGE_BYTES)


@pytest.mark.parametrize("name", BODIES)
def test_a_cold_body_arrives_whole(origin: Origin, tmp_path: Path, name: str, path: str) -> None:
    body = BODIES[name]
    origin.serve(path, cacheable(body))
    with running_edge(origin.url, tmp_path, {"workers": 1}) as edge:
        assert edge.get(path).body == body.read()
    # What a process has mapped would stay in memory.
    files = [file for file in (edge.cache_dir / "objects").rglob("*") if file.is_file()]
    for file in files:
        evict(file)
    cold = sum(map(bytes_in_memory, files)) == 0
    with running_edge(origin.url, tmp_path, {"workers": 1}) as edge:
        assert edge.get(path).body == body.read()
        assert (edge.metric("headrace_store_cold_reads_total") > 0) is cold
    assert files
    assert origin.count(path) == 1
