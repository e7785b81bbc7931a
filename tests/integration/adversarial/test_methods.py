"""Methods that nobody asked for reach no origin, and empty nobody's cache."""

from __future__ import annotations

import contextlib

import pytest

from tests.harness.edge import Edge
from tests.harness.origin import Origin
from tests.harness.replies import cacheable
from tests.harness.wire import ConnectionEnded

EDGE: dict[str, object] = {
    "service": {"hosts": ["*"]},
    "more_services": [
        {"name": "narrow", "hosts": ["narrow.test"], "origins": ["http://127.0.0.1:9"],
         "methods": ["GET", "HEAD"]},
    ],
}  # fmt: skip


@pytest.mark.parametrize("method", ["PURGE", "PROPFIND", "MOVE", "COPY", "LOCK", "REPORT", "LINK"])
def test_a_method_that_is_not_listed_is_501(
    edge: Edge, origin: Origin, path: str, method: str
) -> None:
    origin.serve(path, cacheable(b"x"))
    edge.get(path)
    assert edge.exchange(method, path).status == 501
    assert edge.get(path).hit
    assert origin.count(path) == 1


@pytest.mark.parametrize("method", ["POST", "DELETE", "OPTIONS", "TRACE"])
def test_a_usual_method_that_a_service_does_not_serve_is_405(edge: Edge, method: str) -> None:
    found = edge.exchange(method, "/", ("Host", "narrow.test"))
    assert (found.status, found.header("allow")) == (405, "GET, HEAD")


@pytest.mark.parametrize("method", ["PROPFIND", "PUT"])
def test_the_body_of_a_refused_request_is_no_request(
    edge: Edge, origin: Origin, path: str, method: str
) -> None:
    origin.serve(path, cacheable(b"x"))
    origin.serve(path + "/smuggled", cacheable(b"y"))
    host = "example.test" if method == "PROPFIND" else "narrow.test"
    inner = f"GET {path}/smuggled HTTP/1.1\r\nHost: example.test\r\n\r\n".encode()
    with edge.client() as client:
        client.ask(path, ("Host", host), method=method, body=inner)
        assert client.response().status in (405, 501)
        # The connection is either at an end, or at the next request.
        with contextlib.suppress(ConnectionEnded, OSError):
            assert client.get(path).body == b"x"
    assert origin.count(path + "/smuggled") == 0
