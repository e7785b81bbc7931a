"""The bytes in front of every slice: a fixed control block, then the record. Pure.

The block is the same in a part and in a finished slice, so finishing moves no bytes. `phase` and
`written` are for followers of a part and are left out of the header's checksum.
"""

from __future__ import annotations

import struct
from math import isfinite
from typing import Any

import msgspec
import xxhash

from headrace.cache.record import StoredResponse
from headrace.store import ready_rows
from headrace.store.layout import FORMAT, MAX_META_BYTES, MAX_SLICE, PAGE_BYTES

MAGIC = b"HEADRACE"
CONTROL = struct.Struct("<8sIIIIQqqQIIQ40sQ8x")
CONTROL_BYTES = CONTROL.size  # 128: the record begins here
PHASE_AT = 16
FOLLOWED_AT = 120
"""A byte behind the block's fields: whoever follows a part leaves a mark there."""
WRITTEN_AT = 24
CHECKSUM_AT = 112
REASON_BYTES = 40
SPARE_BYTES = 16
"""Room after the record, so that it can be rewritten when its length becomes known."""

LAST_PHASE = 4
MOST_BYTES = 10**18
MAX_HEADER_BYTES = MAX_META_BYTES + 2 * PAGE_BYTES

_READY = bytes((ready_rows.MARK,))
_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(StoredResponse)


class Control(msgspec.Struct, frozen=True):
    """The control block's fields. Lengths in bytes, -1 while unknown."""

    header_bytes: int
    phase: int
    n: int
    written: int = 0
    body_bytes: int = -1
    total_bytes: int = -1
    body_checksum: int = 0
    meta_bytes: int = 0
    meta_checksum: int = 0
    reason: bytes = b""

    def packed(self) -> bytes:
        """Return the block's 128 bytes, its checksum included."""
        bare = CONTROL.pack(
            MAGIC, FORMAT, self.header_bytes, 0, self.n, 0, self.body_bytes, self.total_bytes,
            self.body_checksum, self.meta_bytes, 0, self.meta_checksum, self.reason, 0,
        )  # fmt: skip
        block = bytearray(bare)
        block[PHASE_AT : PHASE_AT + 4] = self.phase.to_bytes(4, "little")
        block[WRITTEN_AT : WRITTEN_AT + 8] = self.written.to_bytes(8, "little")
        block[CHECKSUM_AT:FOLLOWED_AT] = xxhash.xxh3_64_intdigest(bare).to_bytes(8, "little")
        return bytes(block)


def unpack_control(block: bytes) -> tuple[Control, bool] | None:
    """Return the control block and whether its checksum holds; None when it is not one of ours.

    Only a finished slice's checksum holds for certain: a part's fields change one by one.
    """
    if len(block) < CONTROL_BYTES:
        return None
    (
        magic,
        version,
        header_bytes,
        phase,
        n,
        written,
        body_bytes,
        total_bytes,
        body_checksum,
        meta_bytes,
        _,
        meta_checksum,
        reason,
        checksum,
    ) = CONTROL.unpack_from(block)
    if magic != MAGIC or version != FORMAT:
        return None
    if not _is_possible(header_bytes, phase, n, written, body_bytes, total_bytes, meta_bytes):
        return None
    control = Control(
        header_bytes,
        phase,
        n,
        written,
        body_bytes,
        total_bytes,
        body_checksum,
        meta_bytes,
        meta_checksum,
        reason.rstrip(b"\0"),
    )
    bare = bytearray(block[:CONTROL_BYTES])
    bare[PHASE_AT : PHASE_AT + 4] = bytes(4)
    bare[WRITTEN_AT : WRITTEN_AT + 8] = bytes(8)
    bare[CHECKSUM_AT:CONTROL_BYTES] = bytes(CONTROL_BYTES - CHECKSUM_AT)
    return control, xxhash.xxh3_64_intdigest(bytes(bare)) == checksum


def _is_possible(
    header_bytes: int,
    phase: int,
    n: int,
    written: int,
    body_bytes: int,
    total_bytes: int,
    meta_bytes: int,
) -> bool:
    """Return whether a control block can be one of ours: what is read by it is bounded by it."""
    return (
        0 <= meta_bytes <= MAX_META_BYTES
        and header_bytes <= MAX_HEADER_BYTES
        and phase <= LAST_PHASE
        and n <= MAX_SLICE
        and written <= MOST_BYTES
        and -1 <= body_bytes <= MOST_BYTES
        and -1 <= total_bytes <= MOST_BYTES
    )


def changed(control: Control, phase: int, written: int, **changes: Any) -> Control:
    """Return the block with these fields changed, as followers are to see it now."""
    return msgspec.structs.replace(control, phase=phase, written=written, **changes)


def header_bytes_for(meta_bytes: int) -> int:
    """Return how much to reserve in front of the body for a record of this size: whole pages."""
    return -(-(CONTROL_BYTES + meta_bytes + SPARE_BYTES) // PAGE_BYTES) * PAGE_BYTES


def encode_record(stored: StoredResponse) -> bytes:
    """Return a record as it stands in files and in the index."""
    return _encoder.encode(stored)


def decode_record(packed: bytes | memoryview) -> StoredResponse:
    """Decode a record of a file or of the index.

    Raises msgspec.DecodeError, of which ValidationError is one: also for a record that can be
    decoded, but that no response can have made.
    """
    if packed[:1] == _READY:
        stored = ready_rows.decode(bytes(packed))
    else:
        stored = _decoder.decode(packed)
    if not (
        100 <= stored.status <= 599
        and -1 <= stored.length <= MOST_BYTES
        and 0 < stored.slice_bytes <= MOST_BYTES
        and 8 <= len(stored.version) <= 32
        and 0 <= stored.generation < 2**63
        and isfinite(
            stored.response_time + stored.corrected_age_s + stored.lifetime_s
            + stored.stale_while_revalidate_s + stored.stale_if_error_s + stored.began_at
        )
    ):  # fmt: skip
        raise msgspec.ValidationError("a record with values that no response has")
    return stored


def meta_checksum(meta: bytes) -> int:
    """Return the checksum that stands in `Control.meta_checksum`."""
    return xxhash.xxh3_64_intdigest(meta)
