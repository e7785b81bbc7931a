"""Paths are brought into one form (RFC 3986 section 6.2.2): no alias of a cache key, no escape."""

from __future__ import annotations

import pytest

from tests.harness.edge import Edge
from tests.harness.origin import Origin
from tests.harness.replies import cacheable
from tests.harness.wire import Response


def raw_get(edge: Edge, target: str) -> Response:
    with edge.client() as client:
        client.ask(target)
        return client.response()


@pytest.mark.parametrize(
    "spelling",
    [
        "/%7Euser",
        "/%7euser",
        "/./~user",
        "/a/../~user",
        "/a/%2e%2e/~user",
        "/a/%2E./~user",
        "/%2e/~user",
        "/~%75ser",
    ],
)
def test_spellings_of_one_path_share_one_stored_response(
    edge: Edge, origin: Origin, path: str, spelling: str
) -> None:
    origin.serve(path + "/~user", cacheable(b"x"))
    edge.get(path + "/~user")
    assert raw_get(edge, path + spelling).hit
    assert origin.count(path + "/~user") == 1


@pytest.mark.parametrize(
    ("one", "other"),
    [("/a%2Fb", "/a/b"), ("/a", "/A"), ("/a/", "/a"), ("/a//b", "/a/b"), ("/a%3Fb", "/a?b")],
)
def test_different_resources_are_kept_apart(
    edge: Edge, origin: Origin, path: str, one: str, other: str
) -> None:
    origin.serve_under(path, lambda request: cacheable(request.target.encode()))
    first = raw_get(edge, path + one)
    second = raw_get(edge, path + other)
    assert first.body != second.body


@pytest.mark.parametrize(
    "target", ["/../../etc/passwd", "/a/../../../etc/passwd", "/%2e%2e/%2e%2e/etc/passwd"]
)
def test_a_path_never_climbs_above_the_root(edge: Edge, origin: Origin, target: str) -> None:
    origin.serve("/etc/passwd", cacheable(b"the root's own"))
    found = raw_get(edge, target)
    assert found.status in (200, 400)
    assert all(".." not in request.target for request in origin.requests)


@pytest.mark.parametrize("target", ["/a%00b", "/a%zz", "/a%", "/a\\b", "/a%5c%00"])
def test_an_unsound_path_is_refused(edge: Edge, target: str) -> None:
    with edge.client() as client:
        client.ask(target)
        assert (client.response().status, client.ended()) == (400, True)


def test_a_whole_url_means_its_path(edge: Edge, origin: Origin, path: str) -> None:
    origin.serve(path, cacheable(b"x"))
    edge.get(path)
    assert raw_get(edge, f"http://example.test{path}").hit


def test_the_case_of_a_host_and_its_default_port_do_not_matter(
    edge: Edge, origin: Origin, path: str
) -> None:
    origin.serve(path, cacheable(b"x"))
    edge.get(path, ("Host", "example.test"))
    assert edge.get(path, ("Host", "EXAMPLE.test")).hit
    assert edge.get(path, ("Host", "example.test:80")).hit


def test_hosts_are_kept_apart(edge: Edge, origin: Origin, path: str) -> None:
    origin.serve(path, lambda request: cacheable(str(request.header("host")).encode()))
    one = edge.get(path, ("Host", "one.test"))
    other = edge.get(path, ("Host", "other.test"))
    assert (one.body, other.body) == (b"one.test", b"other.test")


def test_no_path_of_one_host_is_that_of_another(edge: Edge, origin: Origin, path: str) -> None:
    origin.serve(path, lambda request: cacheable(str(request.header("host")).encode()))
    edge.get(f"/b.test{path}", ("Host", "a.test"))
    assert edge.get(path, ("Host", "a.test")).body == b"a.test"
    assert edge.get(path, ("Host", "a.test/b.test")).status == 400
