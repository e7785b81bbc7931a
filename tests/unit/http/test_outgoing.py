from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from headrace.http.outgoing import Outgoing, Piece


@given(st.lists(st.binary(max_size=40), max_size=10), st.integers(1, 17), st.integers(1, 50))
def test_what_is_queued_comes_out_in_order(
    pieces: list[bytes], step: int, window_bytes: int
) -> None:
    out = Outgoing()
    for piece in pieces:
        out.add(Piece(memoryview(piece)))
    sent = b""
    while out.size_bytes:
        view, _piece, _start, more = out.window(window_bytes)
        taken = min(step, len(view))
        assert more == (out.size_bytes > len(view))
        sent += view[:taken]
        out.advance(taken)
    assert sent == b"".join(pieces)
