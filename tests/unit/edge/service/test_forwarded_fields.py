from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.cache.presented_fields import NEGOTIATED, OVERRIDES
from headrace.cache.vary import variant_text, with_keyed
from headrace.config.edge import EDGE
from headrace.config.loader import validate_document
from headrace.edge.service.forwarded_fields import (
    asks_the_same,
    in_loop,
    nominates,
    passed_request_fields,
    passed_response_fields,
    shared_request_fields,
)
from headrace.edge.service.services import Service, compile_services
from headrace.http.message import Field, Headers, Request


@cache
def service(**more: object) -> Service:
    keyed = {name: list(value) for name, value in more.items() if isinstance(value, tuple)}
    document = {
        "cache_dir": "/c",
        "listen": [{"address": "127.0.0.1:1"}],
        "service": [
            {
                "name": "s", "hosts": ["a.example", "*.example"], "origins": ["http://o:1"],
                "key": {**keyed, **{n: v for n, v in more.items() if isinstance(v, bool)}},
            }
        ],
    }  # fmt: skip
    return compile_services(validate_document(document, EDGE, str, base=Path("/"))).all[0]


def request_with(*fields: Field, scheme: bytes = b"https") -> Request:
    return Request(b"GET", b"/", scheme, b"a.example", b"/", None, (1, 1), Headers(fields))


def passed(*fields: Field) -> dict[bytes, bytes]:
    return dict(passed_request_fields(service(), request_with(*fields), "192.0.2.7", "headrace"))


def shared(
    *fields: Field,
    vary: tuple[bytes, ...] = (),
    of: Service | None = None,
    scheme: bytes = b"https",
) -> list[Field]:
    of = of or service()
    asked = request_with(*fields, scheme=scheme)
    variant = variant_text(with_keyed(vary, of.keyed_fields), asked.headers, of.rules)
    return shared_request_fields(of, of.rules, asked, variant, "192.0.2.7", "headrace")


ALWAYS = {
    b"host": b"a.example",
    b"user-agent": b"headrace",
    b"accept": b"*/*",
    b"accept-encoding": b"identity",
    b"x-forwarded-for": b"192.0.2.7",
    b"x-forwarded-proto": b"https",
    b"x-forwarded-host": b"a.example",
    b"via": b"1.1 headrace",
    b"cdn-loop": b"headrace",
}


def test_a_passed_request_tells_the_client_and_the_way() -> None:
    sent = passed((b"x-forwarded-for", b"198.51.100.1"), (b"via", b"1.1 before"))
    assert (sent[b"x-forwarded-for"], sent[b"x-forwarded-proto"], sent[b"via"]) == (
        b"198.51.100.1, 192.0.2.7",
        b"https",
        b"1.1 before, 1.1 headrace",
    )


def test_fields_of_the_hop_stay_here() -> None:
    sent = passed(
        (b"connection", b"x-private"),
        (b"x-private", b"1"),
        (b"te", b"trailers"),
        (b"upgrade", b"h2c"),
        (b"proxy-authorization", b"secret"),
    )
    assert not set(sent) & {b"connection", b"x-private", b"te", b"upgrade", b"proxy-authorization"}


def test_a_passed_request_keeps_condition_range_and_the_clients_own() -> None:
    fields = (
        (b"range", b"bytes=0-1"),
        (b"if-none-match", b"x"),
        (b"x-own", b"1"),
        (b"cookie", b"a"),
    )
    sent = passed(*fields)
    assert all(sent[name] == value for name, value in fields)


@pytest.mark.parametrize(
    "name",
    [
        b"x_own", b"x_forwarded_host", b"x-forwarded_host", b"x.forwarded.host", b"x-own!",
        b"x-original-url", b"x-http-method-override", b"x-http-host-override", b"forwarded",
        b"front-end-https", b"proxy", b"x-forwarded-port", b"x-forwarded-anything",
    ],
)  # fmt: skip
def test_what_overrides_or_folds_passes_nowhere(name: bytes) -> None:
    assert name not in passed((name, b"1"))
    assert dict(shared((name, b"1"), vary=(name,))) == ALWAYS


def test_what_the_operator_names_passes() -> None:
    of = service(unkeyed_fields=("X-HTTP-Method-Override",))
    asked = request_with((b"x-http-method-override", b"PUT"))
    sent = dict(passed_request_fields(of, asked, "192.0.2.7", "headrace"))
    assert sent[b"x-http-method-override"] == b"PUT"


NAMES = st.one_of(
    st.sampled_from(sorted(OVERRIDES)),
    st.sampled_from([b"cookie", b"user-agent", b"accept", b"accept-language", b"origin", b"referer",
                     b"cmcd-request", b"range", b"if-none-match", b"cache-control", b"x-own"]),
    st.from_regex(rb"\A[a-z][a-z_.-]{0,12}\Z"),
)  # fmt: skip
FIELDS = st.lists(st.tuples(NAMES, st.sampled_from([b"", b"a", b"b, c", b"de,en;q=0.5"])))


@given(FIELDS)
def test_no_field_of_a_client_shapes_what_all_get(fields: list[Field]) -> None:
    own = {b"authorization", b"via", b"cdn-loop", *NEGOTIATED}
    assert dict(shared(*(field for field in fields if field[0] not in own))) == ALWAYS


