"""Client connections as RFC 9112 section 9 has them: kept, shared by pipelined requests, closed."""

from __future__ import annotations

import pytest

from tests.harness.bodies import Body
from tests.harness.edge import Edge
from tests.harness.origin import Origin
from tests.harness.replies import Reply, cacheable

BODY = Body(11, 100_000)


def test_a_connection_serves_many_requests(edge: Edge, origin: Origin, path: str) -> None:
    origin.serve(path, cacheable(BODY))
    with edge.client() as client:
        assert [client.get(path).body == BODY.read() for _ in range(5)] == [True] * 5


def test_a_client_that_says_close_is_closed(edge: Edge, origin: Origin, path: str) -> None:
    origin.serve(path, cacheable(b"x"))
    with edge.client() as client:
        found = client.get(path, ("Connection", "close"))
        assert (found.header("connection"), client.ended()) == ("close", True)


def test_an_old_client_is_closed_after_its_response(edge: Edge, origin: Origin, path: str) -> None:
    origin.serve(path, cacheable(BODY))
    with edge.client() as client:
        client.send(f"GET {path} HTTP/1.0\r\nHost: example.test\r\n\r\n".encode())
        found = client.response()
        assert (found.body == BODY.read(), client.ended()) == (True, True)


def test_an_old_client_may_ask_to_be_kept(edge: Edge, origin: Origin, path: str) -> None:
    origin.serve(path, cacheable(b"x"))
    ask = f"GET {path} HTTP/1.0\r\nHost: example.test\r\nConnection: keep-alive\r\n\r\n".encode()
    with edge.client() as client:
        client.send(ask)
        assert client.response().header("connection") == "keep-alive"
        client.send(ask)
        assert client.response().body == b"x"


def test_an_old_client_never_gets_chunks(edge: Edge, origin: Origin, path: str) -> None:
    origin.serve(path, Reply(body=BODY, framing="chunked"))
    with edge.client() as client:
        client.send(f"GET {path} HTTP/1.0\r\nHost: example.test\r\n\r\n".encode())
        found = client.response()
        assert (found.chunked, found.body == BODY.read()) == (False, True)


def test_an_old_client_without_host_is_served(edge: Edge, origin: Origin, path: str) -> None:
    origin.serve(path, cacheable(b"x"))
    with edge.client() as client:
        client.send(f"GET {path} HTTP/1.0\r\n\r\n".encode())
        assert client.response().status == 200


@pytest.mark.parametrize("stored", [True, False])
def test_pipelined_requests_are_answered_in_order(
    edge: Edge, origin: Origin, path: str, stored: bool
) -> None:
    bodies = [Body(seed, 50_000) for seed in range(6)]
    for number, body in enumerate(bodies):
        origin.serve(f"{path}/{number}", cacheable(body) if stored else Reply(body=body))
    with edge.client() as client:
        client.send(
            b"".join(
                f"GET {path}/{number} HTTP/1.1\r\nHost: example.test\r\n\r\n".encode()
                for number in range(6)
            )
        )
        assert [client.response().body for _ in bodies] == [body.read() for body in bodies]


def test_a_request_in_single_bytes_is_understood(edge: Edge, origin: Origin, path: str) -> None:
    origin.serve(path, cacheable(b"x"))
    with edge.client() as client:
        for byte in f"GET {path} HTTP/1.1\r\nHost: example.test\r\n\r\n".encode():
            client.send(bytes([byte]))
        assert client.response().body == b"x"


def test_a_client_that_shuts_its_sending_side_is_still_answered(
    edge: Edge, origin: Origin, path: str
) -> None:
    origin.serve(path, Reply(body=BODY))
    with edge.client() as client:
        client.ask(path)
        client.shut_down_sending()
        assert client.response().body == BODY.read()


@pytest.mark.parametrize("stored", [True, False])
def test_head_has_the_fields_of_get_and_no_body(
    edge: Edge, origin: Origin, path: str, stored: bool
) -> None:
    origin.serve(path, cacheable(BODY, content_type="video/mp4") if stored else Reply(body=BODY))
    if stored:
        edge.get(path)
    with edge.client() as client:
        found = client.exchange("HEAD", path)
        assert (found.status, found.header("content-length")) == (200, "100000")
        assert client.get(path).body == BODY.read()


def test_head_is_answered_from_a_stored_get(edge: Edge, origin: Origin, path: str) -> None:
    origin.serve(path, cacheable(BODY))
    edge.get(path)
    assert edge.exchange("HEAD", path).hit
    assert origin.count(path) == 1


def test_options_is_passed_to_the_origin(edge: Edge, origin: Origin, path: str) -> None:
    origin.serve(path, Reply(status=204, headers=(("Allow", "GET, OPTIONS"),)))
    found = edge.exchange("OPTIONS", path)
    assert (found.status, found.header("allow")) == (204, "GET, OPTIONS")


def test_options_for_the_server_as_a_whole_is_answered(edge: Edge) -> None:
    with edge.client() as client:
        client.send(b"OPTIONS * HTTP/1.1\r\nHost: example.test\r\n\r\n")
        assert client.response().status < 500


def test_a_request_to_upgrade_is_answered_as_if_it_had_not_asked(
    edge: Edge, origin: Origin, path: str
) -> None:
    origin.serve(path, cacheable(b"x"))
    found = edge.get(path, ("Connection", "upgrade"), ("Upgrade", "websocket"))
    assert found.status == 200
