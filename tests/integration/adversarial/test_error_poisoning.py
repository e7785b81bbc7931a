"""Errors under somebody else's URL: what one client provokes, no other client gets.

The origin here answers the first request for a path with an error, as if something in that request
had been at fault, and every later one with the page. The invariant is `headrace.cache.statuses`'.
"""

from __future__ import annotations

import pytest

from tests.harness.edge import Edge
from tests.harness.origin import Origin
from tests.harness.polling import eventually
from tests.harness.replies import End, Recorded, Reply, cacheable, headers

EDGE: dict[str, object] = {
    "service": {
        "cache": {"error_max": 1, "stale_while_revalidate": 600, "stale_if_error": 600},
        "rule": [
            {"path": "*/listed/*", "negative": {"400": 30, "401": 30, "404": 1}},
            {"path": "*/plain/*", "stale_while_revalidate": 0, "stale_if_error": 0},
        ],
    }
}
PAGE = cacheable(b"the page")
FOR_A_DAY = headers(cache_control="public, max-age=86400")
PROVOKED = [400, 401, 402, 403, 405, 406, 407, 408, 411, 412, 413, 414, 415, 417, 418, 421,
            426, 428, 429, 431, 451, 499, 501, 505, 511, 599]  # fmt: skip


@pytest.mark.parametrize("status", PROVOKED)
def test_a_provoked_error_is_for_who_provoked_it(
    edge: Edge, origin: Origin, path: str, status: int
) -> None:
    origin.serve(path, [Reply(status=status, headers=FOR_A_DAY, body=b"bad"), PAGE])
    assert edge.get(path).status == status
    assert edge.get(path).body == b"the page"


def test_a_416_that_nothing_asked_for_is_no_answer(edge: Edge, origin: Origin, path: str) -> None:
    origin.serve(path, [Reply(status=416, headers=FOR_A_DAY, body=b"bad"), PAGE])
    assert edge.get(path).status == 502
    assert edge.get(path).body == b"the page"


@pytest.mark.parametrize("status", [404, 410, 500, 502, 503, 504])
def test_an_error_of_the_resource_passes_soon(
    edge: Edge, origin: Origin, path: str, status: int
) -> None:
    """Though it says a day, and though the service serves stale content for ten minutes."""
    origin.serve(path, [Reply(status=status, headers=FOR_A_DAY, body=b"bad"), PAGE])
    assert edge.get(path).status == status
    eventually(lambda: edge.get(path).status == 200, "the page is served", 10)


def test_a_listed_error_is_remembered(edge: Edge, origin: Origin, path: str) -> None:
    path += "/listed/x"
    origin.serve(path, [Reply(status=400, body=b"bad"), PAGE])
    assert [edge.get(path).status for _ in range(2)] == [400, 400]


def test_a_stored_challenge_is_not_for_who_brings_credentials(
    edge: Edge, origin: Origin, path: str
) -> None:
    path += "/listed/x"

    def guarded(asked: Recorded) -> Reply:
        if asked.header("authorization") is None:
            return Reply(status=401, headers=headers(www_authenticate="Basic"), body=b"who?")
        return Reply(headers=headers(cache_control="private"), body=b"hers")

    origin.serve(path, guarded)
    assert [edge.get(path).status for _ in range(2)] == [401, 401]
    assert origin.count(path) == 1
    alice = edge.get(path, ("Authorization", "Basic YTpi"))
    assert (alice.status, alice.body) == (200, b"hers")
    assert edge.get(path).status == 401


@pytest.mark.parametrize(
    ("name", "spelled"),
    [("before", "max-age =600"), ("after", "max-age= 600"), ("semicolon", "no-store; max-age=600")],
)
def test_a_directive_that_is_written_wrongly_gives_no_lifetime(
    edge: Edge, origin: Origin, path: str, name: str, spelled: str
) -> None:
    path += name
    first = headers(cache_control=f"stale-while-revalidate=0, {spelled}")
    origin.serve(path, [Reply(headers=first, body=b"old"), PAGE])
    assert [edge.get(path).body for _ in range(2)] == [b"old", b"the page"]


GONE = Reply(end=End("before_head", reset=True))


def aged(control: str) -> Reply:
    """A response that is 100 s old as it comes."""
    fields = headers(cache_control=control, age="100", etag='"old"')
    return Reply(headers=fields, body=b"old")


def test_an_unreachable_origin_is_hidden_for_a_while(edge: Edge, origin: Origin, path: str) -> None:
    path += "/plain/x"
    origin.serve(path, [aged("max-age=60"), GONE])
    assert [edge.get(path).body for _ in range(2)] == [b"old", b"old"]


def test_an_origin_that_answers_with_an_error_is_not_unreachable(
    edge: Edge, origin: Origin, path: str
) -> None:
    path += "/plain/x"
    origin.serve(path, [aged("max-age=60"), Reply(status=503)])
    assert [edge.get(path).status for _ in range(2)] == [200, 503]


@pytest.mark.parametrize(
    "forbids",
    ["must-revalidate", "proxy-revalidate", "s-maxage=60", "no-cache", "stale-if-error=0"],
)
def test_unless_the_response_forbids_it(
    edge: Edge, origin: Origin, path: str, forbids: str
) -> None:
    path += f"/plain/{forbids.partition('=')[0]}"
    origin.serve(path, [aged(f"max-age=60, {forbids}"), GONE])
    edge.get(path)
    assert edge.get(path).status in (502, 504)


def test_head_is_answered_too_while_no_origin_can_be_reached(
    edge: Edge, origin: Origin, path: str
) -> None:
    path += "/plain/x"
    origin.serve(path, [aged("max-age=60"), GONE])
    edge.get(path)
    found = edge.exchange("HEAD", path)
    assert (found.status, found.header("etag"), found.age >= 100) == (200, '"old"', True)


def test_what_was_purged_softly_is_not_brought_back_by_an_unreachable_origin(
    edge: Edge, origin: Origin, path: str
) -> None:
    path += "/plain/x"
    first = Reply(headers=headers(cache_control="max-age=600", etag='"old"'), body=b"old")
    origin.serve(path, [first, GONE])
    assert edge.get(path).body == b"old"
    edge.purge(url=edge.url(path), soft=True)
    assert edge.get(path).status in (502, 504)


def test_a_client_that_knows_only_the_date_learns_that_nothing_changed(
    edge: Edge, origin: Origin, path: str
) -> None:
    fields = headers(cache_control="max-age=2000000000", date="Sun, 06 Nov 1994 08:49:37 GMT")
    asked = ("If-Modified-Since", "SUN, 06 NOV 1994 08:49:37 GMT")
    before = ("If-Modified-Since", "Sun, 06 Nov 1994 08:49:36 GMT")
    origin.serve(path, Reply(headers=fields, body=b"x"))
    assert edge.get(path).status == 200
    assert [edge.get(path, asked).status, edge.get(path, before).status] == [304, 200]
