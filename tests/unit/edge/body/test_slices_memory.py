"""What the store does not take is kept in memory, and that has an end."""

from __future__ import annotations

import asyncio

import pytest

from headrace.edge.body.growing_slice import SPILL_LIMIT_BYTES, LocalSlice

MIB = 1024 * 1024


def test_all_slices_in_memory_together_are_bounded() -> None:
    loop = asyncio.new_event_loop()
    try:
        size_bytes = SPILL_LIMIT_BYTES // 8
        kept = [LocalSlice(loop, number, None, size_bytes) for number in range(8)]
        with pytest.raises(OSError, match="want of a disk"):
            LocalSlice(loop, 8, None, MIB)
        kept.pop()
        kept.append(LocalSlice(loop, 8, None, size_bytes))
    finally:
        loop.close()
