"""What is stored and for how long (RFC 9111 sections 3, 4.2, 5.2), seen by who is asked again.

Time passes by the origin's Age field, not by waiting.
"""

from __future__ import annotations

import email.utils
import time

import pytest

from tests.harness.edge import Edge
from tests.harness.origin import Origin
from tests.harness.replies import Fields, Reply, headers

Request = tuple[tuple[str, str], ...]


def http_date(seconds_from_now: float) -> str:
    return email.utils.formatdate(time.time() + seconds_from_now, usegmt=True)


STORED: dict[str, Fields] = {
    "max-age": headers(cache_control="max-age=60"),
    "s-maxage over max-age": headers(cache_control="max-age=0, s-maxage=60"),
    "public with max-age": headers(cache_control="public, max-age=60"),
    "upper case": headers(cache_control="MAX-AGE=60"),
    "quoted": headers(cache_control='max-age="60"'),
    "two lines": (("Cache-Control", "public"), ("Cache-Control", "max-age=60")),
    "Expires": headers(expires=http_date(3600), date=http_date(0)),
    "max-age over Expires": headers(cache_control="max-age=60", expires="0"),
    "a guess from Last-Modified": headers(last_modified=http_date(-86400 * 100)),
    "immutable": headers(cache_control="max-age=60, immutable"),
    "unknown directives": headers(cache_control="max-age=60, frobnicate=1"),
    "an age below the lifetime": headers(cache_control="max-age=60", age="30"),
}

NOT_STORED: dict[str, Fields] = {
    "no-store": headers(cache_control="no-store, max-age=60"),
    "private": headers(cache_control="private, max-age=60"),
    "s-maxage=0": headers(cache_control="max-age=60, s-maxage=0"),
    "max-age=0": headers(cache_control="max-age=0"),
    "no-cache": headers(cache_control="no-cache, max-age=60"),
    "nothing": (),
    "Expires in the past": headers(expires=http_date(-10)),
    "unreadable Expires": headers(expires="0"),
    "the more restrictive of two": headers(cache_control="max-age=60, max-age=0"),
    "an age beyond the lifetime": headers(cache_control="max-age=60", age="61"),
    "a cookie": headers(cache_control="max-age=60", set_cookie="a=1"),
    "Vary star": headers(cache_control="max-age=60", vary="*"),
}


@pytest.mark.parametrize("case", STORED)
def test_a_second_client_is_served_from_the_store(
    edge: Edge, origin: Origin, path: str, case: str
) -> None:
    origin.serve(path, Reply(headers=STORED[case], body=b"x"))
    edge.get(path)
    assert (edge.get(path).hit, origin.count(path)) == (True, 1)


@pytest.mark.parametrize("case", NOT_STORED)
def test_a_second_client_makes_the_edge_ask_again(
    edge: Edge, origin: Origin, path: str, case: str
) -> None:
    origin.serve(path, Reply(headers=NOT_STORED[case], body=b"x", conditions=False))
    edge.get(path)
    edge.get(path)
    assert origin.count(path) == 2


AUTHORIZED = [
    ("max-age=60", 2),
    ("max-age=60, public", 1),
    ("s-maxage=60", 1),
    ("max-age=60, must-revalidate", 1),
]


@pytest.mark.parametrize(("control", "asked"), AUTHORIZED)
def test_an_answer_to_credentials_is_shared_only_if_it_says_so(
    edge: Edge, origin: Origin, path: str, control: str, asked: int
) -> None:
    origin.serve(path, Reply(headers=headers(cache_control=control), body=b"x"))
    for _ in range(2):
        edge.get(path, ("Authorization", "Bearer x"))
    assert origin.count(path) == asked


def test_a_response_without_credentials_may_serve_a_request_that_has_them(
    edge: Edge, origin: Origin, path: str
) -> None:
    origin.serve(path, Reply(headers=headers(cache_control="max-age=60"), body=b"x"))
    edge.get(path)
    assert edge.get(path, ("Authorization", "Bearer x")).hit


def test_age_grows_from_what_the_origin_says(edge: Edge, origin: Origin, path: str) -> None:
    origin.serve(path, Reply(headers=headers(cache_control="max-age=600", age="100"), body=b"x"))
    edge.get(path)
    assert 100 <= edge.get(path).age <= 110


