"""One path in many spellings: each is asked for as it is stored, and rules see through them."""

from __future__ import annotations

import pytest

from tests.harness.edge import Edge
from tests.harness.origin import Origin
from tests.harness.replies import Recorded, Reply, cacheable, headers

EDGE: dict[str, object] = {
    "service": {
        "rule": [
            {"path": "*.css", "force_lifetime": "1h"},
            {"path": "*.mp4", "media_types": ["video/*"], "force_lifetime": "1h"},
        ],
    },
    "more_services": [
        {"name": "strict", "hosts": ["strict.test"], "origins": ["http://127.0.0.1:9"],
         "path_normalisation": "refuse"},
    ],
}  # fmt: skip


def echo(request: Recorded) -> Reply:
    return cacheable(request.target.encode())


@pytest.mark.parametrize("end", ["%2f", "%2F", "a%2fb", "%c3%a9", "?b=%2f", "?b=%2F", ";p=1"])
def test_an_escape_reaches_the_origin_as_it_was_sent(
    edge: Edge, origin: Origin, path: str, end: str
) -> None:
    origin.serve_under(path, echo)
    assert edge.get(f"{path}/{end}").body == f"{path}/{end}".encode()
    assert edge.get(f"{path}/{end}").hit


def test_what_origins_tell_apart_is_stored_apart(edge: Edge, origin: Origin, path: str) -> None:
    origin.serve_under(path, echo)
    for _ in range(2):
        for end in ("/a%2fb", "/a%2Fb", "/a/b", "//a/b"):
            assert edge.get(path + end).body == (path + end).encode()


def test_what_means_the_same_is_asked_for_in_one_way(edge: Edge, origin: Origin, path: str) -> None:
    origin.serve_under(path, echo)
    for target in ("/%61", "/a", "/x/../a", "/./%61", "/x/%2e%2E/a"):
        assert edge.get(path + target).body == f"{path}/a".encode()
    assert origin.count(path + "/a") == 1


def test_a_query_is_asked_for_in_the_order_of_the_key(
    edge: Edge, origin: Origin, path: str
) -> None:
    origin.serve(path, echo)
    assert edge.get(path + "?b=2&a=1").body == f"{path}?a=1&b=2".encode()
    assert edge.get(path + "?a=1&b=2").hit


def test_a_passed_request_is_spelled_as_the_client_spelled_it(
    edge: Edge, origin: Origin, path: str
) -> None:
    target = path + "/%7eme?b=2&a=1"
    origin.serve_under(path, lambda _request: Reply())
    edge.exchange("POST", target, body=b"")
    assert origin.requests[-1].target == target


def test_a_passed_request_does_not_climb(edge: Edge, origin: Origin, path: str) -> None:
    origin.serve_under(path, lambda _request: Reply())
    edge.exchange("POST", path + "/x/%2e%2e/a", body=b"")
    assert origin.requests[-1].target == path + "/a"


@pytest.mark.parametrize(
    "end", [";x.css", "%3bx.css", "%2fx.css", "%3fx.css", "%23x.css", "%2Fx.css"]
)
def test_a_private_page_under_the_name_of_a_style_sheet_is_not_stored(
    edge: Edge, origin: Origin, path: str, end: str
) -> None:
    origin.serve_under(path, lambda _request: Reply(body=b"mine"))
    edge.get(path + end)
    assert not edge.get(path + end).hit


def test_a_style_sheet_is_stored(edge: Edge, origin: Origin, path: str) -> None:
    origin.serve_under(path, lambda _request: Reply(body=b"css"))
    edge.get(path + "/x.css;v=1")
    assert edge.get(path + "/x.css;v=1").hit


@pytest.mark.parametrize(
    ("kind", "hit"),
    [("video/mp4", True), ("Video/MP4; x=1", True), ("text/html", False), ("", False)],
)
def test_a_rule_may_ask_for_the_media_type(
    edge: Edge, origin: Origin, path: str, kind: str, hit: bool
) -> None:
    target = f"{path}/x.mp4"
    origin.serve(target, Reply(headers=headers(content_type=kind), body=b"x"))
    edge.get(target)
    assert edge.get(target).hit is hit


@pytest.mark.parametrize("target", ["/a/../b", "/a/%2e%2e/b", "/./a", "/a%2fb", "/a/.."])
def test_a_strict_service_refuses_what_is_read_in_two_ways(edge: Edge, target: str) -> None:
    assert edge.get(target, ("Host", "strict.test")).status == 400


@pytest.mark.parametrize(
    "host",
    ["a..b", ".a", "a..", "a,b", "a'b", "a;b", "a b", "u@a", "a:99999", "a:-1", "a:8o", "[::x]",
     "[1]", "a/b", "%61"],
)  # fmt: skip
def test_a_host_that_is_none_is_refused(edge: Edge, host: str) -> None:
    assert edge.get("/", ("Host", host)).status == 400
