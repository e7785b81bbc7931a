"""Answers to POST that serve later GETs: only where the service and the origin both mean it.

A POST is shaped by one client's body and fields; so nothing of it may reach others unless the
origin says that it is the resource now. The invariant is `headrace.cache.posting`'s.
"""

from __future__ import annotations

import pytest

from tests.harness.edge import Edge
from tests.harness.origin import Origin
from tests.harness.raw_origin import RawOrigin
from tests.harness.replies import End, Fields, Recorded, Reply, cacheable, headers

SERVICE: dict[str, object] = {
    "rule": [
        {"path": "*/yes/*", "store_post_answers": True},
        {"path": "*/small/*", "store_post_answers": True, "max_object": 10},
    ]
}
EDGE: dict[str, object] = {"service": SERVICE}
RAW_EDGE: dict[str, object] = {"service": SERVICE}


def posting(origin: Origin, path: str, reply: Reply) -> None:
    """The origin answers POST with this, GET with the page."""

    def script(asked: Recorded) -> Reply:
        return reply if asked.method == "POST" else cacheable(b"the page")

    origin.serve(path, script)


def bodies(edge: Edge, path: str, *fields: tuple[str, str]) -> list[bytes]:
    """What a POST gets, and a GET that follows it on the same connection: in this order, surely."""
    with edge.client() as client:
        return [client.exchange("POST", path, *fields, body=b"ask").body, client.get(path).body]


def result(path: str, **named: str) -> Fields:
    usual = {"cache_control": "max-age=600", "content_location": path, **named}
    return headers(**{name: value for name, value in usual.items() if value})


@pytest.mark.parametrize("chunked", [False, True])
def test_a_posted_result_serves_the_gets_that_follow(
    edge: Edge, origin: Origin, path: str, chunked: bool
) -> None:
    path += "/yes/x"
    body = b"the result" * 1000
    reply = Reply(headers=result(path), body=body, framing="chunked" if chunked else "length")
    posting(origin, path, reply)
    assert bodies(edge, path) == [body, body]
    found = edge.get(path)
    assert (found.body, found.hit, found.header("content-location")) == (body, True, path)
    assert edge.get(path, ("Range", "bytes=4-9")).body == body[4:10]
    assert edge.exchange("HEAD", path).status == 200
    assert origin.count(path) == 1
    edge.exchange("POST", path, body=b"again")
    assert origin.count(path) == 2


REFUSED: dict[str, tuple[Fields, tuple[tuple[str, str], ...]]] = {
    "no location": (headers(cache_control="max-age=600"), ()),
    "another's location": (headers(cache_control="max-age=600", content_location="/other"), ()),
    "no lifetime": (headers(), ()),
    "private": (headers(cache_control="private, max-age=600"), ()),
    "a cookie set": (headers(cache_control="max-age=600", set_cookie="a=1"), ()),
    "a cookie sent": (headers(cache_control="max-age=600"), (("Cookie", "a=1"),)),
    "credentials sent": (headers(cache_control="public, max-age=9"), (("Authorization", "x"),)),
    "a coding": (headers(cache_control="max-age=600", content_encoding="gzip"), ()),
    "varies": (headers(cache_control="max-age=600", vary="X-Mine"), ()),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_one_clients_own_reaches_no_other(
    edge: Edge, origin: Origin, path: str, case: str
) -> None:
    path += "/yes/" + case.replace(" ", "-").replace("'", "")
    fields, sent = REFUSED[case]
    if "location" not in case:
        fields = (*fields, ("Content-Location", path))
    posting(origin, path, Reply(headers=fields, body=b"mine"))
    assert bodies(edge, path, *sent) == [b"mine", b"the page"]


@pytest.mark.parametrize("place", ["", "/small"])
def test_it_is_not_stored_where_the_service_does_not_allow_it_or_it_is_too_large(
    edge: Edge, origin: Origin, path: str, place: str
) -> None:
    path += f"{place}/x"
    posting(origin, path, Reply(headers=result(path), body=b"longer than ten"))
    assert bodies(edge, path) == [b"longer than ten", b"the page"]


@pytest.mark.parametrize("framing", ["length", "chunked", "close"])
def test_a_result_that_was_cut_off_or_may_have_been_is_not_stored(
    edge: Edge, origin: Origin, path: str, framing: str
) -> None:
    path += "/yes/x"
    whole = Reply(headers=result(path), body=b"x" * 1000)
    replies = {
        "length": Reply(headers=whole.headers, body=whole.body, end=End(500)),
        "chunked": Reply(
            headers=whole.headers, body=whole.body, framing="chunked", bad_chunking="no_end"
        ),
        "close": Reply(headers=whole.headers, body=whole.body, framing="close"),
    }
    posting(origin, path, replies[framing])
    edge.exchange("POST", path, body=b"ask")
    assert edge.get(path).body == b"the page"


def test_a_posted_result_replaces_what_was_stored(edge: Edge, origin: Origin, path: str) -> None:
    path += "/yes/x"
    posting(origin, path, Reply(headers=result(path), body=b"the result"))
    assert edge.get(path).body == b"the page"
    assert bodies(edge, path) == [b"the result", b"the result"]
    edge.purge(url=edge.url(path))
    assert edge.get(path).body == b"the page"


def test_a_result_that_was_purged_on_its_way_is_not_stored(
    raw_origin: RawOrigin, raw_edge: Edge, path: str
) -> None:
    path += "/yes/x"
    lines = ("HTTP/1.1 200 OK", "Content-Length: 10", "Cache-Control: max-age=600",
             f"Content-Location: {path}", "", "")  # fmt: skip
    with raw_edge.client() as alice:
        asked = ("POST " + path + " HTTP/1.1", "Host: example.test", "Content-Length: 0", "", "")
        alice.send("\r\n".join(asked).encode())
        heard = raw_origin.hears()
        heard.says("\r\n".join(lines).encode() + b"half ")
        found = alice.head()
        assert (found.status, alice.read(5)) == (200, b"half ")
        raw_edge.purge(all=True)
        heard.says(b"whole")
        assert alice.read(5) == b"whole"
    with raw_edge.client() as bob:
        bob.ask(path)
        raw_origin.hears().says(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\npage")
        assert bob.response().body == b"page"
