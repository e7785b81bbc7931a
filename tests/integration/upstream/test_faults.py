"""Each way in which an origin can fail has its own name, and never passes for an answer."""

from __future__ import annotations

import pytest

from headrace.upstream.client import OriginTimeouts
from headrace.upstream.errors import Failure, OriginError
from tests.harness.bodies import Body
from tests.harness.origin import Origin
from tests.harness.replies import Drip, End, Gate, Pause, Reply
from tests.integration.upstream.asking import PATIENT, QUICK, asking

BODY = Body(1, 300_000)


def failure(
    origin: Origin, path: str, reply: Reply, timeouts: OriginTimeouts = PATIENT
) -> OriginError:
    """What the client makes of this reply."""
    origin.serve(path, reply)
    with pytest.raises(OriginError) as caught:
        asking(origin, lambda asker: asker.get(path), timeouts=timeouts)
    return caught.value


@pytest.mark.parametrize("reset", [True, False])
@pytest.mark.parametrize("where", ["before_head", "in_head"])
def test_a_connection_lost_before_the_whole_head_is_a_reset_head(
    origin: Origin, path: str, where: str, reset: bool
) -> None:
    reply = Reply(end=End(where, reset))  # type: ignore[arg-type]
    assert failure(origin, path, reply).failure is Failure.HEAD_RESET


@pytest.mark.parametrize("where", [0, 1, 100_000, 299_999])
def test_a_reset_inside_the_body_is_a_reset_body(origin: Origin, path: str, where: int) -> None:
    reply = Reply(body=BODY, end=End(where, reset=True))
    assert failure(origin, path, reply).failure is Failure.BODY_RESET


@pytest.mark.parametrize("framing", ["length", "chunked"])
@pytest.mark.parametrize("where", [0, 1, 100_000, 299_999])
def test_a_close_inside_the_body_is_a_short_body(
    origin: Origin, path: str, where: int, framing: str
) -> None:
    reply = Reply(body=BODY, framing=framing, end=End(where))  # type: ignore[arg-type]
    assert failure(origin, path, reply).failure is Failure.BODY_SHORT


def test_a_chunked_body_without_its_last_chunk_is_short(origin: Origin, path: str) -> None:
    reply = Reply(body=BODY, framing="chunked", bad_chunking="no_end")
    assert failure(origin, path, reply).failure is Failure.BODY_SHORT


@pytest.mark.parametrize("fault", ["size", "no_crlf"])
def test_malformed_chunks_are_named_so(origin: Origin, path: str, fault: str) -> None:
    reply = Reply(body=BODY, framing="chunked", bad_chunking=fault)  # type: ignore[arg-type]
    assert failure(origin, path, reply).failure is Failure.BAD_CHUNKS


def test_a_head_that_does_not_come_in_time_is_a_timeout(origin: Origin, path: str) -> None:
    gate = Gate()
    found = failure(origin, path, Reply(hold=gate), QUICK)
    gate.open()
    assert (found.failure, found.status) == (Failure.HEAD_TIMEOUT, 504)


def test_a_body_that_stalls_is_a_timeout(origin: Origin, path: str) -> None:
    gate = Gate()
    found = failure(origin, path, Reply(body=BODY, pause=Pause(1000, gate)), QUICK)
    gate.open()
    assert (found.failure, found.status) == (Failure.BODY_TIMEOUT, 504)


def test_a_refused_connection_is_named_so(path: str) -> None:
    with Origin() as away:
        away.refuse()
        assert failure(away, path, Reply()).failure is Failure.CONNECT_REFUSED


@pytest.mark.parametrize(
    "raw",
    [
        b"SMTP ready\r\n\r\n",
        b"HTTP/2 200 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nx",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\nx",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\nx",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nx",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n folded: x\r\n\r\nx",
        b"HTTP/1.1 200 OK\r\nX: a\0b\r\nContent-Length: 1\r\n\r\nx",
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
    ],
)
def test_a_malformed_head_is_refused(origin: Origin, path: str, raw: bytes) -> None:
    assert failure(origin, path, Reply(raw=raw)).failure is Failure.BAD_HEAD


def test_a_head_without_end_is_refused(origin: Origin, path: str) -> None:
    raw = b"HTTP/1.1 200 OK\r\n" + b"X-Filler: " + b"x" * 400_000 + b"\r\n\r\n"
    assert failure(origin, path, Reply(raw=raw)).failure is Failure.BAD_HEAD


def test_interim_responses_without_end_are_refused(origin: Origin, path: str) -> None:
    raw = b"HTTP/1.1 103 Early Hints\r\n\r\n" * 100
    assert failure(origin, path, Reply(raw=raw)).failure is Failure.BAD_HEAD


def test_a_slow_but_steady_body_is_no_failure(origin: Origin, path: str) -> None:
    origin.serve(path, Reply(body=b"0123456789", drip=Drip(1, 0.05)))
    found = asking(origin, lambda asker: asker.get(path), timeouts=QUICK)
    assert found.body == b"0123456789"
