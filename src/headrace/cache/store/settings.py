"""How large a store is and how it checks what it reads."""

from __future__ import annotations

from dataclasses import dataclass

GIB = 1024**3


@dataclass(frozen=True, slots=True)
class StoreSettings:
    """`size_bytes` bounds the files of finished slices, their header pages included.

    `slice_bytes` is what new representations are cut into; it also stands in every record, so a
    change of it leaves older records valid. `map_bytes` is the index's address space (sparse: disk
    is taken as records come). With `checksum_on_open` each process verifies a slice's checksum
    before it serves it for the first time.
    """

    size_bytes: int
    slice_bytes: int = 8 * 1024 * 1024
    checksum_on_open: bool = False
    map_bytes: int = 32 * GIB
