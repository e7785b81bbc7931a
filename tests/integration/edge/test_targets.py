"""Fields aimed at this cache (RFC 9213) rule over Cache-Control."""

from __future__ import annotations

import pytest

from tests.harness.edge import Edge
from tests.harness.origin import Origin
from tests.harness.replies import Fields, Reply, headers

CASES: dict[str, tuple[Fields, int]] = {
    "stored by CDN-Cache-Control": (
        headers(cache_control="no-store", cdn_cache_control="max-age=60"), 1,
    ),
    "not stored by CDN-Cache-Control": (
        headers(cache_control="max-age=60", cdn_cache_control="no-store"), 2,
    ),
    "the edge's own field comes first": (
        headers(headrace_cache_control="max-age=60", cdn_cache_control="no-store"), 1,
    ),
    "a field that cannot be read is ignored": (
        headers(cache_control="max-age=60", cdn_cache_control="max-age=60, ,;"), 1,
    ),
    "an empty field is ignored": (headers(cache_control="max-age=60", cdn_cache_control=""), 1),
    "Expires does not count beside it": (
        headers(expires="0", cdn_cache_control="max-age=60"), 1,
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_a_targeted_field_decides(edge: Edge, origin: Origin, path: str, case: str) -> None:
    fields, asked = CASES[case]
    origin.serve(path, Reply(headers=fields, body=b"x"))
    edge.get(path)
    edge.get(path)
    assert origin.count(path) == asked


def test_the_edges_own_field_is_not_passed_on(edge: Edge, origin: Origin, path: str) -> None:
    fields = headers(cache_control="no-cache", headrace_cache_control="max-age=60")
    origin.serve(path, Reply(headers=fields, body=b"x"))
    edge.get(path)
    found = edge.get(path)
    assert found.header("headrace-cache-control") is None
    assert found.header("cache-control") == "no-cache"


def test_the_field_for_all_cdns_is_passed_on(edge: Edge, origin: Origin, path: str) -> None:
    fields = headers(cache_control="no-cache", cdn_cache_control="max-age=60")
    origin.serve(path, Reply(headers=fields, body=b"x"))
    edge.get(path)
    assert edge.get(path).header("cdn-cache-control") == "max-age=60"
