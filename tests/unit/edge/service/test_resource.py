from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headrace.cache.key import KeyRules, cache_key, key_hash, upstream_target
from headrace.config.edge import EDGE
from headrace.config.loader import validate_document
from headrace.edge.service.resource import NoService, Resource, Resources
from headrace.edge.service.services import Services, compile_services
from headrace.http.message import Headers, Request
from headrace.http.parser import BadRequest, RequestHead
from headrace.http.target import is_doubtful, normalise_target


@cache
def services() -> Services:
    document = {
        "cache_dir": "/c",
        "listen": [{"address": "127.0.0.1:1"}],
        "service": [
            {"name": "exact", "hosts": ["a.example"], "origins": ["http://o:1"]},
            {"name": "wild", "hosts": ["*.example"], "origins": ["http://o:2/base"]},
            {
                "name": "deep",
                "hosts": ["*.deep.example"],
                "origins": ["http://o:3"],
                "rule": [
                    {"path": "/live/*.m3u8", "force_lifetime": 1},
                    {"path": "/live/*", "force_lifetime": 9},
                ],
            },
            {
                "name": "keyed",
                "hosts": ["keyed.test"],
                "origins": ["http://o:4"],
                "path_normalisation": "refuse",
                "key": {"host": False, "scheme": True, "drop": ["x"], "sort": True},
            },
        ],
    }
    return compile_services(validate_document(document, EDGE, str, base=Path("/")))


def find(host: bytes, target: bytes = b"/") -> Resource:
    head = RequestHead(b"GET", target, (1, 1), Headers(), host, 0, True, True)
    return Resources(services()).find(head, tls=False)


@pytest.mark.parametrize(
    ("host", "service"),
    [
        (b"a.example", "exact"),
        (b"A.Example:80", "exact"),
        (b"a.example:8080", "exact"),
        (b"b.example", "wild"),
        (b"x.y.example", "wild"),
        (b"x.deep.example", "deep"),
    ],
)
def test_the_most_exact_service_wins(host: bytes, service: str) -> None:
    assert find(host).service.name == service


@pytest.mark.parametrize("host", [b"example", b"other.test"])
def test_a_host_that_no_one_serves_is_misdirected(host: bytes) -> None:
    with pytest.raises(NoService) as raised:
        find(host)
    assert raised.value.status == 421


@pytest.mark.parametrize(
    ("path", "lifetime_s"), [(b"/live/x/a.m3u8", 1.0), (b"/live/a.ts", 9.0), (b"/vod/a", None)]
)
def test_the_first_rule_that_matches_the_path_holds(path: bytes, lifetime_s: float | None) -> None:
    assert find(b"x.deep.example", path).rules.force_lifetime_s == lifetime_s


def test_a_path_cannot_leave_its_rule_by_dots() -> None:
    assert find(b"x.deep.example", b"/live/../vod/a.m3u8").rules.force_lifetime_s is None


def test_a_bad_target_is_a_bad_request() -> None:
    with pytest.raises(BadRequest):
        find(b"a.example", b"/%zz")


def test_only_options_asks_about_the_server_itself() -> None:
    with pytest.raises(BadRequest):
        find(b"a.example", b"*")


@pytest.mark.parametrize(
    ("query", "target"),
    [
        (None, b"/a"),
        (b"b=2&a=1", b"/a?a=1&b=2"),
        (b"b=2&x=1", b"/a?b=2"),
        (b"x=1", b"/a"),
        (b"&&b=2&", b"/a?b=2"),
    ],
)
def test_origins_see_of_the_query_what_the_key_has(query: bytes | None, target: bytes) -> None:
    assert upstream_target(b"/a", query, KeyRules(drop=frozenset((b"x",)))) == target


TARGETS = st.lists(
    st.sampled_from(
        [b"/", b"a", b"..", b"%2e", b"%2E", b"%41", b"%2f", b"%2F", b"?", b"&", b"x=1", b"b=2",
         b";", b"CMCD=1", b"\xc3"]
    ),
    max_size=7,
).map(lambda parts: b"/" + b"".join(parts))  # fmt: skip


ODD = [
    b"*", b"", b"http://a.example/x", b"/.", b"/a/..", b"//", b"/?", b"/?CMCD=1", b"/#b",
    b"/a?\x00",
]  # fmt: skip
ANY_TARGET = st.one_of(
    TARGETS, st.binary(max_size=12).map(lambda text: b"/" + text), st.sampled_from(ODD)
)
HOSTS = st.sampled_from(
    [
        b"a.example", b"A.example:80", b"a.example:443", b"a.example.", b"a..example", b"a b", b"",
        b"x.deep.example", b"keyed.test", b"other.test", b"a.example:8080", b"[::1]", None,
    ]
)  # fmt: skip


@settings(max_examples=500)
@given(HOSTS, ANY_TARGET, st.booleans())
def test_a_site_tells_the_same_key_or_nothing(host: bytes | None, target: bytes, tls: bool) -> None:
    resources = Resources(services())
    site = resources.site(host, tls=tls)
    asked = None if site is None else site.asked(target)
    if site is None or asked is None:
        return
    scheme = b"https" if tls else b"http"
    authority, path, query = normalise_target(target, host, scheme)
    service = services().find(authority)
    assert service is not None
    assert (site.service, site.authority) == (service, authority)
    request = Request(b"GET", target, scheme, authority, path, query, (1, 1), Headers())
    key = cache_key(service.name, request, service.key_rules)
    assert asked == (service.rules_for(path), key_hash(key))
    assert not (service.refuses_dots and is_doubtful(target))
    head = RequestHead(b"GET", target, (1, 1), Headers(), host, 0, True, True)
    found = resources.find(head, tls=tls)
    assert (found.service, found.authority, found.path) == (service, authority, path)
    assert (found.query, found.key, found.key_hash) == (query, key, key_hash(key))
    assert found.rules == service.rules_for(path)


def test_a_usual_target_is_told_by_its_site() -> None:
    for host in (b"a.example", b"x.deep.example", b"keyed.test"):
        site = Resources(services()).site(host, tls=True)
        assert site is not None
        for target in (b"/", b"/live/a.m3u8", b"/a/b?c=d", b"/a?x=1&b=2&x=3"):
            assert site.asked(target) is not None


def test_sites_are_bounded() -> None:
    resources = Resources(services())
    for number in range(2000):
        assert resources.site(b"h%d.example" % number, tls=False) is not None
    assert len(resources._sites) <= 512


@given(TARGETS, TARGETS)
def test_one_key_asks_one_target(one: bytes, other: bytes) -> None:
    try:
        resources = [find(b"a.example", target) for target in (one, other)]
    except BadRequest:
        return
    targets = {resource.upstream_target for resource in resources}
    assert (len({resource.key for resource in resources}) == 1) == (len(targets) == 1)


def test_only_https_is_marked_and_only_where_schemes_are_apart() -> None:
    keys = [
        cache_key("s", Request(b"GET", b"", scheme, b"h", b"/", None, (1, 1), Headers()),
                  KeyRules(scheme=apart))
        for scheme in (b"http", b"https") for apart in (False, True)
    ]  # fmt: skip
    assert keys == [b"s\nh/", b"s\nh/", b"s\nh/", b"s\nh/\nhttps"]


@given(st.binary(max_size=30), st.binary(max_size=30))
def test_any_host_and_target_are_a_resource_or_refused(host: bytes, target: bytes) -> None:
    try:
        resource = find(host, target)
    except BadRequest as error:
        assert error.status in (400, 421)
    else:
        assert resource.path.startswith(b"/")
