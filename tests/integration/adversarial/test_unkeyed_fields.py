"""A stranger adds fields to a request, and wants the origin's answer to them to be everybody's."""

from __future__ import annotations

import pytest

from tests.harness.edge import Edge
from tests.harness.origin import Origin
from tests.harness.replies import Recorded, Reply, cacheable, headers

EDGE: dict[str, object] = {
    "workers": 1,
    "service": {
        "key": {"request_fields": ["X-Device"], "unkeyed_fields": ["X-Trace"]},
        "rule": [{"path": "/*swr", "stale_while_revalidate": "1h"}],
    },
}
OWN = {"host", "user-agent", "accept", "accept-encoding", "x-forwarded-for", "x-forwarded-proto",
       "x-forwarded-host", "via", "cdn-loop"}  # fmt: skip
EVIL = (
    ("X_Forwarded_Host", "evil"), ("X-Forwarded_Host", "evil"), ("X-HTTP-Host-Override", "evil"),
    ("X-Forwarded-Host", "evil"), ("X-Forwarded-Proto", "evil"), ("X-Forwarded-For", "evil"),
    ("Front-End-Https", "on"), ("Proxy", "evil"), ("X-HTTP-Method-Override", "PUT"),
    ("X-Original-URL", "/evil"), ("Forwarded", "host=evil"), ("X-Invented-Tomorrow", "evil"),
    ("Cookie", "evil=1"), ("User-Agent", "evil"), ("Referer", "evil"), ("Origin", "evil"),
    ("Accept", "text/evil"), ("Save-Data", "evil"), ("CMCD-Request", "evil"),
    ("Sec-CH-UA", '"evil"'), ("Pragma", "evil"), ("X.Forwarded.Host", "evil"),
)  # fmt: skip


def echo(request: Recorded) -> Reply:
    """All that the origin was told, without a word of what it went by."""
    fields = sorted((name.lower(), value) for name, value in request.headers)
    return cacheable("\n".join(f"{name}: {value}" for name, value in fields).encode(), etag='"e"')


def told(request: Recorded) -> set[str]:
    return {name.lower() for name, _value in request.headers}


def test_nothing_a_stranger_adds_is_in_what_others_get(
    edge: Edge, origin: Origin, path: str
) -> None:
    origin.serve(path, echo)
    edge.get(path, *EVIL)
    found = edge.get(path)
    assert found.hit
    assert b"evil" not in found.body
    assert told(origin.asked(path)[0]) == OWN


def test_a_revalidation_asks_no_more_than_a_fill(edge: Edge, origin: Origin, path: str) -> None:
    origin.serve(path, echo)
    edge.get(path)
    edge.get(path, ("Cache-Control", "no-cache"), *EVIL)
    assert told(origin.asked(path)[1]) == OWN | {"if-none-match"}


def test_a_renewal_in_the_background_asks_no_more(edge: Edge, origin: Origin, path: str) -> None:
    path += "swr"
    origin.serve(path, Reply(headers=headers(cache_control="max-age=0", etag='"e"'), body=b"x"))
    edge.get(path)
    edge.get(path, *EVIL)
    assert told(origin.wait_for(path, 2)) == OWN | {"if-none-match"}


@pytest.mark.parametrize("more", [EVIL, (("X-Forwarded-For", "evil"),), (("X-Own", "evil"),)])
def test_a_head_does_not_rewrite_what_is_stored(
    edge: Edge, origin: Origin, path: str, more: tuple[tuple[str, str], ...]
) -> None:
    good = cacheable(b"good", etag='"e"', x_note="good")
    evil = cacheable(b"good", etag='"e"', x_note="evil")
    origin.serve(path, [good, evil])
    edge.get(path)
    edge.exchange("HEAD", path, ("Cache-Control", "no-cache"), *more)
    assert origin.count(path) == 2
    found = edge.get(path)
    assert (found.hit, found.header("x-note")) == (True, "good")


