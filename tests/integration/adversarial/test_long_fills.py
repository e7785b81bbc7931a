"""A fill that takes long stands in no one's way: what it stored can be validated, purged, replaced
and repaired meanwhile, by its own worker and by others, and no client is cut for it.

The permit to write a slice is one for all representations of an object. So a client of another
representation comes to a slice that it can neither have nor write: it is fetched beside the store.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.harness.bodies import Body
from tests.harness.edge import Edge
from tests.harness.origin import Origin
from tests.harness.polling import eventually
from tests.harness.replies import Gate, Pause, Reply, cacheable, headers
from tests.harness.wire import WireError
from tests.integration.edge.conftest import Starter

SLICE_BYTES = 256 * 1024
BODY = Body(71, 5 * SLICE_BYTES)
CHANGED = Body(72, 5 * SLICE_BYTES)
LOCK_WAIT_S = 30
MANY = 12  # connections: each of a few workers gets some of them
TIMES = {"lock_wait": LOCK_WAIT_S, "origin_between_bytes": 60}


@pytest.fixture(params=[1, 2], ids=["one worker", "two workers"])
def slow(request: pytest.FixtureRequest, edges: Starter) -> Edge:
    """An edge whose requests would wait long for each other if they had to."""
    return edges({"workers": request.param, "timeouts": TIMES})


@contextlib.contextmanager
def stalled(edge: Edge, origin: Origin, path: str, first: Reply, then: Reply) -> Iterator[None]:
    """A client whose fill has stored two slices and stalls in the third; later requests at the
    origin get `then`.
    """
    gate = Gate()
    held = replace(first, pause=Pause(at=2 * SLICE_BYTES + 1000, gate=gate))
    origin.serve(path, [held, then])
    try:
        with edge.client() as client:
            client.ask(path)
            assert client.head().status == 200
            client.read(2 * SLICE_BYTES + 1000)
            yield
            gate.open()
            client.read(3 * SLICE_BYTES - 1000)
    finally:
        gate.open()


def answers(edge: Edge, path: str) -> bytes | None:
    """Return the body of a range of the first slice; None when the response was cut."""
    try:
        found = edge.get(path, ("Range", "bytes=6000-6009"))
    except WireError:
        return None
    return found.body if found.complete else None


def test_what_is_to_be_validated_is(slow: Edge, origin: Origin, path: str) -> None:
    reply = Reply(headers=headers(cache_control="no-cache", etag='"one"'), body=BODY)
    with stalled(slow, origin, path, reply, reply):
        for _ in range(MANY):
            found = slow.get(path, ("Range", "bytes=0-9"))
            assert (found.status, found.body) == (206, BODY.read(0, 10))
            assert found.cache.get("fwd") == "stale"
        asked = origin.asked(path)[1:]
        assert all(request.header("if-none-match") == '"one"' for request in asked)


def test_what_was_purged_is_fetched_whole(slow: Edge, origin: Origin, path: str) -> None:
    reply = cacheable(BODY)
    with stalled(slow, origin, path, reply, reply):
        slow.purge(url=slow.url(path))
        for _ in range(MANY):
            found = slow.get(path)
            assert (found.status, found.complete) == (200, True)
            assert found.body == BODY.read()
            assert found.cache.get("stored") or found.hit


def test_what_has_changed_is_fetched_whole(slow: Edge, origin: Origin, path: str) -> None:
    first = Reply(headers=headers(cache_control="no-cache", etag='"old"'), body=BODY)
    with stalled(slow, origin, path, first, cacheable(CHANGED)):
        for _ in range(MANY):
            found = slow.get(path)
            assert (found.status, found.complete) == (200, True)
            assert found.body == CHANGED.read()


def test_a_damaged_slice_costs_one_fetch(edges: Starter, origin: Origin, path: str) -> None:
    edge = edges({"workers": 1, "timeouts": TIMES, "drain_timeout": 4})
    edge.expected_errors |= {"stored_slice_damaged"}

    def stored() -> set[Path]:
        return {each for each in (edge.cache_dir / "objects").rglob("*") if each.is_file()}

    before = stored()
    with stalled(edge, origin, path, cacheable(BODY), cacheable(BODY)):
        eventually(lambda: len(stored() - before) == 2, "two slices are stored")
        for file in stored() - before:
            os.truncate(file, 5000)
        damaged, repaired = answers(edge, path), answers(edge, path)
        assert (damaged, repaired) == (None, BODY.read(6000, 6010))
        assert origin.count(path) == 2
