"""Stored responses that are not in a worker's memory: found, made ready and sent at once."""

from __future__ import annotations

import pytest

from tests.harness.bodies import Body
from tests.harness.edge import Edge
from tests.harness.origin import Origin
from tests.harness.replies import Recorded, Reply, cacheable, headers

# Room for one small answer: each request finds its object's gone from memory, by that for another.
MEMORY = 4500
OPEN_FILES = 16
EDGE: dict[str, object] = {
    "workers": 1,
    "store": {"size": "1GiB", "memory": MEMORY, "open_files": OPEN_FILES},
}
SIZES = {"empty": 0, "small": 1_000, "edge of small": 16 * 1024, "mapped": 300_000}


@pytest.mark.parametrize("size", SIZES.values(), ids=SIZES)
def test_what_left_the_memory_is_a_hit_all_the_same(
    edge: Edge, origin: Origin, path: str, size: int
) -> None:
    bodies = [Body(600 + number, size) for number in range(6)]
    for number, body in enumerate(bodies):
        origin.serve(f"{path}/{number}", cacheable(body))
        edge.get(f"{path}/{number}")
    for _ in range(3):
        for number, body in enumerate(bodies):
            found = edge.get(f"{path}/{number}")
            assert (found.hit, found.body == body.read()) == (True, True)
            assert found.header("content-length") == str(size)
    assert [origin.count(f"{path}/{number}") for number in range(6)] == [1] * 6


def test_variants_are_kept_apart(edge: Edge, origin: Origin, path: str) -> None:
    def answer(request: Recorded) -> Reply:
        language = request.header("accept-language") or ""
        return cacheable(language.encode(), vary="Accept-Language")

    origin.serve(path, answer)
    for _ in range(3):
        for language in ("de", "en"):
            found = edge.get(path, ("Accept-Language", language))
            assert found.body == language.encode()
            _something_else(edge, origin, path)
    assert origin.count(path) == 2


def test_a_head_request_is_answered_without_a_body(edge: Edge, origin: Origin, path: str) -> None:
    origin.serve(path, cacheable(Body(630, 1_000)))
    edge.get(path)
    _something_else(edge, origin, path)
    found = edge.exchange("HEAD", path)
    assert (found.status, found.hit, found.body) == (200, True, b"")
    assert found.header("content-length") == "1000"


def test_what_was_purged_meanwhile_is_fetched_again(edge: Edge, origin: Origin, path: str) -> None:
    origin.serve(path, [cacheable(b"old"), cacheable(b"new")])
    edge.get(path)
    _something_else(edge, origin, path)
    edge.purge(url=edge.url(path))
    assert edge.get(path).body == b"new"


def test_what_is_stale_is_validated(edge: Edge, origin: Origin, path: str) -> None:
    origin.serve(path, Reply(headers=headers(cache_control="max-age=0", etag='"a"'), body=b"x"))
    edge.get(path)
    _something_else(edge, origin, path)
    edge.get(path)
    assert origin.count(path) == 2


def _something_else(edge: Edge, origin: Origin, path: str) -> None:
    """Take the only place in memory."""
    origin.serve(f"{path}/else", cacheable(b"else"))
    edge.get(f"{path}/else")
    edge.get(f"{path}/else")
