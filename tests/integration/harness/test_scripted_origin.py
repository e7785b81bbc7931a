"""The scripted origin misbehaves exactly as told, as the harness's own client sees it."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from tests.harness.bodies import Body
from tests.harness.origin import Origin
from tests.harness.replies import Drip, End, Gate, Pause, Reply, cacheable
from tests.harness.wire import Client, ConnectionEnded, WireError

BODY = Body(1, 200_000)


@pytest.fixture(scope="module")
def origin() -> Iterator[Origin]:
    with Origin() as running:
        yield running


@pytest.fixture
def client(origin: Origin) -> Iterator[Client]:
    with Client(("127.0.0.1", origin.port)) as connection:
        yield connection


def test_an_honest_reply_arrives_whole(origin: Origin, client: Client) -> None:
    origin.serve("/honest", cacheable(BODY))
    assert client.get("/honest").body == BODY.read()


def test_chunks_and_trailers_arrive(origin: Origin, client: Client) -> None:
    origin.serve("/chunks", Reply(body=BODY, framing="chunked", trailers=(("X-Sum", "1"),)))
    found = client.get("/chunks")
    assert (found.body == BODY.read(), found.trailers) == (True, [("x-sum", "1")])


def test_a_range_is_answered_with_its_bytes(origin: Origin, client: Client) -> None:
    origin.serve("/range", cacheable(BODY))
    found = client.get("/range", ("Range", "bytes=100-299"))
    assert (found.status, found.header("content-range")) == (206, "bytes 100-299/200000")
    assert found.body == BODY.read(100, 300)


def test_a_range_past_the_end_is_416(origin: Origin, client: Client) -> None:
    origin.serve("/range", cacheable(BODY))
    assert client.get("/range", ("Range", "bytes=200000-")).status == 416


def test_a_matching_tag_is_304(origin: Origin, client: Client) -> None:
    origin.serve("/tag", cacheable(b"x", etag='"a"'))
    assert client.get("/tag", ("If-None-Match", '"a"')).status == 304


@pytest.mark.parametrize("reset", [True, False])
@pytest.mark.parametrize("where", [0, 1000, 150_000])
def test_a_body_breaks_off_where_the_script_says(
    origin: Origin, client: Client, where: int, reset: bool
) -> None:
    origin.serve("/cut", Reply(body=BODY, end=End(where, reset)))
    found = client.get("/cut")
    assert not found.complete
    # A reset takes along what the kernel had not delivered yet.
    expected = BODY.read(0, len(found.body) if reset else where)
    assert found.body == expected


@pytest.mark.parametrize("reset", [True, False])
def test_a_connection_ends_before_the_head(origin: Origin, client: Client, reset: bool) -> None:
    origin.serve("/none", Reply(end=End("before_head", reset)))
    with pytest.raises(ConnectionEnded) as ended:
        client.get("/none")
    assert ended.value.reset is reset


def test_a_connection_ends_inside_the_head(origin: Origin, client: Client) -> None:
    origin.serve("/half", Reply(end=End("in_head")))
    with pytest.raises(WireError, match="inside a head"):
        client.get("/half")


@pytest.mark.parametrize("fault", ["no_end", "no_crlf", "size"])
def test_chunking_breaks_as_the_script_says(origin: Origin, client: Client, fault: str) -> None:
    origin.serve("/bad", Reply(body=BODY, framing="chunked", bad_chunking=fault))  # type: ignore[arg-type]
    try:
        complete = client.get("/bad").complete
    except WireError:
        complete = False
    assert not complete


def test_a_held_reply_waits_for_its_gate(origin: Origin, client: Client) -> None:
    gate = Gate()
    origin.serve("/held", Reply(body=b"x", hold=gate))
    client.ask("/held")
    origin.wait_for("/held")
    gate.open()
    assert client.response().body == b"x"


def test_a_pause_lets_the_first_part_through(origin: Origin, client: Client) -> None:
    gate = Gate()
    origin.serve("/paused", Reply(body=BODY, pause=Pause(1000, gate)))
    client.ask("/paused")
    client.head()
    assert client.read(1000) == BODY.read(0, 1000)
    gate.open()
    assert client.read(199_000) == BODY.read(1000)


def test_a_drip_takes_its_time(origin: Origin, client: Client) -> None:
    origin.serve("/drip", Reply(body=b"0123456789", drip=Drip(2, 0.01)))
    before = time.monotonic()
    assert client.get("/drip").body == b"0123456789"
    assert time.monotonic() - before >= 0.04


def test_replies_in_a_sequence_come_in_turn_and_the_last_stays(
    origin: Origin, client: Client
) -> None:
    origin.serve("/turns", [Reply(body=b"1"), Reply(body=b"2")])
    assert [client.get("/turns").body for _ in range(3)] == [b"1", b"2", b"2"]


def test_requests_are_recorded_with_their_bodies(origin: Origin, client: Client) -> None:
    origin.serve("/posted", Reply(status=201))
    client.ask("/posted", method="POST", chunks=[b"ab", b"c"])
    client.response("POST")
    request = origin.wait_for("/posted")
    assert (request.method, bytes(request.body), request.complete) == ("POST", b"abc", True)


def test_interim_responses_come_before_the_final_one(origin: Origin, client: Client) -> None:
    origin.serve("/hints", Reply(interim=((103, (("Link", "</a>"),)),), body=b"x"))
    found = client.get("/hints")
    assert [(interim.status, interim.header("link")) for interim in found.interim] == [
        (103, "</a>")
    ]


def test_an_origin_that_refuses_can_listen_again() -> None:
    with Origin() as origin:
        origin.serve("/", Reply(body=b"x"))
        origin.refuse()
        with pytest.raises(ConnectionRefusedError):
            Client(("127.0.0.1", origin.port))
        origin.listen_again()
        with Client(("127.0.0.1", origin.port)) as client:
            assert client.get("/").body == b"x"
