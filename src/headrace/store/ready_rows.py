"""Records in the index whose head stands as it is sent: a hit that needs no decision decodes none.

A row is a fixed block, the head's lines, and the rest of the record. It is made for a response
whose body is in the index, whole; all others have their record alone, as every row had in older
releases. The lines are what never changes: Age, Via, Cache-Status and
Connection are added when it is sent. Pure.
"""

from __future__ import annotations

import re
import struct
from math import isfinite

import msgspec
import xxhash

from headrace.cache.record import StoredFlag, StoredResponse
from headrace.http.dates import format_http_date
from headrace.http.message import Field
from headrace.http.serializer import field_lines, status_line
from headrace.store.layout import SLOTS

MARK = 0xC1
"""Begins such a row, and nothing that MessagePack writes."""

LAYOUT = 1
"""A row of another is as good as none: a release that changes the block, or what may be in the
lines, takes the next number.
"""

_BLOCK = struct.Struct("<BB6xQ32sHBBHIQQQQddd")
# Mark, layout, checksum of all behind it, the row's key; status, flags, bytes of the status
# line and of the lines that are no fields of the record, where they end; the body's place, the
# hash of its slice's key, its length; generation; response time, corrected age, lifetime.
_BLOCK_BYTES = _BLOCK.size
_CHECKSUM = struct.Struct("<Q")
_CHECKSUM_AT = 8
_CHECKED_FROM = 16
_HTTP_1_0 = 1
_HAS_VIA = 2
_DECIDED = int(StoredFlag.NO_CACHE | StoredFlag.INVALIDATED)
_CAME_BY_1_0 = int(StoredFlag.HTTP_1_0)

_LINE = re.compile(rb"(.*?): (.*?)\r\n", re.DOTALL)
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(StoredResponse).decode


class Block(msgspec.Struct, gc=False):
    """What a row begins with, and the row itself. Times are Unix seconds.

    `head` is the status line and the fields, each with its line end. `place` is where in the index
    the body of `length` bytes is, `mark` the hash of its slice's key, `slot` what counts its hits
    (`Store.touch`). `has_via` says that one of the lines is Via, `http_1_0` that the response came
    by HTTP/1.0.
    """

    head: bytes
    status: int
    http_1_0: bool
    has_via: bool
    place: int
    mark: int
    slot: int
    length: int
    generation: int
    response_time: float
    corrected_age_s: float
    lifetime_s: float
    packed: bytes

    def stored(self) -> StoredResponse:
        """Return the whole record. Raises msgspec.DecodeError."""
        return _rest(self.packed)


def encode(stored: StoredResponse, key: bytes, place: int, mark: int) -> bytes | None:
    """Return the row of a record whose body is at `place` in the index; None where it has to be
    the record alone. `key` is the row's own, `mark` the hash of the slice's key.
    """
    if (
        bool(stored.vary) is not bool(stored.variant)
        or stored.flags & _DECIDED
        or stored.lifetime_s <= stored.corrected_age_s  # never fresh, though a clock be set back
        or stored.status == 204  # has no Content-Length
        or not 0 <= stored.length <= stored.slice_bytes
        or not isfinite(stored.response_time + stored.corrected_age_s + stored.lifetime_s)
    ):
        return None
    names, lines = dict(stored.headers), field_lines(stored.headers)
    text = b"\n".join(names)
    if lines.count(b"\r\n") != len(stored.headers) or b": " in text or text != text.lower():
        return None  # `_fields_of` would not find them again
    status, more = status_line(stored.status), b""
    if b"date" not in names:
        more = b"Date: %s\r\n" % format_http_date(stored.response_time)
    if b"accept-ranges" not in names and stored.status == 200:
        more += b"Accept-Ranges: bytes\r\n"
    flags = (_HTTP_1_0 if stored.flags & _CAME_BY_1_0 else 0) | (_HAS_VIA if b"via" in names else 0)
    block = _BLOCK.pack(
        MARK, LAYOUT, 0, key, stored.status, flags, len(status), len(more),
        _BLOCK_BYTES + len(status) + len(lines) + len(more), place, mark, stored.length,
        stored.generation, stored.response_time, stored.corrected_age_s, stored.lifetime_s,
    )  # fmt: skip
    rest = _encode(msgspec.structs.replace(stored, headers=()))
    row = bytearray(b"".join((block, status, lines, more, rest)))
    _CHECKSUM.pack_into(row, _CHECKSUM_AT, _checksum(row))
    return bytes(row)


def read(packed: bytes, key: bytes) -> Block | None:
    """Return a row's block; None when it is a record alone, another key's, damaged, or of another
    layout.
    """
    if len(packed) < _BLOCK_BYTES or packed[0] != MARK or packed[1] != LAYOUT:
        return None
    (
        _mark, _layout, checksum, own_key, status, flags, _status_bytes, _more_bytes, head_end,
        place, mark, length, generation, came, corrected_age_s, lifetime_s,
    ) = _BLOCK.unpack_from(packed)  # fmt: skip
    if own_key != key or checksum != xxhash.xxh3_64_intdigest(packed[_CHECKED_FROM:]):
        return None
    return Block(
        packed[_BLOCK_BYTES:head_end], status, flags & _HTTP_1_0 != 0, flags & _HAS_VIA != 0, place,
        mark, mark % SLOTS, length, generation, came, corrected_age_s, lifetime_s, packed,
    )  # fmt: skip


def decode(packed: bytes) -> StoredResponse:
    """Return the record of a row that begins with MARK. Raises msgspec.DecodeError for one that is
    damaged or of another layout.
    """
    if len(packed) < _BLOCK_BYTES or packed[1] != LAYOUT:
        raise msgspec.DecodeError("a row of another layout")
    if _CHECKSUM.unpack_from(packed, _CHECKSUM_AT)[0] != _checksum(packed):
        raise msgspec.DecodeError("a row that is damaged")
    return _rest(packed)


def _rest(packed: bytes) -> StoredResponse:
    block = _BLOCK.unpack_from(packed)
    status_bytes, more_bytes, head_end = block[6:9]
    lines = packed[_BLOCK_BYTES + status_bytes : head_end - more_bytes]
    return msgspec.structs.replace(_decode(packed[head_end:]), headers=_fields_of(lines))


def _checksum(packed: bytes | bytearray) -> int:
    return xxhash.xxh3_64_intdigest(packed[_CHECKED_FROM:])


def _fields_of(lines: bytes) -> tuple[Field, ...]:
    """Return the fields of lines as `field_lines` writes them."""
    return tuple([(name.lower(), value) for name, value in _LINE.findall(lines)])
