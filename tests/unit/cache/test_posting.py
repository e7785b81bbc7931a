"""Whether the answer to a POST may serve later GETs (RFC 9110 section 9.3.3)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.cache.key import KeyRules
from headrace.cache.posting import decide_post_storing, names_the_target
from headrace.cache.rules import CacheRules
from headrace.cache.storing import Storing
from headrace.http.message import Headers, Request, ResponseHead
from tests.unit.cache.values import DAY_S, NOW, date, fields, request

ON = CacheRules(store_post_answers=True)
PLAIN = KeyRules(scheme=True)


def posted(**named: str | bytes) -> Request:
    """A POST to http://host/a/b?c=1."""
    asked = request(b"POST")
    return replace(asked, path=b"/a/b", query=b"c=1", headers=Headers(fields(**named)))


def good(**named: str | bytes) -> ResponseHead:
    """An answer that may be stored, but for these fields."""
    usual: dict[str, str | bytes] = {
        "content_location": "/a/b?c=1", "cache_control": "max-age=60", **named,
    }  # fmt: skip
    return ResponseHead(200, Headers(fields(**{k: v for k, v in usual.items() if v != "none"})))


def decided(
    answer: ResponseHead,
    asked: Request | None = None,
    rules: CacheRules = ON,
    key_rules: KeyRules = PLAIN,
) -> Storing:
    return decide_post_storing(
        posted() if asked is None else asked, answer, rules, key_rules,
        request_time=NOW, response_time=NOW,
    )  # fmt: skip


def test_it_is_stored_for_as_long_as_it_says() -> None:
    decision = decided(good())
    assert (decision.store, decision.lifetime_s) == (True, 60)


def test_a_service_has_to_allow_it() -> None:
    assert not decided(good(), rules=CacheRules()).store


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (good(content_location="none"), b"content-location"),
        (good(content_location="/a/c"), b"content-location"),
        (good(cache_control="none"), b"no-lifetime"),
        (good(cache_control="public", last_modified=date(-DAY_S)), b"no-lifetime"),
        (good(cache_control="private, max-age=60"), b"private"),
        (good(cache_control="no-store, max-age=60"), b"no-store"),
        (good(set_cookie="a=1"), b"set-cookie"),
        (good(vary="*"), b"vary-star"),
        (good(vary="X-Mine"), b"vary"),
        (good(vary="Accept-Encoding, Origin"), b"vary"),
        (good(content_encoding="gzip", vary="Accept-Encoding"), b"coding"),
        (good(content_range="bytes 0-1/2"), b"coding"),
        (good(cache_control="max-age=0"), b"stale-at-birth"),
    ],
)
def test_it_has_to_be_for_all(answer: ResponseHead, reason: bytes) -> None:
    decision = decided(answer)
    assert (decision.store, decision.reason) == (False, reason)


@pytest.mark.parametrize("status", [201, 202, 203, 204, 206, 301, 303, 304, 400, 404, 500])
def test_only_a_200_is_stored(status: int) -> None:
    assert not decided(replace(good(), status=status)).store


@pytest.mark.parametrize("method", [b"PUT", b"PATCH", b"DELETE", b"GET", b"post"])
def test_only_answers_to_post_are_meant(method: bytes) -> None:
    assert not decided(good(), replace(posted(), method=method)).store


@pytest.mark.parametrize("name", ["authorization", "cookie", "proxy_authorization"])
def test_what_a_known_client_posts_is_its_own(name: str) -> None:
    answer = good(cache_control="public, max-age=60")
    assert decided(answer, posted(**{name: "x"})).reason == b"personal"


@pytest.mark.parametrize(
    "rules", [CacheRules(store_post_answers=True, force_lifetime_s=60.0),
              CacheRules(store_post_answers=True, default_lifetime_s=60.0)],
)  # fmt: skip
def test_a_lifetime_of_the_services_is_not_explicit(rules: CacheRules) -> None:
    assert decided(good(cache_control="none"), rules=rules).reason == b"no-lifetime"


@pytest.mark.parametrize(
    ("changed", "store"),
    [
        ({}, True), ({"host": False}, False), ({"scheme": False}, False),
        ({"query": "drop"}, False), ({"drop": frozenset((b"c",))}, False),
        ({"keep": frozenset((b"d",))}, False), ({"keep": frozenset((b"c",))}, True),
    ],
)  # fmt: skip
def test_no_part_of_the_url_may_be_outside_the_key(changed: dict[str, Any], store: bool) -> None:
    assert decided(good(), key_rules=replace(PLAIN, **changed)).store is store


@pytest.mark.parametrize(
    ("reference", "same"),
    [
        (b"/a/b?c=1", True), (b"http://host/a/b?c=1", True), (b"HTTP://HOST:80/a/b?c=1", True),
        (b"b?c=1", True), (b"?c=1", True), (b"../a/b?c=1", True), (b"//host/a/b?c=1", True),
        (b"/a/b", False), (b"/a/b?", False), (b"/a/b?c=2", False), (b"/a/B?c=1", False),
        (b"https://host/a/b?c=1", False), (b"//other/a/b?c=1", False), (b"", False),
        (b"http://host:81/a/b?c=1", False), (b"/a/b?c=1#x", False), (b"/a/b?c=1 ", False),
        (b"/a\t/b?c=1", False), (b"http://u@host/a/b?c=1", False), (b"/a/%62?c=1", True),
        (b"/a/b?c=1, /a/b?c=1", False), (b"http://[/a/b?c=1", False), (b"\xff", False),
    ],
)  # fmt: skip
def test_the_location_has_to_be_the_very_url(reference: bytes, same: bool) -> None:
    assert names_the_target(reference, posted()) is same


@given(st.binary(max_size=60) | st.text("/ab?c=1:#@[]%.\\", max_size=20).map(str.encode))
def test_no_location_raises(reference: bytes) -> None:
    names_the_target(reference, posted())
