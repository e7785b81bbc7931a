"""Unsafe requests empty the cache of what they changed, and fill no other place instead."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from headrace.edge.purge_allowance import RULES_AT_ONCE, RULES_PER_S
from tests.harness.edge import Edge, running_edge
from tests.harness.origin import Origin
from tests.harness.replies import Recorded, Reply, cacheable


def answered(request: Recorded) -> Reply:
    if request.method == "POST":
        return Reply(status=int(request.header("x-status") or 204))
    return cacheable(b"x")


@pytest.fixture
def fresh_edge(origin: Origin, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Edge]:
    directory = tmp_path_factory.mktemp("invalidation")
    with running_edge(origin.url, directory, {"workers": 1}) as edge:
        yield edge


def rules(edge: Edge) -> float:
    return edge.metric("headrace_store_purge_rules")


def test_one_object_takes_one_rule_however_often_it_is_changed(
    fresh_edge: Edge, origin: Origin, path: str
) -> None:
    origin.serve(path, answered)
    with fresh_edge.client() as client:
        client.get(path)
        for _ in range(50):
            client.exchange("POST", path)
    assert rules(fresh_edge) == 1


def test_rules_are_bounded_and_what_was_changed_goes_all_the_same(
    fresh_edge: Edge, origin: Origin, path: str
) -> None:
    origin.serve(path, answered)
    began = time.monotonic()
    with fresh_edge.client() as client:
        for number in range(4 * RULES_AT_ONCE):
            client.exchange("POST", path)
            found = client.get(path)
            assert not found.hit, number
    found_rules = rules(fresh_edge)
    assert 1 <= found_rules <= RULES_AT_ONCE + 1 + (time.monotonic() - began) * RULES_PER_S


@pytest.mark.parametrize(("status", "kept"), [("204", False), ("303", False), ("404", True)])
def test_only_what_succeeded_has_changed_anything(
    fresh_edge: Edge, origin: Origin, path: str, status: str, kept: bool
) -> None:
    origin.serve(path, answered)
    fresh_edge.get(path)
    fresh_edge.exchange("POST", path, ("X-Status", status))
    assert fresh_edge.get(path).hit is kept
