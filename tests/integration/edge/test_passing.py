"""What is not cacheable goes through: any method, bodies both ways, without being held back."""

from __future__ import annotations

import pytest

from tests.harness.bodies import Body
from tests.harness.edge import Edge
from tests.harness.origin import Origin
from tests.harness.polling import eventually
from tests.harness.replies import Gate, Pause, Reply, headers

BODY = Body(12, 3_000_000)


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_a_method_passes_with_its_body_and_its_answer(
    edge: Edge, origin: Origin, path: str, method: str
) -> None:
    origin.serve(path, Reply(status=201, body=b"done"))
    found = edge.exchange(method, path, body=b"what I send")
    request = origin.asked(path)[-1]
    assert (found.status, found.body) == (201, b"done")
    assert (request.method, bytes(request.body)) == (method, b"what I send")


def test_a_chunked_upload_arrives_whole(edge: Edge, origin: Origin, path: str) -> None:
    origin.serve(path, Reply(status=200))
    with edge.client() as client:
        client.ask(path, method="POST", chunks=list(BODY.pieces()))
        assert client.response("POST").status == 200
    assert origin.asked(path)[-1].digest.hexdigest() == BODY.sha256()


def test_a_long_upload_arrives_whole(edge: Edge, origin: Origin, path: str) -> None:
    origin.serve(path, Reply(status=200))
    assert edge.exchange("PUT", path, body=BODY.read()).status == 200
    assert origin.asked(path)[-1].digest.hexdigest() == BODY.sha256()


def test_the_first_half_of_an_upload_reaches_the_origin_before_the_second_is_sent(
    edge: Edge, origin: Origin, path: str
) -> None:
    origin.serve(path, Reply(status=200))
    with edge.client() as client:
        head = f"POST {path} HTTP/1.1\r\nHost: example.test\r\nContent-Length: 10\r\n\r\n"
        client.send(head.encode() + b"first")
        request = origin.wait_for(path)
        eventually(lambda: request.received_bytes == 5, "half of the upload is at the origin")
        client.send(b"later")
        assert client.response("POST").status == 200


def test_the_first_half_of_an_answer_reaches_the_client_before_the_second_is_sent(
    edge: Edge, origin: Origin, path: str
) -> None:
    gate = Gate()
    origin.serve(path, Reply(body=BODY, framing="chunked", pause=Pause(65536, gate)))
    with edge.client() as client:
        client.ask(path, method="POST", body=b"")
        found = client.head()
        assert client.read(1000)
        gate.open()
        client.sock.settimeout(10)
        assert found.header("transfer-encoding") == "chunked"


@pytest.mark.parametrize("framing", ["length", "chunked", "close"])
def test_an_uncacheable_answer_arrives_whole_in_every_framing(
    edge: Edge, origin: Origin, path: str, framing: str
) -> None:
    reply = Reply(headers=headers(cache_control="no-store"), body=BODY, framing=framing)  # type: ignore[arg-type]
    origin.serve(path, reply)
    found = edge.get(path)
    assert (found.complete, found.body == BODY.read()) == (True, True)


def test_a_client_that_expects_100_gets_it_before_it_sends(
    edge: Edge, origin: Origin, path: str
) -> None:
    origin.serve(path, Reply(status=200))
    with edge.client() as client:
        client.send(
            f"PUT {path} HTTP/1.1\r\nHost: example.test\r\nContent-Length: 3\r\n"
            "Expect: 100-continue\r\n\r\n".encode()
        )
        assert client.any_head().status == 100
        client.send(b"abc")
        assert client.response("PUT").status == 200
    assert bytes(origin.asked(path)[-1].body) == b"abc"


def test_a_refusal_reaches_a_client_that_waits_for_100(
    edge: Edge, origin: Origin, path: str
) -> None:
    origin.serve(path, Reply(status=403, body=b"no", before_body=True, says_100=False))
    with edge.client() as client:
        client.send(
            f"PUT {path} HTTP/1.1\r\nHost: example.test\r\nContent-Length: 3\r\n"
            "Expect: 100-continue\r\n\r\n".encode()
        )
        found = client.response("PUT")
        assert found.status == 403


def test_an_unknown_expectation_is_417(edge: Edge, origin: Origin, path: str) -> None:
    origin.serve(path, Reply(status=200))
    assert edge.exchange("PUT", path, ("Expect", "the-impossible"), body=b"x").status == 417


def test_early_hints_reach_the_client(edge: Edge, origin: Origin, path: str) -> None:
    hints = (103, (("Link", "</style.css>; rel=preload"),))
    origin.serve(
        path, Reply(headers=headers(cache_control="no-store"), interim=(hints,), body=b"x")
    )
    found = edge.get(path)
    assert [interim.header("link") for interim in found.interim if interim.status == 103] == [
        "</style.css>; rel=preload"
    ]
    assert found.body == b"x"


def test_early_hints_are_kept_from_an_old_client(edge: Edge, origin: Origin, path: str) -> None:
    hints = (103, (("Link", "</style.css>; rel=preload"),))
    origin.serve(path, Reply(interim=(hints,), body=b"x"))
    with edge.client() as client:
        client.send(f"GET {path} HTTP/1.0\r\nHost: example.test\r\n\r\n".encode())
        assert client.any_head().status == 200


def test_an_answer_with_trailers_is_whole_with_or_without_them(
    edge: Edge, origin: Origin, path: str
) -> None:
    reply = Reply(body=BODY, framing="chunked", trailers=(("X-Sum", "abc"),))
    origin.serve(path, reply)
    found = edge.get(path, ("TE", "trailers"))
    assert (found.complete, found.body == BODY.read()) == (True, True)
    assert found.trailers in ([], [("x-sum", "abc")])


def test_a_trailer_never_becomes_a_header_field(edge: Edge, origin: Origin, path: str) -> None:
    origin.serve(path, Reply(body=b"x", framing="chunked", trailers=(("X-Sum", "abc"),)))
    assert edge.get(path).header("x-sum") is None


def test_a_connection_goes_on_after_an_upload(edge: Edge, origin: Origin, path: str) -> None:
    origin.serve(path, Reply(status=200, body=b"x"))
    with edge.client() as client:
        client.ask(path, method="POST", chunks=[b"a", b"b"])
        client.response("POST")
        assert client.get(path).body == b"x"


def test_pipelined_posts_keep_their_bodies_apart(edge: Edge, origin: Origin, path: str) -> None:
    origin.serve(path, lambda request: Reply(body=bytes(request.body)))
    with edge.client() as client:
        for body in (b"one", b"two", b"three"):
            client.ask(path, method="POST", body=body)
        client.response("POST")
        client.response("POST")
        client.response("POST")
    assert [bytes(request.body) for request in origin.asked(path)] == [b"one", b"two", b"three"]
