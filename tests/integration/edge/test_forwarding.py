"""The fields that an intermediary adds and removes (RFC 9110 section 7.6)."""

from __future__ import annotations

import re

import pytest

from tests.harness.edge import NODE_ID, Edge
from tests.harness.origin import Origin
from tests.harness.replies import Reply, cacheable, headers

EDGE: dict[str, object] = {"service": {"server_timing": True, "debug": True}}


def test_the_origin_sees_via_and_the_clients_address(edge: Edge, origin: Origin, path: str) -> None:
    origin.serve(path, Reply())
    edge.get(path)
    request = origin.asked(path)[-1]
    assert request.header("via") == f"1.1 {NODE_ID}"
    assert request.header("x-forwarded-for") == "127.0.0.1"
    assert request.header("x-forwarded-proto") == "http"


def test_the_client_sees_via(edge: Edge, origin: Origin, path: str) -> None:
    origin.serve(path, cacheable(b"x"))
    assert edge.get(path).header("via") == f"1.1 {NODE_ID}"
    assert edge.get(path).header("via") == f"1.1 {NODE_ID}"


def test_an_earlier_via_stays_in_front(edge: Edge, origin: Origin, path: str) -> None:
    origin.serve(path, Reply())
    edge.get(path, ("Via", "1.0 before"))
    assert origin.asked(path)[-1].header("via") == f"1.0 before, 1.1 {NODE_ID}"


def test_a_request_that_went_round_in_a_loop_is_refused(
    edge: Edge, origin: Origin, path: str
) -> None:
    origin.serve(path, Reply())
    via = f"1.0 before, 1.1 {NODE_ID} (a comment), 1.1 behind"
    assert edge.get(path, ("Via", via)).status == 508


def test_the_origin_sees_the_clients_host(edge: Edge, origin: Origin, path: str) -> None:
    origin.serve(path, Reply())
    edge.get(path, ("Host", "www.example.org"))
    assert origin.asked(path)[-1].header("host") == "www.example.org"


@pytest.mark.parametrize(
    "name", ["Keep-Alive", "Proxy-Connection", "TE", "Upgrade", "Proxy-Authorization"]
)
def test_a_hop_by_hop_field_of_the_request_stays_here(
    edge: Edge, origin: Origin, path: str, name: str
) -> None:
    origin.serve(path, Reply())
    edge.get(path, (name, "trailers"))
    assert origin.asked(path)[-1].header(name) is None


def test_a_field_named_by_connection_stays_here(edge: Edge, origin: Origin, path: str) -> None:
    origin.serve(path, Reply())
    edge.get(path, ("Connection", "x-secret"), ("X-Secret", "1"))
    assert origin.asked(path)[-1].header("x-secret") is None


def test_connection_cannot_name_away_what_guards_the_origin(
    edge: Edge, origin: Origin, path: str
) -> None:
    origin.serve(path, Reply())
    edge.get(path, ("Connection", "x-forwarded-for, via"))
    request = origin.asked(path)[-1]
    assert (request.header("x-forwarded-for"), request.header("via")) == (
        "127.0.0.1",
        f"1.1 {NODE_ID}",
    )


@pytest.mark.parametrize("stored", [True, False])
def test_hop_by_hop_fields_of_the_response_stay_behind(
    edge: Edge, origin: Origin, path: str, stored: bool
) -> None:
    fields = (("Keep-Alive", "timeout=5"), ("Connection", "X-Private"), ("X-Private", "1"))
    control = headers(cache_control="max-age=60" if stored else "no-store")
    origin.serve(path, Reply(headers=(*control, *fields), body=b"x"))
    for found in (edge.get(path), edge.get(path)):
        assert (found.header("keep-alive"), found.header("x-private")) == (None, None)


def test_end_to_end_fields_pass_in_both_directions(edge: Edge, origin: Origin, path: str) -> None:
    origin.serve(path, cacheable(b"x", content_type="text/x", x_own="1"))
    found = edge.get(path, ("X-Asked", "2"), ("Cache-Control", "no-store"))
    assert (found.header("content-type"), found.header("x-own")) == ("text/x", "1")
    assert origin.asked(path)[-1].header("x-asked") == "2"


def test_several_lines_of_one_field_stay_several(edge: Edge, origin: Origin, path: str) -> None:
    cookies = (("Set-Cookie", "a=1; Expires=Wed, 21 Oct 2026 07:28:00 GMT"), ("Set-Cookie", "b=2"))
    origin.serve(path, Reply(headers=cookies, body=b"x"))
    found = edge.get(path)
    assert [value for name, value in found.headers if name == "set-cookie"] == [
        value for _, value in cookies
    ]


def test_a_missing_date_is_added(edge: Edge, origin: Origin, path: str) -> None:
    origin.serve(path, cacheable(b"x"))
    date = edge.get(path).header("date")
    assert date is not None
    assert re.fullmatch(r"\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT", date)


def test_the_origins_date_is_kept(edge: Edge, origin: Origin, path: str) -> None:
    origin.serve(path, Reply(headers=headers(date="Sun, 06 Nov 1994 08:49:37 GMT"), body=b"x"))
    assert edge.get(path).header("date") == "Sun, 06 Nov 1994 08:49:37 GMT"


def test_server_timing_is_added_where_the_service_asks_for_it(
    edge: Edge, origin: Origin, path: str
) -> None:
    origin.serve(path, cacheable(b"x"))
    assert edge.get(path).header("server-timing")


def test_debug_shows_the_cache_key(edge: Edge, origin: Origin, path: str) -> None:
    origin.serve(path, cacheable(b"x"))
    assert path in str(edge.get(path).cache.get("key"))


def test_only_the_chosen_origin_prefix_is_reachable(edge: Edge, origin: Origin, path: str) -> None:
    origin.serve(path, Reply(body=b"x"))
    edge.get(path + "?a=1&b=%20")
    assert origin.asked(path)[-1].target == path + "?a=1&b=%20"


def test_via_says_the_version_that_was_received(edge: Edge, origin: Origin, path: str) -> None:
    raw = b"HTTP/1.0 200 OK\r\nCache-Control: max-age=60\r\nContent-Length: 1\r\n\r\nx"
    origin.serve(path, Reply(raw=raw))
    with edge.client() as client:
        client.send(f"GET {path} HTTP/1.0\r\nHost: example.test\r\n\r\n".encode())
        assert client.response().header("via") == f"1.0 {NODE_ID}"
    assert origin.asked(path)[-1].header("via") == f"1.0 {NODE_ID}"
    found = edge.get(path)
    assert (found.hit, found.header("via")) == (True, f"1.0 {NODE_ID}")
