"""Conditional requests answered by the edge itself (RFC 9110 section 13, RFC 9111 4.3.2)."""

from __future__ import annotations

import pytest

from tests.harness.bodies import Body
from tests.harness.edge import Edge
from tests.harness.origin import Origin
from tests.harness.replies import Reply, cacheable, headers

BODY = Body(14, 50_000)
MODIFIED = "Sun, 06 Nov 1994 08:49:37 GMT"

NOT_MODIFIED = {
    "the same tag": [("If-None-Match", '"a"')],
    "a list with the tag": [("If-None-Match", '"x", "a"')],
    "the tag as weak": [("If-None-Match", 'W/"a"')],
    "a star": [("If-None-Match", "*")],
    "the same date": [("If-Modified-Since", MODIFIED)],
    "a later date": [("If-Modified-Since", "Sun, 06 Nov 2022 08:49:37 GMT")],
    "an old form of the date": [("If-Modified-Since", "Sunday, 06-Nov-94 08:49:37 GMT")],
    "the tag beside an earlier date": [
        ("If-None-Match", '"a"'),
        ("If-Modified-Since", "Sun, 06 Nov 1990 08:49:37 GMT"),
    ],
}
MODIFIED_SINCE = {
    "another tag": [("If-None-Match", '"b"')],
    "an earlier date": [("If-Modified-Since", "Sun, 06 Nov 1990 08:49:37 GMT")],
    "an unreadable date": [("If-Modified-Since", "yesterday")],
    "another tag beside a later date": [
        ("If-None-Match", '"b"'),
        ("If-Modified-Since", "Sun, 06 Nov 2022 08:49:37 GMT"),
    ],
}


@pytest.fixture
def stored(edge: Edge, origin: Origin, path: str) -> str:
    """A path whose response is stored."""
    origin.serve(path, cacheable(BODY, etag='"a"', last_modified=MODIFIED, content_type="x/y"))
    edge.get(path)
    return path


@pytest.mark.parametrize("case", NOT_MODIFIED)
def test_what_the_client_has_already_is_304(
    edge: Edge, origin: Origin, stored: str, case: str
) -> None:
    found = edge.get(stored, *NOT_MODIFIED[case])
    assert (found.status, found.body, origin.count(stored)) == (304, b"", 1)


@pytest.mark.parametrize("case", MODIFIED_SINCE)
def test_what_the_client_has_not_is_sent(edge: Edge, stored: str, case: str) -> None:
    found = edge.get(stored, *MODIFIED_SINCE[case])
    assert (found.status, found.body == BODY.read()) == (200, True)


def test_a_304_carries_the_fields_that_a_200_would_for_caches(edge: Edge, stored: str) -> None:
    found = edge.get(stored, ("If-None-Match", '"a"'))
    assert found.header("etag") == '"a"'
    assert found.header("cache-control") == "max-age=600"
    assert found.header("date") is not None
    assert found.header("content-type") is None


def test_the_connection_goes_on_after_a_304(edge: Edge, stored: str) -> None:
    with edge.client() as client:
        client.get(stored, ("If-None-Match", '"a"'))
        assert client.get(stored).body == BODY.read()


def test_a_head_with_the_same_tag_is_304(edge: Edge, stored: str) -> None:
    assert edge.exchange("HEAD", stored, ("If-None-Match", '"a"')).status == 304


def test_a_condition_on_a_miss_is_answered_from_what_the_fill_brings(
    edge: Edge, origin: Origin, path: str
) -> None:
    origin.serve(path, cacheable(BODY, etag='"a"'))
    assert edge.get(path, ("If-None-Match", '"a"')).status == 304
    assert edge.get(path).body == BODY.read()


def test_a_failed_if_match_is_412(edge: Edge, stored: str) -> None:
    assert edge.get(stored, ("If-Match", '"b"')).status == 412


def test_a_304_to_an_unconditional_request_is_not_stored(
    edge: Edge, origin: Origin, path: str
) -> None:
    origin.serve(path, Reply(status=304, headers=headers(cache_control="max-age=60", etag='"a"')))
    edge.get(path)
    origin.serve(path, cacheable(b"x"))
    assert edge.get(path).body == b"x"


def test_a_range_beside_a_matching_tag_is_304(edge: Edge, stored: str) -> None:
    found = edge.get(stored, ("If-None-Match", '"a"'), ("Range", "bytes=0-1"))
    assert found.status == 304
