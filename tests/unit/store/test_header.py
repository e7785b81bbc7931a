"""The bytes in front of a slice."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from headrace.store import header
from tests.unit.store.samples import a_record

CONTROL = header.Control(header_bytes=4096, phase=2, n=7, written=9, body_bytes=9, total_bytes=500)


def test_a_control_block_is_read_as_it_was_written() -> None:
    assert header.unpack_control(CONTROL.packed()) == (CONTROL, True)


def test_phase_and_written_may_change_without_the_checksum() -> None:
    moved = header.changed(CONTROL, 4, 100)
    block = bytearray(CONTROL.packed())
    block[16:20] = (4).to_bytes(4, "little")
    block[24:32] = (100).to_bytes(8, "little")
    assert header.unpack_control(bytes(block)) == (moved, True)


@given(st.integers(0, 119).filter(lambda at: not 16 <= at < 20 and not 24 <= at < 32))
def test_any_other_changed_byte_is_noticed(at: int) -> None:
    block = bytearray(CONTROL.packed())
    block[at] ^= 0x55
    found = header.unpack_control(bytes(block))
    assert found is None or found[1] is False


@given(st.binary(max_size=200))
def test_foreign_bytes_are_no_control_block(block: bytes) -> None:
    assert header.unpack_control(block) is None


def test_a_record_is_read_as_it_was_written() -> None:
    stored = a_record(tags=(b"a", b"b"), vary=(b"accept-encoding",))
    assert header.decode_record(header.encode_record(stored)) == stored


def test_the_header_grows_by_whole_pages() -> None:
    assert header.header_bytes_for(100) == 4096
    assert header.header_bytes_for(4096 - 128 - 16) == 4096
    assert header.header_bytes_for(4096 - 128 - 15) == 8192
