"""Which parts of a request tell one object from another: queries by rule, never CMCD."""

from __future__ import annotations

import pytest

from tests.harness.edge import Edge
from tests.harness.origin import Origin
from tests.harness.replies import Recorded, Reply, cacheable

EDGE: dict[str, object] = {"service": {"key": {"drop": ["utm_source"]}}}


def echo(request: Recorded) -> Reply:
    return cacheable(request.target.encode())


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("?a=1&b=2", "?b=2&a=1"),
        ("?a=1", "?a=1&utm_source=mail"),
        ("?a=1", "?utm_source=mail&a=1"),
        ("?a=1", "?a=1&CMCD=br%3D3200%2Cbs"),
        ("", "?CMCD=br%3D3200"),
        ("", "?utm_source=mail"),
    ],
)
def test_queries_that_mean_the_same_share_a_response(
    edge: Edge, origin: Origin, path: str, one: str, other: str
) -> None:
    origin.serve(path, echo)
    edge.get(path + one)
    assert edge.get(path + other).hit
    assert origin.count(path) == 1


@pytest.mark.parametrize(
    ("one", "other"), [("?a=1", "?a=2"), ("?a=1", ""), ("?a", "?b"), ("?a=1&a=2", "?a=2&a=1")]
)
def test_queries_that_differ_are_kept_apart(
    edge: Edge, origin: Origin, path: str, one: str, other: str
) -> None:
    origin.serve(path, echo)
    assert edge.get(path + one).body != edge.get(path + other).body


def test_client_data_in_fields_does_not_split_the_cache(
    edge: Edge, origin: Origin, path: str
) -> None:
    origin.serve(path, echo)
    edge.get(path, ("CMCD-Request", "bl=1000"), ("CMCD-Session", 'sid="a"'))
    assert edge.get(path, ("CMCD-Request", "bl=2000"), ("CMCD-Session", 'sid="b"')).hit


def test_the_origin_is_asked_without_client_data(edge: Edge, origin: Origin, path: str) -> None:
    origin.serve(path, echo)
    edge.get(path + "?a=1&CMCD=br%3D3200", ("CMCD-Request", "bl=1000"))
    request = origin.asked(path)[-1]
    assert "CMCD" not in request.target
    assert request.header("cmcd-request") is None
