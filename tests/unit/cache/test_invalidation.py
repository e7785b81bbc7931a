"""What an unsafe request makes stale (RFC 9111 section 4.4)."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest
from hypothesis import given

from headrace.cache.invalidation import keys_invalidated
from headrace.http.message import Headers, Request, ResponseHead
from tests.unit.cache.values import field_values, request, response

TARGET = b"http://host/"


@pytest.mark.parametrize("method", [b"POST", b"PUT", b"DELETE", b"PATCH", b"FROBNICATE"])
def test_an_unsafe_method_invalidates_its_target(method: bytes) -> None:
    assert keys_invalidated(request(method), response(204)) == [TARGET]


@pytest.mark.parametrize("method", [b"GET", b"HEAD", b"OPTIONS", b"TRACE"])
def test_a_safe_method_invalidates_nothing(method: bytes) -> None:
    assert keys_invalidated(request(method), response(200, location="/x")) == []


@pytest.mark.parametrize(("status", "invalidates"), [(200, 1), (302, 1), (400, 0), (500, 0)])
def test_an_error_invalidates_nothing(status: int, invalidates: int) -> None:
    assert len(keys_invalidated(request(b"POST"), response(status))) == invalidates


def test_the_query_is_part_of_the_target() -> None:
    asked = Request(b"POST", b"", b"https", b"host:8443", b"/a", b"b=1", (1, 1), Headers())
    assert keys_invalidated(asked, response()) == [b"https://host:8443/a?b=1"]


NAMED: list[tuple[bytes, list[bytes]]] = [
    (b"/made", [b"http://host/made"]),
    (b"made?x=1#part", [b"http://host/made?x=1"]),
    (b"http://host/made", [b"http://host/made"]),
    (b"http://HOST/made", [b"http://HOST/made"]),
    (b"http://host:80/made", [b"http://host:80/made"]),
    (b"//host/made", [b"http://host/made"]),
    (b"/", []),  # the target again
    (b"http://other/made", []),
    (b"http://host:81/made", []),
    (b"http://host.other/made", []),
    (b"http://user@host/made", []),
    (b"ftp://host/made", []),
    (b"http://[", []),
]


@pytest.mark.parametrize(("value", "found"), NAMED)
@pytest.mark.parametrize("field", ["location", "content_location"])
def test_what_the_answer_names_on_the_same_host_goes_too(
    field: str, value: bytes, found: list[bytes]
) -> None:
    answer = response(201, **{field: value})
    assert keys_invalidated(request(b"POST"), answer) == [TARGET, *found]


def test_both_fields_are_followed() -> None:
    answer = response(201, location="/a", content_location="/b")
    found = keys_invalidated(request(b"POST"), answer)
    assert found == [TARGET, b"http://host/a", b"http://host/b"]


@given(field_values)
def test_whatever_the_answer_names_only_this_host_is_touched(value: bytes) -> None:
    answer = ResponseHead(201, Headers([(b"location", value)]))
    for uri in keys_invalidated(request(b"POST"), answer):
        parts = urlsplit(uri.decode("latin-1"))
        assert (parts.scheme in ("http", "https"), parts.hostname) == (True, "host")
