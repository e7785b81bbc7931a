"""What an origin is asked with, prepared for many requests: the same bytes, or none at all."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from headrace.cache.slice_requests import WHOLE
from headrace.config.edge import EDGE
from headrace.config.loader import validate_document
from headrace.edge.fill.asked import FillRequest
from headrace.edge.fill.origin_fields import _MOST, origin_fields, prepared_fields
from headrace.edge.service.resource import Resources
from headrace.edge.service.services import Service, compile_services
from headrace.http.message import Field, Headers
from headrace.http.parser import RequestHead
from headrace.http.serializer import request_head
from headrace.upstream.request_fields import PreparedFields, fields_for


def resources(**service: Any) -> Resources:
    document = {
        "cache_dir": "/cache",
        "listen": [{"address": "127.0.0.1:1"}],
        "service": [
            {"name": "s", "hosts": ["*"], "origins": ["http://o", "http://p/prefix"], **service}
        ],
    }
    return Resources(compile_services(validate_document(document, EDGE, str, base=Path("/"))))


SERVICES = [
    resources(),
    resources(forwarded=False),
    resources(key={"unkeyed_fields": ["x-player"]}),
    resources(cache={"languages": ["en", "de"]}),
    resources(key={"host": False}),
]
NAMES = st.sampled_from(
    [
        b"accept-encoding", b"accept-language", b"accept", b"user-agent", b"via", b"cdn-loop",
        b"authorization", b"x-player", b"x-forwarded-for", b"cookie", b"x-other",
    ]
)  # fmt: skip
VALUES = st.sampled_from(
    [b"", b"gzip", b"br, gzip;q=0.5", b"de", b"en, de;q=0.1", b"1.1 a", b"other", b"x" * 300]
)


def asked(
    found: Resources, host: bytes, version: tuple[int, int], fields: list[Field]
) -> FillRequest:
    headers = Headers([(b"host", host), *fields])
    head = RequestHead(b"GET", b"/film?a=1", version, headers, host, 0, True, True)
    resource = found.find(head, tls=False)
    return FillRequest(resource, resource.request(head), "192.0.2.1", b"", WHOLE)


@given(
    st.sampled_from(SERVICES), st.sampled_from([b"h", b"other.test", b".".join([b"x" * 60] * 4)]),
    st.sampled_from([(1, 1), (1, 0)]), st.lists(st.tuples(NAMES, VALUES), max_size=3),
)  # fmt: skip
def test_what_is_prepared_is_what_would_be_made(
    found: Resources, host: bytes, version: tuple[int, int], fields: list[Field]
) -> None:
    wanted = asked(found, host, version, fields)
    plainly = origin_fields(wanted, "edge", "cdn")
    prepared = prepared_fields(wanted, "edge", "cdn")
    assert prepared.fields_of(b"192.0.2.1") == plainly
    assert prepared.credentialed is any(name == b"authorization" for name, _value in plainly)
    for origin in service_of(wanted).pools["default"].origins:
        made = fields_for(origin, b"GET", b"/film?a=1", plainly, 0.0)
        path = origin.endpoint.prefix + b"/film?a=1"
        assert prepared.head_for(origin, b"/film?a=1", 0.0, b"192.0.2.1") == request_head(
            b"GET", path, made
        )


def service_of(wanted: FillRequest) -> Service:
    return wanted.resource.service


def prepared_with(found: Resources, *fields: Field, host: bytes = b"h") -> PreparedFields:
    return prepared_fields(asked(found, host, (1, 1), list(fields)), "edge", "cdn")


def test_the_same_is_prepared_once() -> None:
    found = resources()
    first = prepared_with(found, (b"accept-encoding", b"gzip"), (b"x-other", b"1"))
    assert prepared_with(found, (b"accept-encoding", b"gzip"), (b"x-other", b"2")) is first
    assert prepared_with(found, (b"accept-encoding", b"br")) is not first


def test_what_clients_choose_fills_no_memory() -> None:
    found = resources()
    service = service_of(asked(found, b"h", (1, 1), []))
    for number in range(3 * _MOST):
        prepared_with(found, host=b"h%d" % number)
        assert len(service.prepared) <= _MOST
    before = len(service.prepared)
    prepared_with(found, (b"accept-encoding", b"x" * 300))
    prepared_with(found, (b"accept-encoding", b"x" * 100), (b"accept-language", b"y" * 200))
    prepared_with(found, (b"via", b"1.1 a"))
    prepared_with(found, (b"authorization", b"secret"))
    assert len(service.prepared) == before
