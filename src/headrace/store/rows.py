"""What the index says of one slice. Pure."""

from __future__ import annotations

import struct
from dataclasses import dataclass

_ROW = struct.Struct(">QQQB32s")
_INLINE_ROW = struct.Struct(">QQQB32sQ")
_NUMBER = struct.Struct(">Q")
_LENGTH_AT = 8
_QUEUE_AT = 24
_PLACE_AT = _ROW.size


@dataclass(frozen=True, slots=True)
class SliceRow:
    """`file_bytes` is what the slice is charged (whole pages for a file); `queue` and `position`
    are where it stands for eviction; `record_key` is whose it is; `place` is where in the index
    its body is, 0 when that is a file.
    """

    file_bytes: int
    body_bytes: int
    record_key: bytes
    queue: int = 0
    position: int = 0
    place: int = 0

    def packed(self) -> bytes:
        """Return the row as it stands in the index."""
        fields = (self.file_bytes, self.body_bytes, self.position, self.queue, self.record_key)
        return _INLINE_ROW.pack(*fields, self.place) if self.place else _ROW.pack(*fields)

    @classmethod
    def unpacked(cls, packed: bytes | memoryview) -> SliceRow:
        """Return the fields of a row of the index."""
        place = 0
        if len(packed) == _INLINE_ROW.size:
            file_bytes, body_bytes, position, queue, record_key, place = _INLINE_ROW.unpack(packed)
        else:
            file_bytes, body_bytes, position, queue, record_key = _ROW.unpack(packed)
        return cls(file_bytes, body_bytes, record_key, queue, position, place)

    @classmethod
    def read(cls, packed: bytes | memoryview) -> SliceRow | None:
        """Read a row; None when it says nothing."""
        known = len(packed) in (_ROW.size, _INLINE_ROW.size) and packed[_QUEUE_AT] <= 1
        return cls.unpacked(packed) if known else None

    def is_same_body(self, other: SliceRow) -> bool:
        """Return whether both rows say that the same body is in the same place."""
        return (self.body_bytes, self.place) == (other.body_bytes, other.place)

    def moved(self, queue: int, position: int) -> SliceRow:
        """Return the row with its place in another queue."""
        return SliceRow(
            self.file_bytes, self.body_bytes, self.record_key, queue, position, self.place
        )


def place_and_length(packed: bytes | memoryview) -> tuple[int, int]:
    """Return where in the index a body is and its bytes, without making a row of it; (0, 0) when
    it is elsewhere, or the row says nothing.
    """
    if len(packed) != _INLINE_ROW.size or packed[_QUEUE_AT] > 1:
        return 0, 0
    return _NUMBER.unpack_from(packed, _PLACE_AT)[0], _NUMBER.unpack_from(packed, _LENGTH_AT)[0]


NO_ROW = SliceRow(0, 0, bytes(32))
"""What stands for a row that cannot be read."""
