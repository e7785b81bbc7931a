"""Answers as a drill's client judges them, and keepalived's configuration beside it."""

from __future__ import annotations

import errno
import hashlib

import pytest

from headrace.lab.drill.client.attempt import Reply, outcome_of, request_bytes
from headrace.lab.drill.records import Body, Outcome
from headrace.lab.drill.vrrp import VIP, configuration

DATA = b"0123456789" * 50
BODY = Body("/probe", len(DATA), hashlib.sha256(DATA).hexdigest())


def answered(data: bytes, *, status: str = "200 OK", length: int = len(DATA)) -> Reply:
    reply = Reply(BODY)
    head = f"HTTP/1.1 {status}\r\nContent-Length: {length}\r\n"
    whole = f"{head}Cache-Status: mid1; hit, oslo2; fwd=miss\r\n\r\n".encode() + data
    for place in range(0, len(whole), 7):
        reply.feed(whole[place : place + 7])
    return reply


def test_the_right_bytes_from_the_nearest_cache() -> None:
    reply = answered(DATA)

    assert reply.complete
    assert reply.outcome() == "ok"
    assert reply.server == "oslo2"


@pytest.mark.parametrize(
    ("reply", "outcome"),
    [
        (answered(DATA[:-1] + b"x"), "wrong"),
        (answered(DATA[:-1]), "short"),
        (answered(DATA, length=len(DATA) + 1), "wrong"),
        (answered(b"sorry", status="503 Service Unavailable", length=5), "status"),
        (answered(b"", status="what"), "status"),
        (Reply(BODY), "reset"),
    ],
)
def test_anything_else(reply: Reply, outcome: Outcome) -> None:
    assert reply.outcome() == outcome


def test_a_head_without_end_is_bounded() -> None:
    reply = Reply(BODY)
    reply.feed(b"HTTP/1.1 200 OK\r\nX: " + b"x" * 20_000)

    assert reply.complete
    assert reply.outcome() == "reset"


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (ConnectionRefusedError(), "refused"),
        (OSError(errno.EHOSTUNREACH, "no route"), "unreachable"),
        (TimeoutError(), "timeout"),
        (ConnectionResetError(), "reset"),
    ],
)
def test_what_errors_mean(error: OSError, outcome: Outcome) -> None:
    assert outcome_of(error) == outcome


def test_a_request_ends_its_connection() -> None:
    assert b"\r\nConnection: close\r\n\r\n" in request_bytes("video.cdn.test", "/probe")


def test_keepalived_gives_the_address_to_the_first_of_two() -> None:
    one, two = configuration("one", 1.0), configuration("two", 0.1)

    assert "priority 120" in one
    assert "priority 100" in two
    assert f"{VIP}/24" in two
    assert "advert_int 0.1\n" in two
