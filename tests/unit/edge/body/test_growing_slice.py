"""A slice that grows in a file, and a file that is not what it was."""

from __future__ import annotations

import asyncio
import gc
import os
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from headrace.config.edge.options import INLINE_MOST_BYTES
from headrace.edge.body.growing_slice import (
    MANY_WAITERS,
    MOST_LOOKS,
    TOGETHER_BYTES,
    LocalSlice,
    SliceFailed,
)
from headrace.edge.body.held_bytes import held_bytes
from headrace.store import Part, PartFollower, PartPhase
from tests.unit.store.samples import a_record, a_store, fill


def test_a_view_of_a_file_that_was_cut_short_fails(tmp_path: Path) -> None:
    """An empty view would have its follower turn in a circle for ever."""
    loop = asyncio.new_event_loop()
    try:
        with a_store(tmp_path) as store:
            part = store.begin_part(b"name", 0)
            assert isinstance(part, Part)
            part.set_head(a_record(length=8192))
            growing = LocalSlice(loop, 0, part, 8192, sure=True)
            growing.write(memoryview(b"x" * 8192))
            os.truncate(part.path, part.body_offset)
            with pytest.raises(SliceFailed, match="cut short"):
                growing.view(0, 8192)
            part.close()
    finally:
        loop.close()


def _turns(growing: LocalSlice, waiting: int, pieces: list[int]) -> list[int]:
    """What the first of so many who wait has, when it is woken while a piece comes each turn."""

    async def run() -> list[int]:
        found: list[int] = []

        async def follow() -> None:
            position = 0
            while not growing.done:
                position = await growing.beyond(position)
                found.append(position)

        tasks: list[asyncio.Future[Any]] = [asyncio.ensure_future(follow())]
        tasks += [asyncio.ensure_future(growing.beyond(0)) for _ in range(waiting - 1)]
        await asyncio.sleep(0)
        for size in pieces:
            growing.write(memoryview(bytes(size)))
            await asyncio.sleep(0)
        for _ in range(4):
            await asyncio.sleep(0)  # the writer waits for more
        found.append(-1)
        growing.finish(last=True)
        await asyncio.gather(*tasks)
        return found

    return growing.loop.run_until_complete(run())


@pytest.mark.parametrize(
    ("waiting", "pieces", "found"),
    [
        (MANY_WAITERS, [100], [100, -1, 100]),
        (MANY_WAITERS, [100, 100, 100], [300, -1, 300]),
        (MANY_WAITERS - 1, [100, 100], [100, 200, -1, 200]),
        (MANY_WAITERS, [TOGETHER_BYTES // 2] * 2, [TOGETHER_BYTES, -1, TOGETHER_BYTES]),
    ],
)
def test_many_who_follow_are_woken_together_while_more_comes_and_at_once_when_it_stops(
    waiting: int, pieces: list[int], found: list[int]
) -> None:
    loop = asyncio.new_event_loop()
    try:
        growing = LocalSlice(loop, 0, None, sum(pieces))
        assert _turns(growing, waiting, pieces) == found
    finally:
        loop.close()


def test_many_who_follow_wait_for_no_more_than_some_turns_however_little_comes() -> None:
    loop = asyncio.new_event_loop()
    try:
        growing = LocalSlice(loop, 0, None, 1000)
        found = _turns(growing, MANY_WAITERS, [1] * 1000)
        assert found[0] <= 4 * MOST_LOOKS
    finally:
        loop.close()


def test_a_file_that_its_clients_hold_is_counted_when_its_body_is_in_the_index(
    tmp_path: Path,
) -> None:
    loop = asyncio.new_event_loop()
    try:
        with a_store(tmp_path, inline_bytes=16_384) as store:
            stored = a_record(length=9000)
            part = store.begin_part(b"name", 0)
            assert isinstance(part, Part)
            part.set_head(stored)
            growing = LocalSlice(loop, 0, part, 9000, sure=True)
            growing.write(memoryview(b"x" * 9000))
            growing.finish(last=True)
            assert part.finish(stored, 9000)
            assert part.is_inside
            view = growing.view(0, 9000)
            assert held_bytes() >= 9000
            del part, growing, view
            gc.collect()
            assert held_bytes() == 0
    finally:
        loop.close()


def test_what_may_end_in_the_index_is_never_sent_from_its_file(tmp_path: Path) -> None:
    """Its file may be another slice's while the kernel still sends its pages."""
    loop = asyncio.new_event_loop()
    try:
        with a_store(tmp_path, inline_bytes=INLINE_MOST_BYTES) as store:
            part = store.begin_part(b"name", 0)
            assert isinstance(part, Part)
            part.set_head(a_record(length=100_000))
            growing = LocalSlice(loop, 0, part, 100_000)
            growing.write(memoryview(bytes(INLINE_MOST_BYTES)))
            assert not growing.lend(crowded=True)
            growing.write(memoryview(bytes(1)))
            assert not growing.lend(crowded=False)
            assert growing.lend(crowded=True)
            part.close()
            assert not growing.lend(crowded=True)
    finally:
        loop.close()


def test_one_that_is_held_is_written_out_for_who_follows_from_elsewhere(tmp_path: Path) -> None:
    loop = asyncio.new_event_loop()
    with closing(loop), a_store(tmp_path, inline_bytes=4096) as store:
        part = store.begin_part(b"name", 0)
        assert isinstance(part, Part)
        stored = a_record(length=10)
        growing = LocalSlice(loop, 0, part, 10, held=stored)
        growing.write(memoryview(b"first"))
        follower = PartFollower.open(part.path)
        assert follower is not None
        assert (follower.phase, follower.written) == (PartPhase.WAITING_HEAD, 0)
        growing.write(memoryview(b"-and"))
        assert (follower.poll(), follower.written) == (PartPhase.BODY, 9)
        growing.write(memoryview(b"!"))
        growing.hand_over()
        assert part.finish(stored, 10)
        assert follower.poll() is PartPhase.COMPLETE
        assert os.pread(follower.fd, 10, follower.body_offset) == b"first-and!"
        assert bytes(growing.view(0, 10)[0]) == b"first-and!"
        follower.close()
        part.close()


def test_a_file_that_was_a_larger_slice_is_cut_to_size_before_it_is_mapped(tmp_path: Path) -> None:
    loop = asyncio.new_event_loop()
    try:
        with a_store(tmp_path, 64 * 1024 * 1024, checksum_on_open=True) as store:
            evicted = a_record(length=60_000)
            fill(store, evicted, b"x" * 60_000)
            store.delete(evicted)
            part = store.begin_part(b"name", 0)
            assert isinstance(part, Part)
            assert os.fstat(part.fd).st_size > 60_000
            stored = a_record(length=5_000, version="two")
            part.set_head(stored)
            growing = LocalSlice(loop, 0, part, 5_000, sure=True)
            growing.write(memoryview(b"y" * 5_000))
            assert bytes(growing.view(0, 5_000)[0]) == b"y" * 5_000
            growing.finish(last=True)
            assert part.finish(stored, 5_000)
            assert growing.mapping is not None
            part.close()
    finally:
        loop.close()
