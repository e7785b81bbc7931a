"""Responses come to the same end however their bytes are cut, and nothing makes them hold more."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from headrace.feedback.observation import Outcome
from headrace.feedback.observe.small_response import SmallResponse

LARGEST = 200
BODY = b"0123456789" * 10
WHOLE = [
    b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n" + BODY,
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n32\r\n%s\r\n32\r\n%s\r\n0\r\n\r\n"
    % (BODY[:50], BODY[50:]),
    b"HTTP/1.1 103 Early\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n" + BODY,
    b"HTTP/1.0 200 OK\r\n\r\n" + BODY,
]
OTHERS = [
    b"HTTP/1.1 302 Found\r\nLocation: /\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: 201\r\n\r\n",
    b"HTTP/1.1 101 Switching\r\n\r\n",
    b"nonsense\r\n\r\n",
]


def fed(data: bytes, cuts: list[int]) -> tuple[Outcome, bytes, int]:
    body = bytearray()
    response = SmallResponse(body.extend, LARGEST)
    before = 0
    for cut in sorted({*(cut % (len(data) + 1) for cut in cuts), len(data)}):
        outcome = response.feed(data[before:cut]) if cut > before else None
        if outcome is not None:
            return outcome, bytes(body), response.status
        before = cut
    return response.end_of_input(), bytes(body), response.status


@given(st.sampled_from(WHOLE), st.lists(st.integers(0, 400), max_size=8))
def test_a_whole_response_is_ok_however_it_is_cut(data: bytes, cuts: list[int]) -> None:
    assert fed(data, cuts) == (Outcome.OK, BODY, 200)


@given(st.sampled_from(WHOLE[:3]), st.data())
def test_a_part_of_it_is_cut(data: bytes, draw: st.DataObject) -> None:
    part = data[: draw.draw(st.integers(0, len(data) - 1))]
    outcome, body, _status = fed(part, [])
    assert outcome is Outcome.CUT
    assert BODY.startswith(body)


@given(st.sampled_from(OTHERS), st.lists(st.integers(0, 400), max_size=8))
def test_others_end_the_same_way_however_they_are_cut(data: bytes, cuts: list[int]) -> None:
    assert fed(data, cuts)[0] is fed(data, [])[0]
    assert fed(data, cuts)[0] in (Outcome.STATUS, Outcome.MALFORMED)


@given(st.binary(max_size=500), st.lists(st.integers(0, 500), max_size=8))
def test_no_bytes_bring_more_than_the_largest_body(data: bytes, cuts: list[int]) -> None:
    outcome, body, _status = fed(data, cuts)
    assert isinstance(outcome, Outcome)
    assert len(body) <= LARGEST
