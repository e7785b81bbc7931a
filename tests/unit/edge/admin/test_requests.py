"""Reading what a client of the admin API asks for."""

from __future__ import annotations

import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.edge.admin.requests import ListRequest, PurgeRequest, UrlRequest
from headrace.node.admin.problem import Fault, ProblemError, problem_body
from headrace.node.admin.requests import read_body, read_query


@pytest.mark.parametrize("kind", ["url", "prefix", "tag"])
def test_a_purge_names_one_thing(kind: str) -> None:
    asked = read_body(PurgeRequest, json.dumps({kind: "x"}).encode())
    assert (asked.target, asked.soft, asked.service) == ((kind, "x"), False, None)


def test_a_purge_of_all_of_a_service_may_be_soft() -> None:
    asked = read_body(PurgeRequest, b'{"all": true, "soft": true, "service": "video"}')
    assert (asked.target, asked.soft, asked.service) == (("all", ""), True, "video")


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
        _ = read_body(PurgeRequest, body).target
    assert (refusal.value.status, refusal.value.field) == (status, field)


@given(st.binary())
def test_no_body_breaks_the_parser(body: bytes) -> None:
    with contextlib.suppress(ProblemError):
        _ = read_body(PurgeRequest, body).target


def test_a_body_nested_without_end_is_refused() -> None:
    with pytest.raises(ProblemError, match="not JSON"):
        read_body(PurgeRequest, b"[" * 60_000)


def test_a_listing_begins_with_a_hundred() -> None:
    assert read_query(ListRequest, {}) == ListRequest(None, 100, None)


@pytest.mark.parametrize("limit", ["0", "1001", "-1", "x", "", "1e3", "٣", "9" * 5000])
def test_a_listing_has_a_limit(limit: str) -> None:
    with pytest.raises(ProblemError, match="from 1 to 1000"):
        read_query(ListRequest, {"limit": limit})


def test_an_unknown_parameter_is_named() -> None:
    with pytest.raises(ProblemError, match="'page'"):
        read_query(ListRequest, {"page": "2"})


def test_an_inspection_needs_a_url() -> None:
    with pytest.raises(ProblemError, match="url="):
        read_query(UrlRequest, {})


def test_a_problem_has_the_members_of_rfc_9457() -> None:
    body = json.loads(
        problem_body(422, "why", field="url", errors=[Fault("wrong", remedy="correct it")])
    )
    assert body == {
        "type": "about:blank",
        "title": "Unprocessable Content",
        "status": 422,
        "detail": "why",
        "field": "url",
        "errors": [{"message": "wrong", "remedy": "correct it"}],
    }
