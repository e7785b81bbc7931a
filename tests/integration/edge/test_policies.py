"""Cookies, errors worth remembering, and invalidation by unsafe methods (RFC 9111 section 4.4)."""

from __future__ import annotations

import pytest

from tests.harness.edge import Edge
from tests.harness.origin import Origin
from tests.harness.replies import Reply, cacheable, headers

EDGE: dict[str, object] = {
    "service": {
        "cache": {
            "negative": {"404": 30, "410": 30, "503": 30},
            "bypass_on_cookie": ["session"],
        },
        "rule": [
            {"path": "*/with-cookies/*", "store_set_cookie": True},
            {"path": "*/forced/*", "force_lifetime": 60},
            {"path": "*/guessed/*", "default_lifetime": 60},
            {"path": "*/stubborn/*", "honour_request_directives": False},
            {"path": "*/small/*", "max_object": 1000},
        ],
    }
}


@pytest.mark.parametrize("status", [404, 410, 503])
def test_an_error_with_a_negative_lifetime_is_remembered(
    edge: Edge, origin: Origin, path: str, status: int
) -> None:
    origin.serve(path, Reply(status=status, body=b"no"))
    assert [edge.get(path).status for _ in range(3)] == [status] * 3
    assert origin.count(path) == 1


@pytest.mark.parametrize("status", [400, 403, 500, 502, 504])
def test_other_errors_are_not_remembered(
    edge: Edge, origin: Origin, path: str, status: int
) -> None:
    origin.serve(path, Reply(status=status, body=b"no"))
    assert [edge.get(path).status for _ in range(2)] == [status] * 2
    assert origin.count(path) == 2


def test_an_error_that_forbids_it_is_not_remembered(edge: Edge, origin: Origin, path: str) -> None:
    origin.serve(path, Reply(status=404, headers=headers(cache_control="no-store")))
    edge.get(path)
    edge.get(path)
    assert origin.count(path) == 2


@pytest.mark.parametrize("status", [200, 203, 204, 300, 301, 308, 404, 410, 500])
def test_a_status_with_a_lifetime_is_stored(
    edge: Edge, origin: Origin, path: str, status: int
) -> None:
    fields = headers(cache_control="max-age=60", location="/elsewhere")
    origin.serve(path, Reply(status=status, headers=fields))
    assert [edge.get(path).status for _ in range(2)] == [status] * 2
    assert origin.count(path) == 1


def test_a_cookie_that_a_response_sets_reaches_only_its_client(
    edge: Edge, origin: Origin, path: str
) -> None:
    path += "/with-cookies/x"
    fields = headers(cache_control="max-age=60", set_cookie="a=1")
    origin.serve(path, Reply(headers=fields, body=b"x"))
    edge.get(path)
    second = edge.get(path)
    assert (second.header("set-cookie"), origin.count(path)) == (None, 1)


def test_a_cookie_in_a_request_does_not_hinder_sharing(
    edge: Edge, origin: Origin, path: str
) -> None:
    origin.serve(path, cacheable(b"x"))
    edge.get(path)
    assert edge.get(path, ("Cookie", "theme=dark")).hit


def test_a_named_cookie_goes_past_the_cache(edge: Edge, origin: Origin, path: str) -> None:
    origin.serve(path, cacheable(b"x"))
    edge.get(path)
    found = edge.get(path, ("Cookie", "theme=dark; session=1"))
    assert (found.hit, origin.count(path)) == (False, 2)


def test_a_forced_lifetime_outweighs_what_the_response_says(
    edge: Edge, origin: Origin, path: str
) -> None:
    path += "/forced/x"
    origin.serve(path, Reply(headers=headers(cache_control="max-age=0"), body=b"x"))
    edge.get(path)
    assert edge.get(path).hit


def test_a_default_lifetime_holds_where_the_response_says_nothing(
    edge: Edge, origin: Origin, path: str
) -> None:
    path += "/guessed/x"
    origin.serve(path, Reply(body=b"x"))
    edge.get(path)
    assert edge.get(path).hit


def test_a_service_may_ignore_what_requests_demand(edge: Edge, origin: Origin, path: str) -> None:
    path += "/stubborn/x"
    origin.serve(path, cacheable(b"x"))
    edge.get(path)
    assert edge.get(path, ("Cache-Control", "no-cache"), ("Pragma", "no-cache")).hit


def test_a_body_beyond_the_limit_is_passed_through_whole(
    edge: Edge, origin: Origin, path: str
) -> None:
    path += "/small/x"
    origin.serve(path, cacheable(b"x" * 1001))
    assert [len(edge.get(path).body) for _ in range(2)] == [1001, 1001]
    assert origin.count(path) == 2


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
def test_an_unsafe_method_invalidates_what_is_stored(
    edge: Edge, origin: Origin, path: str, method: str
) -> None:
    origin.serve(path, cacheable(b"x"))
    edge.get(path)
    edge.exchange(method, path, body=b"y")
    before = origin.count(path)
    edge.get(path)
    assert origin.count(path) == before + 1


def test_an_unsafe_method_invalidates_the_location_it_names(
    edge: Edge, origin: Origin, path: str
) -> None:
    made, asked = path + "/made", path + "/make"
    origin.serve(made, cacheable(b"x"))
    origin.serve(asked, Reply(status=201, headers=headers(location=made)))
    edge.get(made)
    edge.exchange("POST", asked, body=b"y")
    edge.get(made)
    assert origin.count(made) == 2


def test_an_unsafe_method_that_fails_invalidates_nothing(
    edge: Edge, origin: Origin, path: str
) -> None:
    origin.serve(path, [cacheable(b"x"), Reply(status=500)])
    edge.get(path)
    edge.exchange("POST", path, body=b"y")
    assert edge.get(path).hit


def test_another_hosts_location_is_not_invalidated(edge: Edge, origin: Origin, path: str) -> None:
    made, asked = path + "/made", path + "/make"
    origin.serve(made, cacheable(b"x"))
    location = "http://victim.test" + made
    origin.serve(asked, Reply(status=201, headers=headers(location=location)))
    edge.get(made, ("Host", "victim.test"))
    edge.exchange("POST", asked, body=b"y")
    assert edge.get(made, ("Host", "victim.test")).hit


def test_options_and_trace_invalidate_nothing(edge: Edge, origin: Origin, path: str) -> None:
    origin.serve(path, cacheable(b"x"))
    edge.get(path)
    edge.exchange("OPTIONS", path)
    assert edge.get(path).hit
