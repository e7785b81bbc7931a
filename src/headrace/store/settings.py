"""How large a store is and how it checks what it reads."""

from __future__ import annotations

from dataclasses import dataclass

GIB = 1024**3
MOST_OVERSHOOT_BYTES = 64 * 1024**2
SMALLEST_INDEX_BYTES = 64 * 1024**2
INDEX_SHARE = 4
"""One part in so many of the store's size: small objects with usual heads stay below it."""
INLINE_SHARE = 4
"""One part in so many of the store's size may be small bodies in the index: its file does not
shrink, so what once was theirs may be of no use to large ones."""


@dataclass(frozen=True, slots=True)
class StoreSettings:
    """`size_bytes` bounds the files of finished slices, their header pages included.

    `slice_bytes` is what new representations are cut into; it also stands in every record, so a
    change of it leaves older records valid. `map_bytes` is the index's address space (sparse: disk
    is taken as records come). With `checksum_on_open` each process verifies a slice's checksum
    before it serves it for the first time; `caller_verifies` says that the caller does so instead.
    A body of up to `inline_bytes` is kept in the index itself, as long as there is room for it
    there.
    """

    size_bytes: int
    slice_bytes: int = 8 * 1024 * 1024
    checksum_on_open: bool = False
    map_bytes: int = 32 * GIB
    inline_bytes: int = 0
    caller_verifies: bool = False

    @property
    def index_bytes(self) -> int:
        """What the index may take of the disk, besides: above it slices are evicted as if the
        store were full. It ends well before the map does, for evicting takes pages too: a map
        that is full can no longer be emptied.
        """
        wanted = max(SMALLEST_INDEX_BYTES, self.size_bytes // INDEX_SHARE)
        return min(wanted, self.map_bytes // 2)

    @property
    def overshoot_bytes(self) -> int:
        """By how much the slices may take more than the store's size while smaller ones are being
        evicted for a large one: room for two slices, or a little of a large store.
        """
        wanted = max(2 * self.slice_bytes, self.size_bytes // 64)
        return min(wanted, MOST_OVERSHOOT_BYTES, self.size_bytes // 8)

    @property
    def inline_room_bytes(self) -> int:
        """What all small bodies may take of the index's pages; it is part of `size_bytes`."""
        return min(self.size_bytes // INLINE_SHARE, self.map_bytes // 4)
