"""Pieces of a transport stream (ISO/IEC 13818-1) with later times: the same samples, some minutes
on. Pure.
"""

from __future__ import annotations

PACKET_BYTES = 188
_SYNC = 0x47
_PER_SECOND = 90_000
_WRAPS = 1 << 33
_PCR_BYTES, _STAMP_BYTES = 6, 5
_PES_HEAD_BYTES = 9


def later_packets(piece: bytes, by_s: int) -> bytes:
    """Return a piece with later times. Raises ValueError for what is none."""
    if len(piece) % PACKET_BYTES:
        raise ValueError(f"{len(piece)} bytes are no whole packets")
    made = bytearray(piece)
    for start in range(0, len(made), PACKET_BYTES):
        if made[start] != _SYNC:
            raise ValueError(f"no packet begins at {start}")
        _delay(made, start, by_s * _PER_SECOND)
    return bytes(made)


def _delay(made: bytearray, start: int, by: int) -> None:
    """Delay the clock of one packet (section 2.4.3.4), and the times of the samples that begin in
    it (2.4.3.6).
    """
    payload = start + 4
    if made[start + 3] & 0x20:  # an adaptation field
        length = made[payload]
        if length > _PCR_BYTES and made[payload + 1] & 0x10:
            _delay_clock(made, payload + 2, by)
        payload += 1 + length
    begins = made[start + 1] & 0x40 and made[start + 3] & 0x10
    if not begins or payload + _PES_HEAD_BYTES > start + PACKET_BYTES:
        return
    if made[payload : payload + 3] != b"\x00\x00\x01":  # a table of the stream, no samples
        return
    stamps = (made[payload + 7] & 0x80, made[payload + 7] & 0x40)
    place = payload + _PES_HEAD_BYTES
    for there in stamps:
        if there:
            _delay_stamp(made, place, by)
            place += _STAMP_BYTES


def _delay_clock(made: bytearray, place: int, by: int) -> None:
    """The clock is 33 bits of 90 kHz, six unused ones, and nine for what is finer."""
    whole = int.from_bytes(made[place : place + _PCR_BYTES])
    rest = whole & 0x7FFF
    ticks = ((whole >> 15) + by) % _WRAPS
    made[place : place + _PCR_BYTES] = (ticks << 15 | rest).to_bytes(_PCR_BYTES)


def _delay_stamp(made: bytearray, place: int, by: int) -> None:
    """A time is 33 bits in three parts, each with a bit that is always set behind it."""
    first, high, middle, low, last = made[place : place + _STAMP_BYTES]
    ticks = (first >> 1 & 7) << 30 | high << 22 | (middle >> 1) << 15 | low << 7 | last >> 1
    ticks = (ticks + by) % _WRAPS
    made[place : place + _STAMP_BYTES] = bytes(
        (
            first & 0xF0 | (ticks >> 30) << 1 | 1,
            ticks >> 22 & 0xFF,
            (ticks >> 15 & 0x7F) << 1 | 1,
            ticks >> 7 & 0xFF,
            (ticks & 0x7F) << 1 | 1,
        )
    )
