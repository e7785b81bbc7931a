"""What the index says of one slice. Pure."""

from __future__ import annotations

import struct
from dataclasses import dataclass, replace

_ROW = struct.Struct(">QQQB32s")


@dataclass(frozen=True, slots=True)
class SliceRow:
    """`file_bytes` (whole pages) is what the slice is charged; `queue` and `position` are where it
    stands for eviction; `record_key` is whose it is.
    """

    file_bytes: int
    body_bytes: int
    record_key: bytes
    queue: int = 0
    position: int = 0

    def packed(self) -> bytes:
        """Return the row as it stands in the index."""
        return _ROW.pack(
            self.file_bytes, self.body_bytes, self.position, self.queue, self.record_key
        )

    @classmethod
    def unpacked(cls, packed: bytes | memoryview) -> SliceRow:
        """Return the fields of a row of the index."""
        file_bytes, body_bytes, position, queue, record_key = _ROW.unpack(packed)
        return cls(file_bytes, body_bytes, record_key, queue, position)

    @classmethod
    def read(cls, packed: bytes | memoryview) -> SliceRow | None:
        """Read a row; None when it says nothing."""
        return cls.unpacked(packed) if len(packed) == _ROW.size and packed[24] <= 1 else None

    def moved(self, queue: int, position: int) -> SliceRow:
        """Return the row with its place in another queue."""
        return replace(self, queue=queue, position=position)


NO_ROW = SliceRow(0, 0, bytes(32))
"""What stands for a row that cannot be read."""
