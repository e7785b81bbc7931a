"""The admin API over real workers: state, counts, objects."""

from __future__ import annotations

from urllib.parse import quote

import pytest

from tests.harness.bodies import Body
from tests.harness.edge import Edge
from tests.harness.origin import Origin
from tests.harness.replies import cacheable

BODY = Body(95, 600_000)


@pytest.mark.parametrize("path", ["/live", "/ready"])
def test_probes_need_no_token(edge: Edge, path: str) -> None:
    assert edge.ask_admin("GET", path, token=None).status == 200


@pytest.mark.parametrize("path", ["/stats", "/metrics", "/objects", "/objects/inspect?url=x"])
def test_everything_else_needs_the_token(edge: Edge, path: str) -> None:
    assert edge.ask_admin("GET", path, token=None).status == 401


def test_hits_and_misses_are_counted_over_all_workers(
    edge: Edge, origin: Origin, path: str
) -> None:
    origin.serve(path, cacheable(BODY))
    before = edge.metric("headrace_requests_total")
    hits = edge.metric("headrace_requests_total", cache="hit")
    for _ in range(13):
        edge.get(path)
    assert edge.metric("headrace_requests_total") == before + 13
    assert edge.metric("headrace_requests_total", cache="hit") == hits + 12


def test_sent_bytes_are_counted(edge: Edge, origin: Origin, path: str) -> None:
    origin.serve(path, cacheable(BODY))
    before = edge.metric("headrace_sent_bytes_total")
    edge.get(path)
    assert edge.metric("headrace_sent_bytes_total") >= before + 600_000


def test_stored_objects_are_listed_by_prefix(edge: Edge, origin: Origin, path: str) -> None:
    for number in range(3):
        origin.serve(f"{path}/{number}", cacheable(BODY))
        edge.get(f"{path}/{number}")
    answer = edge.ask_admin("GET", f"/objects?prefix={quote(edge.url(path), safe='')}")
    assert (answer.status, len(answer.json["objects"])) == (200, 3)


def test_a_stored_object_is_inspected(edge: Edge, origin: Origin, path: str) -> None:
    origin.serve(path, cacheable(BODY))
    edge.get(path)
    url = quote(edge.url(path), safe="")
    answer = edge.ask_admin("GET", f"/objects/inspect?url={url}")
    assert (answer.status, len(answer.json["variants"])) == (200, 1)


def test_what_is_not_stored_is_404(edge: Edge, path: str) -> None:
    url = quote(edge.url(path), safe="")
    assert edge.ask_admin("GET", f"/objects/inspect?url={url}").status == 404


def test_the_store_is_counted(edge: Edge, origin: Origin, path: str) -> None:
    origin.serve(path, cacheable(BODY))
    edge.get(path)
    assert edge.metric("headrace_store_objects") >= 1
    assert edge.metric("headrace_store_bytes") >= 600_000
