"""Times of a transport stream are moved, and nothing else is."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.lab.assets import MEDIA
from headrace.lab.transport import PACKET_BYTES, later_packets

WRAPS = 1 << 33


def stamp(mark: int, ticks: int) -> bytes:
    """A time of samples, as a stream has it."""
    return bytes(
        (
            mark << 4 | (ticks >> 30) << 1 | 1,
            ticks >> 22 & 0xFF,
            (ticks >> 15 & 0x7F) << 1 | 1,
            ticks >> 7 & 0xFF,
            (ticks & 0x7F) << 1 | 1,
        )
    )


def packet(clock: int | None, *ticks: int, fill: int = 0x5A) -> bytes:
    """A packet that samples begin in, with a clock or without."""
    field = b""
    if clock is not None:
        field = bytes((7, 0x10)) + (clock << 15 | 0x7E << 8 | 0x11).to_bytes(6)
    head = bytes((0x47, 0x41, 0x00, 0x30 if field else 0x10)) + field
    flags = {0: 0x00, 1: 0x80, 2: 0xC0}[len(ticks)]
    marks = (0x2,) if len(ticks) == 1 else (0x3, 0x1)
    stamps = b"".join(stamp(mark, one) for mark, one in zip(marks, ticks, strict=False))
    samples = b"\x00\x00\x01\xe0\x00\x00" + bytes((0x80, flags, len(stamps))) + stamps
    return (head + samples).ljust(PACKET_BYTES, bytes((fill,)))


TICKS = st.integers(min_value=0, max_value=WRAPS - 1)


@given(st.none() | TICKS, st.lists(TICKS, max_size=2), st.integers(min_value=0, max_value=10_000))
def test_every_time_moves_and_wraps(clock: int | None, ticks: list[int], by_s: int) -> None:
    moved = [(one + by_s * 90_000) % WRAPS for one in ticks]
    moved_clock = None if clock is None else (clock + by_s * 90_000) % WRAPS

    assert later_packets(packet(clock, *ticks), by_s) == packet(moved_clock, *moved)


def test_packets_without_times_stay_what_they_are() -> None:
    table = (b"\x47\x40\x00\x10\x00\x00\xb0\x0d").ljust(PACKET_BYTES, b"\xff")
    middle = (b"\x47\x01\x00\x11" + b"\x00\x00\x01\xe0").ljust(PACKET_BYTES, b"\x80")
    only_field = (b"\x47\x41\x00\x20\xb7\x00").ljust(PACKET_BYTES, b"\xff")
    short = b"\x47\x41\x00\x30" + bytes((180, 0)) + b"\xff" * 179 + b"\x00\x00\x01"

    piece = table + middle + only_field + short
    assert later_packets(piece, 60) == piece


@pytest.mark.parametrize("piece", [b"\x47" * 187, b"\x47" + b"\x00" * 375])
def test_what_is_no_stream(piece: bytes) -> None:
    with pytest.raises(ValueError, match="packet"):
        later_packets(piece, 1)


def test_of_the_sample_hardly_anything_differs() -> None:
    piece = (MEDIA / "ts-002.ts").read_bytes()

    moved = later_packets(piece, 60)
    changed = sum(one != other for one, other in zip(piece, moved, strict=True))
    assert 0 < changed < len(piece) / 20
    assert later_packets(piece, 0) == piece
