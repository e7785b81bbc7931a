"""An origin that sends http clients to https: what it tells them is not told to https clients."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.harness.certificates import Authority
from tests.harness.edge import Edge, free_port, running_edge
from tests.harness.origin import Origin
from tests.harness.replies import Recorded, Reply, cacheable, headers
from tests.harness.wire import Client, Response

APART, ONE = "apart.test", "one.test"


@dataclass(frozen=True, slots=True)
class Both:
    """An edge that listens for both schemes; `ONE` is a service that does not keep them apart."""

    edge: Edge
    port: int
    authority: Authority

    def get(self, scheme: str, host: str, path: str) -> Response:
        if scheme == "http":
            return self.edge.get(path, ("Host", host))
        context = self.authority.client_context()
        with Client(("127.0.0.1", self.port), tls=context, server_name=host, host=host) as client:
            return client.get(path)


@pytest.fixture(scope="module")
def both(origin: Origin, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Both]:
    directory: Path = tmp_path_factory.mktemp("schemes")
    authority = Authority(directory / "authority")
    port = free_port()
    pairs = [authority.issue(APART), authority.issue(ONE)]
    overrides: dict[str, object] = {
        "workers": 1,
        "listen": [{"address": f"127.0.0.1:{port}", "tls": True}],
        "certificate": [{"cert": pair.cert, "key": pair.key} for pair in pairs],
        "more_services": [
            {"name": "one", "hosts": [ONE], "origins": [origin.url], "key": {"scheme": False}}
        ],
    }
    with running_edge(origin.url, directory, overrides) as edge:
        yield Both(edge, port, authority)


def to_https(request: Recorded) -> Reply:
    if request.header("x-forwarded-proto") == "http":
        return Reply(status=301, headers=headers(cache_control="max-age=60", location="https:"))
    return cacheable((request.header("x-forwarded-proto") or "not told").encode())


def test_a_redirect_to_https_is_for_http_alone(both: Both, origin: Origin, path: str) -> None:
    origin.serve(path, to_https)
    for _ in range(2):
        assert both.get("http", APART, path).status == 301
        found = both.get("https", APART, path)
        assert (found.status, found.body) == (200, b"https")
    assert origin.count(path) == 2


@pytest.mark.parametrize("first", ["http", "https"])
def test_an_origin_whose_answers_serve_both_is_not_informed(
    both: Both, origin: Origin, path: str, first: str
) -> None:
    origin.serve(path, to_https)
    for scheme in (first, "http", "https"):
        assert both.get(scheme, ONE, path).body == b"not told"
    assert origin.count(path) == 1


@pytest.mark.parametrize("named", ["http", "https"])
@pytest.mark.parametrize("kind", ["url", "prefix"])
def test_a_purge_means_both_schemes(
    both: Both, origin: Origin, path: str, named: str, kind: str
) -> None:
    origin.serve(path, to_https)
    for scheme in ("http", "https"):
        both.get(scheme, APART, path)
    both.edge.purge(**{kind: f"{named}://{APART}{path}"})
    for scheme in ("http", "https"):
        assert not both.get(scheme, APART, path).hit


def test_an_unsafe_request_empties_both(both: Both, origin: Origin, path: str) -> None:
    origin.serve(path, to_https)
    both.get("https", APART, path)
    both.edge.exchange("POST", path, ("Host", APART))  # answered 301, which is no error
    assert not both.get("https", APART, path).hit
