"""Strangers before a store whose requests are signed: they read objects, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.harness.edge import Edge, running_edge
from tests.harness.origin import Origin
from tests.harness.replies import Reply, cacheable

SIGNING = {"access_key": "key", "secret_key": "secret", "signed_query": ["versionId"]}


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Edge, Origin]]:
    """An edge before a bucket; the origin would do whatever it is told."""
    with Origin() as origin:
        origin.serve_under("/", lambda request: Reply(body=request.target.encode()))
        pool = {
            "name": "store",
            "origin": [{"url": origin.url + "/bucket", "signing": SIGNING}],
        }
        service = {"origins": [], "pool": [pool]}
        with running_edge(
            origin.url, tmp_path_factory.mktemp("signing"), {"service": service}
        ) as edge:
            yield edge, origin


REFUSED = [
    ("DELETE", "/a", 405),
    ("PUT", "/a", 405),
    ("POST", "/a", 405),
    ("OPTIONS", "/a", 405),
    ("GET", "/", 403),
    ("GET", "/?list-type=2", 403),
    ("GET", "/a?acl", 403),
    ("HEAD", "/a?policy", 403),
    ("GET", "/a?versionId=1&response-content-type=text/html", 403),
    ("GET", "/%2f", 403),
]


@pytest.mark.parametrize(("method", "target", "status"), REFUSED)
def test_what_is_no_reading_of_an_object_never_reaches_the_store(
    store: tuple[Edge, Origin], method: str, target: str, status: int
) -> None:
    edge, origin = store
    before = len(origin.requests)
    assert edge.exchange(method, target).status == status
    assert len(origin.requests) == before


def test_a_get_with_a_body_never_reaches_the_store(store: tuple[Edge, Origin]) -> None:
    edge, origin = store
    before = len(origin.requests)
    assert edge.exchange("GET", "/a", body=b"x").status == 400
    assert len(origin.requests) == before


@pytest.mark.parametrize(
    "fields",
    [
        (),
        (("Cache-Control", "no-store"),),
        (("If-None-Match", '"x"'),),
        (("Connection", "x-other"), ("X-Other", "1")),
    ],
)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_no_field_of_a_stranger_is_signed_on_any_way_to_the_store(
    store: tuple[Edge, Origin], method: str, fields: tuple[tuple[str, str], ...]
) -> None:
    edge, origin = store
    path = f"/{method}-{len(fields)}-{fields[:1]!r}".translate(str.maketrans(" '\",()", "______"))
    origin.serve("/bucket" + path, cacheable(b"object"))
    found = edge.exchange(
        method, path + "?versionId=7&CMCD=br%3D1", *fields,
        ("X-Amz-Copy-Source", "/bucket/secret"), ("X-Amz-Acl", "public-read"),
        ("X_Amz_Acl", "public-read"), ("Authorization", "mine"), ("Host", "other-bucket.test"),
    )  # fmt: skip
    assert found.status in (200, 206)
    (asked, *_more) = origin.asked("/bucket" + path)
    assert asked.target == f"/bucket{path}?versionId=7"
    assert asked.header("host") == f"127.0.0.1:{origin.port}"
    names = {name.lower() for name, _value in asked.headers}
    assert {name for name in names if "amz" in name} == {"x-amz-date", "x-amz-content-sha256"}
    assert (asked.header("authorization") or "").startswith("AWS4-HMAC-SHA256 ")
