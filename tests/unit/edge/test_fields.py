from __future__ import annotations

import pytest

from headrace.edge.fields import (
    forwarded_request_fields,
    in_loop,
    nominates,
    passed_response_fields,
)
from headrace.http.message import Field, Headers, Request
from tests.unit.edge.test_routes import find


def forwarded(*fields: Field, for_cache: bool = True) -> dict[bytes, bytes]:
    site = find(b"a.example").site
    request = Request(b"GET", b"/", b"https", b"a.example", b"/", None, (1, 1), Headers(fields))
    return dict(
        forwarded_request_fields(site, request, "192.0.2.7", "headrace", for_cache=for_cache)
    )


def test_the_origin_learns_the_client_and_the_way() -> None:
    sent = forwarded((b"x-forwarded-for", b"198.51.100.1"), (b"via", b"1.1 before"))
    assert (sent[b"x-forwarded-for"], sent[b"x-forwarded-proto"], sent[b"via"]) == (
        b"198.51.100.1, 192.0.2.7",
        b"https",
        b"1.1 before, 1.1 headrace",
    )


def test_fields_of_the_hop_stay_here() -> None:
    sent = forwarded(
        (b"connection", b"x-private"),
        (b"x-private", b"1"),
        (b"te", b"trailers"),
        (b"upgrade", b"h2c"),
        (b"proxy-authorization", b"secret"),
    )
    assert not set(sent) & {b"connection", b"x-private", b"te", b"upgrade", b"proxy-authorization"}


def test_a_shared_fetch_carries_no_condition_range_or_cmcd() -> None:
    fields: tuple[Field, ...] = (
        (b"range", b"bytes=0-1"),
        (b"if-none-match", b'"a"'),
        (b"cmcd-request", b"x"),
    )
    assert not set(forwarded(*fields)) & {name for name, _value in fields}


def test_a_shared_fetch_lets_no_client_choose_for_all() -> None:
    sent = forwarded(
        (b"x-original-url", b"/admin"), (b"forwarded", b"host=evil"), (b"x-forwarded-host", b"evil")
    )
    assert (b"x-original-url" in sent, b"forwarded" in sent, sent[b"x-forwarded-host"]) == (
        False,
        False,
        b"a.example",
    )


@pytest.mark.parametrize(
    ("fields", "does"),
    [
        ([(b"connection", b"close")], False),
        ([(b"connection", b"upgrade"), (b"upgrade", b"h2c")], False),
        ([(b"connection", b"x-absent")], False),
        ([(b"connection", b"accept-encoding"), (b"accept-encoding", b"gzip")], True),
    ],
)
def test_nominating_end_to_end_fields_is_noticed(fields: list[Field], does: bool) -> None:
    assert nominates(Headers(fields)) is does


def test_a_passed_request_keeps_condition_and_range() -> None:
    sent = forwarded((b"range", b"bytes=0-1"), for_cache=False)
    assert sent[b"range"] == b"bytes=0-1"


def test_a_passed_response_loses_framing_and_gains_via() -> None:
    headers = Headers([(b"transfer-encoding", b"chunked"), (b"etag", b'"a"'), (b"trailer", b"x")])
    assert passed_response_fields(headers, (1, 0), "edge") == [
        (b"etag", b'"a"'),
        (b"via", b"1.0 edge"),
    ]


def test_a_request_that_comes_back_too_often_is_a_loop() -> None:
    via = [(b"via", b", ".join([b"1.1 headrace"] * times)) for times in (1, 8)]
    assert [in_loop(Headers([field]), "headrace") for field in via] == [False, True]
