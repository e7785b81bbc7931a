"""Which pool a request goes to."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.http.message import Headers, Request
from headrace.upstream.origin_routes import OriginRoute, apply_routes, share_of
from headrace.upstream.pool import PoolState
from headrace.upstream.retry import RetryPolicy
from headrace.upstream.target import Target

from .test_pool import origin, pool


def request(
    path: bytes = b"/a/b.ts",
    query: bytes | None = None,
    headers: list[tuple[bytes, bytes]] | None = None,
) -> Request:
    return Request(
        b"GET", path, b"http", b"vod.example:8080", path, query, (1, 1), Headers(headers or [])
    )


STATES = {name: PoolState(replace(pool(origin("a")), name=name)) for name in ("main", "new", "old")}
RETRIES = {name: RetryPolicy(name) for name in ("default", "fast")}


def target(
    routes: tuple[OriginRoute, ...], asked: Request, key: bytes = b"k", spelled: bytes = b"/a/b.ts"
) -> Target:
    default = Target(STATES["main"], RETRIES["default"], key, spelled, "192.0.2.0/24", "vod")
    return apply_routes(routes, asked, default, STATES.__getitem__, RETRIES)


def pool_name(found: Target) -> str:
    return found.state.pool.name


def test_without_routes_the_default_pool_is_asked_for_the_same_target() -> None:
    found = target((), request(), spelled=b"/a/%62.ts")
    assert found == Target(
        STATES["main"], RETRIES["default"], b"k", b"/a/%62.ts", "192.0.2.0/24", "vod"
    )


def test_a_rewritten_path_does_not_climb_and_keeps_the_query() -> None:
    routes = (OriginRoute("r", path=re.compile(b"/x(.*)"), pool="new", rewrite=rb"/v2/\1"),)
    found = target(routes, request(b"/x../../a", b"q=1"), spelled=b"/x../../a?q=1")
    assert found.request_target == b"/a?q=1"


def test_a_path_that_is_not_rewritten_stays_as_it_was_spelled() -> None:
    found = target((OriginRoute("r", pool="new"),), request(), spelled=b"/a/%62.ts?")
    assert (pool_name(found), found.request_target) == ("new", b"/a/%62.ts?")


def test_the_first_route_with_a_pool_decides() -> None:
    routes = (
        OriginRoute("no", path=re.compile(b"/x.*"), pool="x"),
        OriginRoute(
            "yes", path=re.compile(b"/a/(.*)"), pool="new", rewrite=rb"/v2/\1", retry="fast"
        ),
        OriginRoute("late", pool="late"),
    )
    assert target(routes, request()) == Target(
        STATES["new"], RETRIES["fast"], b"k", b"/v2/b.ts", "192.0.2.0/24", "vod", ("yes",)
    )


def test_conditions_are_all_needed() -> None:
    rule = OriginRoute(
        "r", hosts=(b"*.example",), types=frozenset(("segment",)),
        query=(("profile", re.compile("hd.*")),), headers=((b"x-test", None),), pool="new",
    )  # fmt: skip
    good = request(query=b"profile=hd1", headers=[(b"x-test", b"1")])
    assert pool_name(target((rule,), good)) == "new"
    assert (
        pool_name(target((rule,), request(query=b"profile=sd", headers=[(b"x-test", b"1")])))
        == "main"
    )
    assert pool_name(target((rule,), request(query=b"profile=hd1"))) == "main"
    assert (
        pool_name(target((rule,), request(b"/a.m3u8", b"profile=hd1", [(b"x-test", b"1")])))
        == "main"
    )


@pytest.mark.parametrize(
    ("hosts", "authority", "matches"),
    [
        ((b"[::1]",), b"[::1]:8080", True),
        ((b"[::1]",), b"[::1]", True),
        ((b"a.example",), b"a.example:8080", True),
        ((b"a.example", b"*"), b"b.example", True),
        ((b"a.example",), b"b.example", False),
    ],
)
def test_a_rule_for_hosts_takes_any_port(
    hosts: tuple[bytes, ...], authority: bytes, matches: bool
) -> None:
    asked = Request(b"GET", b"/", b"http", authority, b"/", None, (1, 1), Headers())
    assert OriginRoute("r", hosts=hosts).matches(asked, b"k") is matches


def test_a_rule_may_be_for_media_types() -> None:
    rule = OriginRoute("films", types=frozenset(("video/*", "text/vtt")), pool="new")
    paths = (b"/a.ts", b"/a.mp4", b"/a.vtt", b"/a.ttml", b"/a.m4a", b"/a.mpd", b"/a")
    found = [pool_name(target((rule,), request(path))) for path in paths]
    assert found == ["new", "new", "new", "main", "main", "main", "main"]


def test_a_mirror_goes_along_to_the_rule_that_decides() -> None:
    rules = (
        OriginRoute("watch", path=re.compile(b"(.*)"), mirror="new", rewrite=rb"/s\1"),
        OriginRoute("all", pool="old"),
    )
    found = target(rules, request(query=b"q"), spelled=b"/a/b.ts?q")
    assert (pool_name(found), found.request_target) == ("old", b"/a/b.ts?q")
    assert found.routes == ("watch", "all")
    assert found.mirror == Target(
        STATES["new"], RETRIES["default"], b"k", b"/s/a/b.ts?q", "192.0.2.0/24", "vod"
    )


def test_a_share_is_stable_and_about_as_large_as_it_says() -> None:
    rule = OriginRoute("tenth", share=0.1, pool="new")
    keys = [b"key-%d" % number for number in range(10_000)]
    taken = [key for key in keys if pool_name(target((rule,), request(), key)) == "new"]
    assert 900 < len(taken) < 1100
    more = OriginRoute("tenth", share=0.3, pool="new")
    assert all(pool_name(target((more,), request(), key)) == "new" for key in taken)


@given(st.text(max_size=20), st.binary(max_size=60))
def test_shares_lie_between_none_and_all(name: str, key: bytes) -> None:
    assert 0 <= share_of(name, key) < 1
