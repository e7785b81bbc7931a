from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.http.server.send_queue import BodyDamaged, Piece, SendQueue, read_body


@given(st.lists(st.binary(max_size=40), max_size=10), st.integers(1, 17), st.integers(1, 50))
def test_what_is_queued_comes_out_in_order(
    pieces: list[bytes], step: int, window_bytes: int
) -> None:
    out = SendQueue()
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


class OfFile:
    """A residency of a file from its byte `offset`."""

    def __init__(self, fd: int, offset: int) -> None:
        self.fd = fd
        self.offset = offset

    def lend(self, *, crowded: bool) -> bool:
        return False

    def resident(self, offset: int, size_bytes: int) -> bool:
        return True

    def load(self, offset: int, size_bytes: int) -> None: ...

    def damaged(self, problem: str) -> None: ...


def test_a_body_is_read_from_its_place_in_the_file(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(bytes(range(100)))
    into = memoryview(bytearray(10))
    with file.open("rb") as opened:
        read_body(OfFile(opened.fileno(), 20), 5, into)
    assert bytes(into) == bytes(range(25, 35))


def test_a_short_or_unreadable_file_is_damage(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(bytes(100))
    into = memoryview(bytearray(10))
    with file.open("rb") as opened:
        residency = OfFile(opened.fileno(), 91)
        with pytest.raises(BodyDamaged, match="shorter"):
            read_body(residency, 0, into)
    with pytest.raises(BodyDamaged, match="cannot be read"):
        read_body(OfFile(-1, 0), 0, into)
