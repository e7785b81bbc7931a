"""The count of records in a stream of TLS."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from headrace.http.server.tls_records import RecordMeter, silent_now

SIZES = st.lists(st.integers(0, 700), min_size=1, max_size=20)


def record(size: int) -> bytes:
    return b"\x17\x03\x03" + size.to_bytes(2, "big") + bytes(size)


@given(SIZES, st.lists(st.integers(1, 900), max_size=30), st.integers(1, 8), st.integers(1, 900))
def test_every_record_is_counted_once_however_the_stream_is_cut(
    sizes: list[int], cuts: list[int], most: int, enough: int
) -> None:
    stream = b"".join(map(record, sizes))
    ends = [0]
    for size in sizes:
        ends.append(ends[-1] + 5 + size)
    meter = RecordMeter()
    at = counted = 0
    for cut in [*cuts, len(stream)]:
        piece = stream[at : at + cut]
        while piece:
            used, records = meter.advance(piece, most, enough)
            assert 0 < used <= len(piece)
            assert not any(at + enough <= end < at + used for end in ends)
            assert records <= most
            at += used
            counted += records
            piece = piece[used:]
            # Records without content end with their header.
            assert counted == sum(end <= at for end in ends[1:])
            assert (not meter.left and not meter.header) == (at in ends)
    assert counted == len(sizes)


@given(st.binary(max_size=3000), st.integers(1, 5))
def test_any_bytes_are_gone_through_to_their_end(data: bytes, most: int) -> None:
    meter = RecordMeter()
    rest = data
    while rest:
        used, _records = meter.advance(memoryview(rest), most, 1000)
        assert used > 0
        rest = rest[used:]


def test_silent_records_are_forgiven_one_a_second() -> None:
    assert silent_now(10, 0.9) == 10
    assert silent_now(10, 3.2) == 7
    assert silent_now(10, 1e6) == 0
