"""Lines come whole out of whatever pieces they arrive in, and long ones cannot fill the memory."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from headrace.bgp.lines import LineSplitter

PIECES = st.lists(st.binary(max_size=30).map(lambda one: one.replace(b"a", b"\n")), max_size=20)


@given(PIECES)
def test_pieces_do_not_matter(pieces: list[bytes]) -> None:
    splitter = LineSplitter(8)
    lines = [line for piece in pieces for line in splitter.feed(piece)]
    *whole, _rest = b"".join(pieces).split(b"\n")
    assert lines == [line for line in whole if len(line) <= 8]


def test_a_line_without_end_is_dropped_and_counted() -> None:
    splitter = LineSplitter(8)
    for _ in range(100):
        assert splitter.feed(b"x" * 7) == []
    assert splitter.feed(b"x\nshort\n") == [b"short"]
    assert splitter.dropped == 1
