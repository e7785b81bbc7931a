"""What an origin does wrong never becomes a whole response, and is never stored."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.harness.bodies import Body
from tests.harness.edge import Edge
from tests.harness.origin import Origin
from tests.harness.replies import End, Reply, cacheable, headers

BODY = Body(61, 600_000)
NO_STORE = headers(cache_control="no-store")

CUT: dict[str, Reply] = {
    "short": replace(cacheable(BODY), end=End(400_000)),
    "reset": replace(cacheable(BODY), end=End(400_000, reset=True)),
    "reset at the first byte": replace(cacheable(BODY), end=End(0, reset=True)),
    "reset before the last byte": replace(cacheable(BODY), end=End(599_999, reset=True)),
    "cut chunks": replace(cacheable(BODY), framing="chunked", end=End(300_000)),
    "no last chunk": replace(cacheable(BODY), framing="chunked", bad_chunking="no_end"),
    "a bad chunk size": replace(cacheable(BODY), framing="chunked", bad_chunking="size"),
    "a chunk without end": replace(cacheable(BODY), framing="chunked", bad_chunking="no_crlf"),
}


@pytest.mark.parametrize("case", CUT)
@pytest.mark.parametrize("stored", [True, False])
def test_a_cut_body_is_never_whole_for_the_client_and_never_stored(
    edge: Edge, origin: Origin, path: str, case: str, stored: bool
) -> None:
    broken = CUT[case] if stored else replace(CUT[case], headers=NO_STORE)
    origin.serve(path, [broken, cacheable(BODY)])
    found = edge.get(path)
    resumed = stored and found.body == BODY.read()
    assert found.status >= 500 or not found.complete or resumed
    again = edge.get(path)
    assert (again.complete, again.body == BODY.read()) == (True, True)


@pytest.mark.parametrize("stored", [True, False])
def test_a_body_that_is_too_long_ends_where_it_was_to_end(
    edge: Edge, origin: Origin, path: str, stored: bool
) -> None:
    reply = cacheable(BODY) if stored else Reply(headers=NO_STORE, body=BODY)
    origin.serve(path, replace(reply, extra=b"HTTP/1.1 200 OK\r\nX-Smuggled: 1\r\n\r\n"))
    with edge.client() as client:
        for _ in range(3):
            found = client.get(path)
            assert (found.body == BODY.read(), found.header("x-smuggled")) == (True, None)


REFUSED: dict[str, Reply] = {
    "closed before the head": Reply(end=End("before_head")),
    "reset before the head": Reply(end=End("before_head", reset=True)),
    "closed inside the head": Reply(end=End("in_head")),
    "nonsense": Reply(raw=b"nonsense\r\n\r\n"),
    "both framings": Reply(
        raw=b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\nx"
    ),
    "two lengths": Reply(
        raw=b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxy"
    ),
    "a split head": Reply(raw=b"HTTP/1.1 200 OK\r\nX: a\rY: b\r\nContent-Length: 1\r\n\r\nx"),
    "a switch of protocols": Reply(raw=b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\n\r\n"),
}


@pytest.mark.parametrize("case", REFUSED)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_an_unusable_answer_is_502(
    edge: Edge, origin: Origin, path: str, case: str, method: str
) -> None:
    origin.serve(path, REFUSED[case])
    found = edge.exchange(method, path, body=b"x" if method == "POST" else None)
    assert (found.status, found.complete) == (502, True)


def test_a_slow_head_is_waited_for(edge: Edge, origin: Origin, path: str) -> None:
    origin.serve(path, replace(cacheable(b"x"), head_drip_s=0.002))
    assert edge.get(path).body == b"x"


def test_a_kept_connection_that_the_origin_closed_is_replaced(
    edge: Edge, origin: Origin, path: str
) -> None:
    origin.serve(path, replace(Reply(headers=NO_STORE, body=b"x"), close_after=True))
    with edge.client() as client:
        assert [client.get(path).status for _ in range(20)] == [200] * 20


def test_an_origin_that_is_away_is_502_and_its_return_is_noticed(
    edge: Edge, origin: Origin, path: str
) -> None:
    origin.serve(path, cacheable(b"x"))
    origin.refuse()
    status = edge.get(path).status
    origin.listen_again()
    assert status == 502
    assert edge.get(path).status == 200


def test_a_failure_is_counted_by_its_kind(edge: Edge, origin: Origin, path: str) -> None:
    origin.serve(path, Reply(end=End("before_head")))
    before = edge.metric("headrace_origin_errors_total", reason="reset_before_head")
    edge.get(path)
    assert edge.metric("headrace_origin_errors_total", reason="reset_before_head") > before


def test_a_close_delimited_body_is_not_trusted_to_be_whole_after_a_reset(
    edge: Edge, origin: Origin, path: str
) -> None:
    cut = replace(cacheable(BODY), framing="close", end=End(300_000, reset=True))
    origin.serve(path, [cut, cacheable(BODY)])
    assert not edge.get(path).complete
    assert edge.get(path).body == BODY.read()
