"""Damaged files of the store are found out when they are first opened: the object is fetched again,
and no wrong byte is served (checksums on).
"""

from __future__ import annotations

import random
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.harness.bodies import Body
from tests.harness.edge import Edge, running_edge
from tests.harness.origin import Origin
from tests.harness.replies import Recorded, Reply, cacheable

HEADER_BYTES = 4096
FUZZED = 60
SETTINGS: dict[str, object] = {
    "store": {"size": "1GiB", "slice": "64KiB", "checksum": "on_open", "memory": 0}
}


def flip(at: int) -> Callable[[bytearray], None]:
    """Change one bit of the byte at this place (negative: from the end)."""

    def damage(data: bytearray) -> None:
        data[at] ^= 1

    return damage


def cut(size: int) -> Callable[[bytearray], None]:
    def damage(data: bytearray) -> None:
        del data[size:]

    return damage


def lengthen(data: bytearray) -> None:
    data += b"more than there was"


def blank_body(data: bytearray) -> None:
    data[HEADER_BYTES:] = bytes(len(data) - HEADER_BYTES)


def scramble(data: bytearray) -> None:
    data[:] = random.Random(7).randbytes(len(data))


def swap_body(data: bytearray) -> None:
    data[HEADER_BYTES:] = data[:HEADER_BYTES:-1] + data[-1:]


def fuzz(seed: int) -> Callable[[bytearray], None]:
    """Change a few bytes of the header at random."""

    def damage(data: bytearray) -> None:
        chance = random.Random(seed)
        for _ in range(chance.randint(1, 4)):
            data[chance.randrange(160 if seed % 2 else HEADER_BYTES)] = chance.randrange(256)

    return damage


DAMAGE: dict[str, Callable[[bytearray], None]] = {
    "first-body-byte": flip(HEADER_BYTES),
    "last-body-byte": flip(-1),
    "magic": flip(0),
    "record": flip(140),
    "emptied": cut(0),
    "half-a-header": cut(2000),
    "header-alone": cut(HEADER_BYTES),
    "one-byte-short": cut(-1),
    "lengthened": lengthen,
    "blank-body": blank_body,
    "scrambled": scramble,
    "reversed-body": swap_body,
    **{f"fuzz-{seed}": fuzz(seed) for seed in range(FUZZED)},
}
NAMES = list(DAMAGE)


def body_of(name: str) -> Body:
    return Body(500 + NAMES.index(name), 30_000)


def script(request: Recorded) -> Reply:
    return cacheable(body_of(request.path.rsplit("/", 1)[1]))


def slice_file(cache_dir: Path, path: str) -> Path:
    """The file that holds this path's object, found by the key in its header."""
    for file in (cache_dir / "objects").rglob("*"):
        if file.is_file() and path.encode() + b"\xa0" in file.read_bytes()[:HEADER_BYTES]:
            return file
    for file in (cache_dir / "objects").rglob("*"):
        if file.is_file() and path.encode() in file.read_bytes()[:HEADER_BYTES]:
            return file
    raise AssertionError(f"no file of the store holds {path}")


@pytest.fixture(scope="module")
def damaged(origin: Origin, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Edge]:
    """An edge that starts upon a store whose every file was damaged while it was away."""
    directory: Path = tmp_path_factory.mktemp("damaged")
    origin.serve_under("/damaged/", script)
    with running_edge(origin.url, directory, SETTINGS) as edge:
        for name in NAMES:
            assert edge.get(f"/damaged/{name}").body == body_of(name).read()
    for name in NAMES:
        file = slice_file(directory / "cache", f"/damaged/{name}")
        data = bytearray(file.read_bytes())
        DAMAGE[name](data)
        file.write_bytes(data)
    with running_edge(origin.url, directory, SETTINGS) as edge:
        edge.expected_errors |= {"stored_slice_damaged", "stored_slice_unreadable"}
        yield edge


@pytest.mark.parametrize("name", NAMES)
def test_a_damaged_file_never_gives_a_wrong_byte(damaged: Edge, name: str) -> None:
    for _ in range(4):
        found = damaged.get(f"/damaged/{name}")
        assert (found.status, found.complete) == (200, True)
        assert found.body == body_of(name).read()


def test_damaged_files_are_counted(damaged: Edge) -> None:
    damaged.get("/damaged/last-body-byte")
    assert damaged.metric("headrace_store_corrupt_total") >= 1


def test_a_file_that_another_took_the_place_of_is_verified_again(
    origin: Origin, tmp_path: Path
) -> None:
    origin.serve_under("/damaged/", script)
    with running_edge(origin.url, tmp_path, SETTINGS) as edge:
        edge.get("/damaged/magic")
    with running_edge(origin.url, tmp_path, SETTINGS | {"workers": 1}) as edge:
        edge.expected_errors |= {"stored_slice_damaged"}
        edge.get("/damaged/magic")  # read from the store, and so verified
        file = slice_file(tmp_path / "cache", "/damaged/magic")
        data = bytearray(file.read_bytes())
        flip(-1)(data)
        other = tmp_path / "other"
        other.write_bytes(data)
        other.rename(file)
        until = time.monotonic() + 5
        while not edge.metric("headrace_store_corrupt_total") and time.monotonic() < until:
            assert edge.get("/damaged/magic").body == body_of("magic").read()
            time.sleep(0.05)
        assert edge.metric("headrace_store_corrupt_total") == 1


def test_a_store_without_its_index_is_built_again_from_its_files(
    origin: Origin, tmp_path: Path
) -> None:
    origin.serve_under("/damaged/", script)
    with running_edge(origin.url, tmp_path, SETTINGS) as edge:
        edge.get("/damaged/magic")
    shutil.rmtree(tmp_path / "cache" / "index")
    with running_edge(origin.url, tmp_path, SETTINGS) as edge:
        assert edge.get("/damaged/magic").body == body_of("magic").read()


def test_files_that_are_none_of_ours_do_no_harm(origin: Origin, tmp_path: Path) -> None:
    origin.serve_under("/damaged/", script)
    with running_edge(origin.url, tmp_path, SETTINGS) as edge:
        edge.get("/damaged/magic")
    for part in ("objects", "parts"):
        (tmp_path / "cache" / part / "stranger").write_bytes(b"not of the store")
    with running_edge(origin.url, tmp_path, SETTINGS) as edge:
        assert edge.get("/damaged/magic").body == body_of("magic").read()