def test_age_counts_from_an_old_date(edge: Edge, origin: Origin, path: str) -> None:
    fields = headers(cache_control="max-age=600", date=http_date(-50))
    origin.serve(path, Reply(headers=fields, body=b"x"))
    edge.get(path)
    assert 49 <= edge.get(path).age <= 60


def test_a_stale_response_is_validated_and_served_again(
    edge: Edge, origin: Origin, path: str
) -> None:
    fields = headers(cache_control="max-age=60", age="100", etag='"a"')
    renewed = headers(cache_control="max-age=60", etag='"a"', x_new="1")
    origin.serve(path, [Reply(headers=fields, body=b"x"), Reply(headers=renewed, body=b"x")])
    edge.get(path)
    found = edge.get(path)
    assert origin.asked(path)[1].header("if-none-match") == '"a"'
    assert (found.status, found.body, found.header("x-new")) == (200, b"x", "1")
    assert edge.get(path).hit
    assert origin.count(path) == 2


def test_a_stale_response_that_changed_is_replaced(edge: Edge, origin: Origin, path: str) -> None:
    old = headers(cache_control="max-age=60", age="100", etag='"a"')
    new = headers(cache_control="max-age=60", etag='"b"')
    origin.serve(path, [Reply(headers=old, body=b"old"), Reply(headers=new, body=b"new")])
    assert [edge.get(path).body for _ in range(3)] == [b"old", b"new", b"new"]
    assert origin.count(path) == 2


def test_a_response_marked_no_cache_is_validated_each_time(
    edge: Edge, origin: Origin, path: str
) -> None:
    fields = headers(cache_control="no-cache, max-age=60", etag='"a"')
    origin.serve(path, Reply(headers=fields, body=b"x"))
    edge.get(path)
    assert edge.get(path).body == b"x"
    assert origin.asked(path)[1].header("if-none-match") == '"a"'


def test_fields_named_by_no_cache_and_private_are_not_stored(
    edge: Edge, origin: Origin, path: str
) -> None:
    control = 'max-age=60, no-cache="X-One", private="X-Two"'
    fields = headers(cache_control=control, x_one="1", x_two="2", x_three="3")
    origin.serve(path, Reply(headers=fields, body=b"x"))
    edge.get(path)
    found = edge.get(path)
    assert [found.header(name) for name in ("x-one", "x-two", "x-three")] == [None, None, "3"]


@pytest.mark.parametrize(
    ("directive", "asked"),
    [("no-cache", 2), ("no-store", 2), ("max-age=10", 2), ("min-fresh=590", 2), ("max-age=999", 1)],
)
def test_what_a_request_demands_is_honoured(
    edge: Edge, origin: Origin, path: str, directive: str, asked: int
) -> None:
    fields = headers(cache_control="max-age=600", age="50", etag='"a"')
    origin.serve(path, Reply(headers=fields, body=b"x"))
    edge.get(path)
    edge.get(path, ("Cache-Control", directive))
    assert origin.count(path) >= asked
    assert asked == 2 or origin.count(path) == 1


def test_a_request_may_accept_what_is_stale(edge: Edge, origin: Origin, path: str) -> None:
    fields = headers(cache_control="max-age=60", age="100", etag='"a"')
    origin.serve(path, Reply(headers=fields, body=b"x"))
    edge.get(path)
    assert edge.get(path, ("Cache-Control", "max-stale=1000")).body == b"x"
    assert origin.count(path) == 1


def test_only_if_cached_without_a_stored_response_is_504(
    edge: Edge, origin: Origin, path: str
) -> None:
    origin.serve(path, Reply(headers=headers(cache_control="max-age=60"), body=b"x"))
    assert edge.get(path, ("Cache-Control", "only-if-cached")).status == 504
    assert origin.count(path) == 0


def test_the_answer_to_a_head_does_not_stand_for_a_get(
    edge: Edge, origin: Origin, path: str
) -> None:
    origin.serve(path, Reply(headers=headers(cache_control="max-age=60"), body=b"x"))
    edge.exchange("HEAD", path)
    assert edge.get(path).body == b"x"