def test_a_head_that_says_no_more_than_a_fill_refreshes(
    edge: Edge, origin: Origin, path: str
) -> None:
    origin.serve(path, [cacheable(b"x", etag='"e"', x_note=note) for note in ("old", "new")])
    edge.get(path)
    edge.exchange("HEAD", path, ("Cache-Control", "no-cache"))
    assert edge.get(path).header("x-note") == "new"


def test_a_private_answer_is_made_for_the_clients_own_words(
    edge: Edge, origin: Origin, path: str
) -> None:
    def account(request: Recorded) -> Reply:
        who = request.header("cookie") or "nobody"
        return Reply(headers=headers(cache_control="private"), body=who.encode())

    origin.serve(path, account)
    assert edge.get(path, ("Cookie", "me=1")).body == b"me=1"
    assert edge.get(path, ("Cookie", "me=2")).body == b"me=2"


def by_origin(request: Recorded) -> Reply:
    page = request.header("origin")
    if page is None:
        return cacheable(b"none", vary="Origin")
    return cacheable(page.encode(), vary="Origin", access_control_allow_origin=page)


def test_vary_on_a_field_that_is_not_on_the_list_still_works(
    edge: Edge, origin: Origin, path: str
) -> None:
    origin.serve(path, by_origin)
    for _ in range(2):
        for page in ("https://a.example", "https://b.example"):
            found = edge.get(path, ("Origin", page))
            assert found.header("access-control-allow-origin") == page
        assert edge.get(path).body == b"none"
    assert origin.count(path) == 3


def test_an_origin_that_forgets_its_vary_does_not_mix_up_clients(
    edge: Edge, origin: Origin, path: str
) -> None:
    def forgetful(request: Recorded) -> Reply:
        if request.header("origin") is None:
            return by_origin(request)
        return cacheable((request.header("origin") or "").encode())

    origin.serve(path, forgetful)
    assert edge.get(path, ("Origin", "evil")).body == b"evil"
    assert edge.get(path, ("Origin", "good")).body == b"good"
    assert edge.get(path).body == b"none"


def test_gzip_without_vary_is_not_for_those_who_do_not_take_it(
    edge: Edge, origin: Origin, path: str
) -> None:
    def gzips(request: Recorded) -> Reply:
        if "gzip" in (request.header("accept-encoding") or ""):
            return cacheable(b"zip", content_encoding="gzip")
        return cacheable(b"plain")

    origin.serve(path, gzips)
    assert edge.get(path, ("Accept-Encoding", "gzip")).body == b"zip"
    assert edge.get(path).body == b"plain"


def test_a_field_that_the_service_names_is_sent_and_keyed(
    edge: Edge, origin: Origin, path: str
) -> None:
    origin.serve(path, lambda request: cacheable((request.header("x-device") or "none").encode()))
    for _ in range(2):
        for device in ("tv", "phone"):
            assert edge.get(path, ("X-Device", device)).body == device.encode()
        assert edge.get(path).body == b"none"
    assert origin.count(path) == 3


def test_an_unkeyed_field_is_sent_and_not_keyed(edge: Edge, origin: Origin, path: str) -> None:
    origin.serve(path, cacheable(b"x"))
    edge.get(path, ("X-Trace", "1"))
    assert origin.asked(path)[0].header("x-trace") == "1"
    assert edge.get(path, ("X-Trace", "2")).hit


@pytest.mark.parametrize("name", ["X_Own", "X.Own", "Content_Length", "X-Original-URL", "Proxy"])
def test_what_gateways_misread_reaches_no_origin(
    edge: Edge, origin: Origin, path: str, name: str
) -> None:
    origin.serve(path, Reply())
    edge.exchange("POST", path, (name, "1"), ("X-Own", "2"), body=b"x")
    names = told(origin.asked(path)[0])
    assert name.lower() not in names
    assert "x-own" in names
