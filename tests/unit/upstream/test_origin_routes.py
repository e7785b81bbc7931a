"""Which pool a request goes to."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from headrace.http.message import Headers, Request
from headrace.upstream.origin_routes import Chosen, OriginRoute, choose, share_of


def request(
    path: bytes = b"/a/b.ts",
    query: bytes | None = None,
    headers: list[tuple[bytes, bytes]] | None = None,
) -> Request:
    return Request(
        b"GET", path, b"http", b"vod.example:8080", path, query, (1, 1), Headers(headers or [])
    )


def chosen(rules: tuple[OriginRoute, ...], asked: Request, key: bytes = b"k") -> Chosen:
    return choose(rules, asked, key, "main", "default")


def test_without_rules_the_default_pool_is_asked_for_the_same_path() -> None:
    assert chosen((), request()) == Chosen("main", "default", b"/a/b.ts")


def test_a_rewritten_path_does_not_climb() -> None:
    rules = (OriginRoute("r", path=re.compile(b"/x(.*)"), pool="new", rewrite=rb"/v2/\1"),)
    assert chosen(rules, request(b"/x../../a")).path == b"/a"


def test_the_first_rule_with_a_pool_decides() -> None:
    rules = (
        OriginRoute("no", path=re.compile(b"/x.*"), pool="x"),
        OriginRoute(
            "yes", path=re.compile(b"/a/(.*)"), pool="new", rewrite=rb"/v2/\1", retry="fast"
        ),
        OriginRoute("late", pool="late"),
    )
    assert chosen(rules, request()) == Chosen("new", "fast", b"/v2/b.ts", ("yes",))


def test_conditions_are_all_needed() -> None:
    rule = OriginRoute(
        "r", hosts=(b"*.example",), types=frozenset(("segment",)),
        query=(("profile", re.compile("hd.*")),), headers=((b"x-test", None),), pool="new",
    )  # fmt: skip
    good = request(query=b"profile=hd1", headers=[(b"x-test", b"1")])
    assert chosen((rule,), good).pool == "new"
    assert chosen((rule,), request(query=b"profile=sd", headers=[(b"x-test", b"1")])).pool == "main"
    assert chosen((rule,), request(query=b"profile=hd1")).pool == "main"
    assert chosen((rule,), request(b"/a.m3u8", b"profile=hd1", [(b"x-test", b"1")])).pool == "main"


def test_a_rule_may_be_for_media_types() -> None:
    rule = OriginRoute("films", types=frozenset(("video/*", "text/vtt")), pool="new")
    paths = (b"/a.ts", b"/a.mp4", b"/a.vtt", b"/a.ttml", b"/a.m4a", b"/a.mpd", b"/a")
    found = [chosen((rule,), request(path)).pool for path in paths]
    assert found == ["new", "new", "new", "main", "main", "main", "main"]


def test_a_mirror_goes_along_to_the_rule_that_decides() -> None:
    rules = (
        OriginRoute("watch", path=re.compile(b"(.*)"), mirror="new", rewrite=rb"/s\1"),
        OriginRoute("all", pool="old"),
    )
    found = chosen(rules, request())
    assert (found.pool, found.path) == ("old", b"/a/b.ts")
    assert (found.mirror, found.mirror_path) == ("new", b"/s/a/b.ts")


def test_a_share_is_stable_and_about_as_large_as_it_says() -> None:
    rule = OriginRoute("tenth", share=0.1, pool="new")
    keys = [b"key-%d" % number for number in range(10_000)]
    taken = [key for key in keys if chosen((rule,), request(), key).pool == "new"]
    assert 900 < len(taken) < 1100
    more = OriginRoute("tenth", share=0.3, pool="new")
    assert all(chosen((more,), request(), key).pool == "new" for key in taken)


@given(st.text(max_size=20), st.binary(max_size=60))
def test_shares_lie_between_none_and_all(name: str, key: bytes) -> None:
    assert 0 <= share_of(name, key) < 1
