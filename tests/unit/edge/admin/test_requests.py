"""Reading what a client of the admin API asks for."""

from __future__ import annotations

import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.edge.admin.requests import (
    ListRequest,
    PurgeRequest,
    parse_inspection,
    parse_listing,
    parse_purge,
)
from headrace.node.admin.problem import ProblemError, problem_body


@pytest.mark.parametrize("kind", ["url", "prefix", "tag"])
def test_a_purge_names_one_thing(kind: str) -> None:
    asked = parse_purge(json.dumps({kind: "x"}).encode())
    assert (asked.kind, asked.value, asked.soft, asked.service) == (kind, "x", False, None)


def test_a_purge_of_all_of_a_service_may_be_soft() -> None:
    asked = parse_purge(b'{"all": true, "soft": true, "service": "video"}')
    assert asked == PurgeRequest("all", "", soft=True, service="video")


@pytest.mark.parametrize(
    ("body", "status", "field"),
    [
        (b"", 400, None),
        (b"[]", 400, None),
        (b"\xff", 400, None),
        (b"{}", 422, None),
        (b'{"url": "a", "tag": "b"}', 422, None),
        (b'{"url": ""}', 422, "url"),
        (b'{"url": 3}', 422, "url"),
        (b'{"tag": "\\ud800"}', 422, "tag"),
        (b'{"all": false}', 422, "all"),
        (b'{"all": 1}', 422, "all"),
        (b'{"url": "a", "soft": "yes"}', 422, "soft"),
        (b'{"url": "a", "service": ""}', 422, "service"),
        (b'{"url": "a", "host": "b"}', 422, "host"),
    ],
)
def test_a_purge_that_is_not_clear_is_refused(body: bytes, status: int, field: str | None) -> None:
    with pytest.raises(ProblemError) as refusal:
        parse_purge(body)
    assert (refusal.value.status, refusal.value.field) == (status, field)


@given(st.binary())
def test_no_body_breaks_the_parser(body: bytes) -> None:
    with contextlib.suppress(ProblemError):
        parse_purge(body)


def test_a_body_nested_without_end_is_refused() -> None:
    with pytest.raises(ProblemError, match="not JSON"):
        parse_purge(b"[" * 60_000)


def test_a_listing_begins_with_a_hundred() -> None:
    assert parse_listing({}) == ListRequest(None, 100, None)


@pytest.mark.parametrize("limit", ["0", "1001", "-1", "x", "", "1e3", "٣", "9" * 5000])
def test_a_listing_has_a_limit(limit: str) -> None:
    with pytest.raises(ProblemError, match="from 1 to 1000"):
        parse_listing({"limit": limit})


def test_an_unknown_parameter_is_named() -> None:
    with pytest.raises(ProblemError, match="'page'"):
        parse_listing({"page": "2"})


def test_an_inspection_needs_a_url() -> None:
    with pytest.raises(ProblemError, match="url="):
        parse_inspection({})


def test_a_problem_has_the_members_of_rfc_9457() -> None:
    body = json.loads(problem_body(422, "why", field="url", more={"errors": []}))
    assert body == {
        "type": "about:blank",
        "title": "Unprocessable Content",
        "status": 422,
        "detail": "why",
        "field": "url",
        "errors": [],
    }