@given(FIELDS, FIELDS, st.sets(NAMES, max_size=3))
def test_the_same_variant_asks_in_the_same_words(
    one: list[Field], other: list[Field], names: set[bytes]
) -> None:
    own = {b"authorization", b"via", b"cdn-loop", *NEGOTIATED}
    sides = [[field for field in fields if field[0] not in own] for fields in (one, other)]
    vary = tuple(sorted(names - own))
    variants = [variant_text(vary, Headers(fields), service().rules) for fields in sides]
    sent = [shared(*fields, vary=vary) for fields in sides]
    if variants[0] == variants[1]:
        assert sent[0] == sent[1]


def test_a_field_in_the_variant_is_the_one_that_is_sent() -> None:
    sent = shared((b"origin", b"https://p.example"), (b"user-agent", b"x/1"), vary=(b"origin",))
    assert dict(sent) == {**ALWAYS, b"origin": b"https://p.example"}
    sent = shared((b"user-agent", b"Like, Gecko"), vary=(b"user-agent",))
    assert dict(sent)[b"user-agent"] == b"Like, Gecko"


def test_named_fields_are_sent_and_the_keyed_ones_once() -> None:
    of = service(request_fields=("X-Device",), unkeyed_fields=("X-Trace", "User-Agent"))
    sent = shared(
        (b"x-device", b"tv"), (b"x-trace", b"1"), (b"user-agent", b"x"), (b"x-other", b"1"), of=of
    )
    more = {b"x-device": b"tv", b"x-trace": b"1", b"user-agent": b"x"}
    assert dict(sent) == {**ALWAYS, **more}
    assert len(sent) == len(dict(sent))


def test_the_scheme_is_sent_only_where_it_is_in_the_key() -> None:
    summary = [
        dict(shared(of=service(scheme=apart))).get(b"x-forwarded-proto") for apart in (True, False)
    ]
    assert summary == [b"https", None]


def test_where_hosts_are_one_the_origin_sees_one() -> None:
    sent = dict(shared(of=service(host=False)))
    other = Request(b"GET", b"/", b"https", b"evil.example", b"/", None, (1, 1), Headers())
    of = service(host=False)
    again = shared_request_fields(of, of.rules, other, b"", "192.0.2.7", "headrace")
    assert sent == dict(again)


def test_credentials_reach_the_origin() -> None:
    assert dict(shared((b"authorization", b"Basic x")))[b"authorization"] == b"Basic x"


@pytest.mark.parametrize(
    ("fields", "same"),
    [
        ([], True),
        ([(b"accept", b"*/*"), (b"accept-encoding", b"gzip, br")], True),
        ([(b"range", b"bytes=0-1"), (b"cache-control", b"no-cache")], True),
        ([(b"authorization", b"x"), (b"cmcd-request", b"x"), (b"x_own", b"x")], True),
        ([(b"cookie", b"a=1")], False),
        ([(b"accept", b"text/html")], False),
        ([(b"user-agent", b"x")], False),
        ([(b"x-own", b"x")], False),
        ([(b"x-forwarded-for", b"x")], False),
    ],
)
def test_whoever_says_more_is_kept_apart(fields: list[Field], same: bool) -> None:
    assert asks_the_same(service(), request_with(*fields), b"") is same


def test_what_is_in_the_variant_is_not_more() -> None:
    asked = request_with((b"cookie", b"a=1"), (b"accept-language", b"DE , en"))
    variant = variant_text((b"accept-language", b"cookie"), asked.headers, service().rules)
    assert asks_the_same(service(), asked, variant)


def test_only_hops_are_kept_of_via() -> None:
    sent = shared((b"via", b"1.1 a, <script>, HTTP/1.0 b:80, 1.1 c (words)"))
    assert dict(sent)[b"via"] == b"1.1 a, HTTP/1.0 b:80, 1.1 headrace"


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


def test_a_passed_response_loses_framing_and_gains_via() -> None:
    headers = Headers([(b"transfer-encoding", b"chunked"), (b"etag", b'"a"'), (b"trailer", b"x")])
    assert passed_response_fields(headers, (1, 0), "edge") == [
        (b"etag", b'"a"'),
        (b"via", b"1.0 edge"),
    ]


def test_a_request_that_has_been_here_before_is_in_a_loop() -> None:
    assert in_loop(Headers([(b"via", b"1.1 edge-1, 1.1 edge-2")]), "edge-1")
    assert not in_loop(Headers([(b"via", b"1.1 edge-2")]), "edge-1")


def test_a_request_without_via_is_in_no_loop() -> None:
    assert not in_loop(Headers([]), "edge-1")


@pytest.mark.parametrize("way", [passed, shared])
def test_no_network_is_left_out_of_cdn_loop(way: Callable[..., object]) -> None:
    fields = [(b"cdn-loop", b'other.example; a="b, headrace"'), (b"connection", b"cdn-loop")]
    sent = dict(cast("list[Field]", way(*fields)))
    assert sent[b"cdn-loop"] == b'other.example; a="b, headrace", headrace'


@pytest.mark.parametrize("way", [passed, shared])
def test_what_a_client_says_of_servers_goes_nowhere(way: Callable[..., object]) -> None:
    assert b"headrace-peer" not in dict(cast("list[Field]", way((b"headrace-peer", b"1 a b"))))


def test_a_request_that_came_through_our_network_too_often_is_in_a_loop() -> None:
    headers = Headers([(b"cdn-loop", b"ours, other, OURS; a=b"), (b"cdn-loop", b"ours")])
    assert not in_loop(headers, "edge-1", "ours", 3)
    assert in_loop(headers, "edge-1", "ours", 2)
    assert in_loop(Headers([(b"cdn-loop", b"edge-1")]), "edge-1")
