"""What lies on the disk: control blocks, records and rows that are damaged, or another's.

The input is how a sound one is damaged. What its checksum calls sound must be what was written.
"""

from __future__ import annotations

import contextlib
import struct

import msgspec

from headrace.cache.record import StoredResponse
from headrace.store.header import (
    CONTROL_BYTES,
    Control,
    decode_record,
    encode_record,
    header_bytes_for,
    meta_checksum,
    unpack_control,
)
from headrace.store.layout import MAX_SLICE
from headrace.store.rows import SliceRow
from tests.fuzz.inputs import Bytes

WORDS = (
    b"HEADRACE", b"\x9f", b"\xdc", b"\xc4", b"\xcb",
)  # fmt: skip


def check(data: bytes) -> None:
    """Write, damage and read a block, a record and a row; then read arbitrary bytes."""
    source = Bytes(data)
    control = Control(
        header_bytes=source.number(2**20), phase=source.number(3), n=source.number(MAX_SLICE),
        written=source.number(10**18), body_bytes=source.number(10**18) - 1,
        total_bytes=source.number(10**18) - 1, body_checksum=source.number(2**64 - 1),
        meta_bytes=source.number(65535), meta_checksum=source.number(2**64 - 1),
        reason=source.piece(39).rstrip(b"\0"),
    )  # fmt: skip
    block = control.packed()
    assert unpack_control(block) == (control, True)
    damaged = bytearray(block)
    damaged[source.number(CONTROL_BYTES - 1)] ^= source.number(255)
    found = unpack_control(bytes(damaged))
    if found is not None and found[1]:
        # Only what followers watch, and what is spare, may differ unnoticed.
        read = found[0]
        assert (read.header_bytes, read.n, read.body_bytes, read.total_bytes, read.reason) == (
            control.header_bytes, control.n, control.body_bytes, control.total_bytes,
            control.reason,
        )  # fmt: skip
    _check_record(source)
    rest = source.rest()
    unpack_control(rest)
    for read_one in (decode_record, SliceRow.unpacked):
        with contextlib.suppress(msgspec.DecodeError, msgspec.ValidationError, struct.error):
            read_one(rest)


def _check_record(source: Bytes) -> None:
    stored = StoredResponse(
        key=source.piece(), variant=source.piece(16), vary=(source.piece(16),),
        status=100 + source.number(499), headers=((source.piece(20), source.piece(60)),),
        response_time=float(source.number(2**40)), corrected_age_s=float(source.number(2**31)),
        lifetime_s=float(source.number(2**31)), stale_while_revalidate_s=0.0, stale_if_error_s=0.0,
        flags=source.number(63), length=source.number(2**50) - 1,
        slice_bytes=1 + source.number(2**20), version=b"version " + source.piece(16),
        generation=source.number(2**40), tags=(source.piece(16),),
    )  # fmt: skip
    packed = encode_record(stored)
    assert decode_record(packed) == stored
    assert header_bytes_for(len(packed)) >= CONTROL_BYTES + len(packed)
    damaged = bytearray(packed)
    damaged[source.number(len(packed) - 1)] ^= 1 + source.number(254)
    assert meta_checksum(bytes(damaged)) != meta_checksum(packed)
