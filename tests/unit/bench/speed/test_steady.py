"""What the bench's own load asks, and which answers it refuses."""

from __future__ import annotations

import pytest
from bench.speed.load import WrongAnswer
from bench.speed.steady import Ask, Outcome, check_head

WHOLE = Ask("segment", "/segment", 2000, 1)
RANGE = Ask("range", "/large", 512, None, start=1000)


def test_a_whole_object_is_asked_for_without_a_range() -> None:
    assert WHOLE.request == b"GET /segment HTTP/1.1\r\nHost: bench\r\n\r\n"


def test_a_range_is_asked_for_from_its_first_to_its_last_byte() -> None:
    assert b"\r\nRange: bytes=1000-1511\r\n\r\n" in RANGE.request


@pytest.mark.parametrize("name", [b"Content-Length", b"content-length", b"CONTENT-LENGTH"])
def test_a_head_of_the_right_status_and_length_passes(name: bytes) -> None:
    check_head(b"HTTP/1.1 200 OK\r\nAge: 3\r\n" + name + b": 2000", WHOLE)


def test_a_range_is_answered_with_206() -> None:
    check_head(b"HTTP/1.1 206 Partial Content\r\nContent-Length: 512", RANGE)


@pytest.mark.parametrize(
    "head",
    [
        b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 2000",
        b"HTTP/1.1 206 Partial Content\r\nContent-Length: 2000",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1999",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked",
        b"HTTP/1.1 200 OK\r\nX-Content-Length: 2000",
    ],
)
def test_any_other_head_is_refused(head: bytes) -> None:
    with pytest.raises(WrongAnswer):
        check_head(head, WHOLE)


def test_rates_and_business_are_shares_of_the_time() -> None:
    outcome = Outcome(seconds=4.0, read_bytes=2000, busy_s=3.0)
    assert (outcome.bytes_per_s, outcome.busy) == (500.0, 0.75)
