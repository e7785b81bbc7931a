"""Small responses in files, where none are kept in the index: verified as they are read."""

from __future__ import annotations

from pathlib import Path

from tests.harness.bodies import Body
from tests.harness.edge import Edge
from tests.harness.origin import Origin
from tests.harness.replies import cacheable

MEMORY = 4500
OPEN_FILES = 16
EDGE: dict[str, object] = {
    "workers": 1,
    "store": {"size": "1GiB", "memory": MEMORY, "open_files": OPEN_FILES, "inline": 0},
}


def test_what_left_the_memory_is_a_hit_all_the_same(edge: Edge, origin: Origin, path: str) -> None:
    bodies = [Body(650 + number, 1_000) for number in range(OPEN_FILES + 4)]
    for number, body in enumerate(bodies):
        origin.serve(f"{path}/{number}", cacheable(body))
        edge.get(f"{path}/{number}")
    for number, body in enumerate(bodies):
        found = edge.get(f"{path}/{number}")
        assert (found.hit, found.body == body.read()) == (True, True)
    assert [origin.count(f"{path}/{number}") for number in range(len(bodies))] == [1] * len(bodies)
    assert len(_files(edge)) >= len(bodies)


def test_a_body_with_a_wrong_byte_is_fetched_again(edge: Edge, origin: Origin, path: str) -> None:
    edge.expected_errors |= {"stored_slice_damaged"}
    body = Body(641, 1_000)
    origin.serve(path, cacheable(body))
    before = set(_files(edge))
    edge.get(path)
    (file,) = set(_files(edge)) - before
    for number in range(OPEN_FILES + 1):
        _something_else(edge, origin, f"{path}/{number}")
    data = bytearray(file.read_bytes())
    data[-1] ^= 1
    file.write_bytes(data)
    assert edge.get(path).body == body.read()
    assert origin.count(path) == 2


def test_a_damaged_body_is_fetched_again(edge: Edge, origin: Origin, path: str) -> None:
    body = Body(640, 1_000)
    origin.serve(path, cacheable(body))
    before = set(_files(edge))
    edge.get(path)
    (file,) = set(_files(edge)) - before
    for number in range(OPEN_FILES + 1):  # so that the worker has it open no longer
        _something_else(edge, origin, f"{path}/{number}")
    with file.open("r+b") as opened:
        opened.truncate(100)
    assert edge.get(path).body == body.read()
    assert origin.count(path) == 2


def _something_else(edge: Edge, origin: Origin, path: str) -> None:
    """Take the only place in memory."""
    origin.serve(f"{path}/else", cacheable(b"else"))
    edge.get(f"{path}/else")
    edge.get(f"{path}/else")


def _files(edge: Edge) -> list[Path]:
    return [file for file in (edge.cache_dir / "objects").rglob("*") if file.is_file()]
