"""What a worker keeps ready to send, and what makes it let go."""

from __future__ import annotations

import gc
import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import msgspec
import pytest

from headrace.cache.record import StoredResponse
from headrace.edge.body.open_files import OpenBody, Place
from headrace.edge.hot import RECHECK_S, USUAL_BYTES, HotEntry, HotResponses, cost_bytes


def stored(number: int) -> StoredResponse:
    return StoredResponse(
        key=b"service\n/%d" % number, variant=b"", vary=(), status=200, headers=(),
        response_time=0.0, corrected_age_s=0.0, lifetime_s=100.0, stale_while_revalidate_s=0.0,
        stale_if_error_s=0.0, flags=0, length=4, slice_bytes=4096, version=b"%08d" % number,
        generation=0, tags=(),
    )  # fmt: skip


def entry(number: int, opened: OpenBody | None = None, fresh_until: float = 100.0) -> HotEntry:
    body = memoryview(b"body") if opened is None else opened.view
    resource = cast("Any", SimpleNamespace(hot=None, service=SimpleNamespace(tally=None)))
    return HotEntry(resource, stored(number), body, opened, -1, 0.0, fresh_until)


ONE_BYTES = cost_bytes(stored(1), 4)


def opened(directory: Path, number: int) -> OpenBody:
    path = directory / str(number)
    path.write_bytes(b"body")
    return OpenBody(os.open(path, os.O_RDONLY), 0, 4, -1)


def test_memory_is_bounded_and_counts_what_surrounds_a_body() -> None:
    hot = HotResponses(files=10, memory_bytes=3 * ONE_BYTES)
    for number in range(5):
        hot.put(entry(number))
    assert len(hot) == 3
    assert hot.held_bytes == 3 * ONE_BYTES
    assert hot.get(stored(4).key, b"") is not None


def test_what_is_asked_for_once_is_held_only_while_there_is_room() -> None:
    hot = HotResponses(files=10, memory_bytes=4 * USUAL_BYTES)
    assert hot.admits(1)
    while hot.held_bytes + USUAL_BYTES <= hot.memory_bytes:
        hot.put(entry(len(hot)))
    assert not hot.admits(2)
    assert hot.admits(2)
    for mark in range(10, 18):  # more than there is memory for come in between
        assert not hot.admits(mark)
    assert not hot.admits(2)


def test_the_newest_stays_if_there_is_room_for_one() -> None:
    hot = HotResponses(files=10, memory_bytes=ONE_BYTES)
    for number in range(3):
        made = entry(number)
        hot.put(made)
        assert (len(hot), made.until > 0) == (1, True)


def test_without_room_for_one_nothing_stays() -> None:
    hot = HotResponses(files=10, memory_bytes=0)
    hot.put(entry(1))
    assert (len(hot), hot.held_bytes) == (0, 0)


def test_a_dropped_entry_is_never_renewed() -> None:
    hot = HotResponses(files=10, memory_bytes=10_000)
    one = entry(1)
    hot.put(one)
    hot.drop(one.stored.key, b"")
    assert (one.until, one.renewal, one.fresh_until, hot.held_bytes) == (0.0, 0.0, 0.0, 0)


def test_a_look_into_the_store_lasts_for_seconds_and_never_longer_than_the_response() -> None:
    one = entry(1, fresh_until=3.0)
    assert one.until == RECHECK_S
    one.renew(2.0)
    assert one.until == 3.0


def test_the_next_look_is_due_before_an_answer_has_to_wait_for_it() -> None:
    one = entry(1)
    assert 0 < one.renewal < one.until
    one.renew(5.0)
    assert 5.0 < one.renewal < one.until


def test_what_is_not_fresh_leaves_and_what_is_in_memory_stays() -> None:
    hot = HotResponses(files=10, memory_bytes=100_000)
    hot.put(entry(1, fresh_until=5.0))
    hot.put(entry(2, fresh_until=50.0))
    hot.drop_unused(10.0)
    assert hot.get(stored(1).key, b"") is None
    assert hot.get(stored(2).key, b"") is not None


def test_open_files_are_bounded_and_leave_when_no_one_asks(tmp_path: Path) -> None:
    hot = HotResponses(files=2, memory_bytes=100_000)
    for number in range(4):
        hot.put(entry(number, opened(tmp_path, number)))
    assert hot.held_files == 2
    hot.drop_unused(RECHECK_S + 1)
    assert (hot.held_files, len(hot)) == (0, 0)


def test_an_entry_that_is_dropped_releases_its_file_at_once(tmp_path: Path) -> None:
    gc.disable()
    try:
        hot = HotResponses(files=10, memory_bytes=100_000)
        body = opened(tmp_path, 1)
        descriptor = body.fd
        one = entry(1, body)
        one.resource.hot = one
        hot.put(one)
        hot.clear()
        del body
        with pytest.raises(OSError, match="Bad file descriptor"):
            os.fstat(descriptor)
        assert one.resource.hot is None
    finally:
        gc.enable()


def test_large_heads_and_keys_count() -> None:
    large = msgspec.structs.replace(
        stored(1), headers=((b"x-large", b"v" * 30_000),), key=b"k" * 20_000, variant=b"v" * 8000
    )
    assert cost_bytes(large, 0) > 6 * 30_000 + 3 * 28_000


def test_a_file_whose_room_the_disk_is_to_have_back_is_released(tmp_path: Path) -> None:
    hot = HotResponses(files=10, memory_bytes=10 * ONE_BYTES)
    body, other = opened(tmp_path, 0), opened(tmp_path, 1)
    for each in (body, other):
        each.place = Place(stored(0).key, b"", stored(0).version, 0)
    made = entry(0, body)
    hot.put(made)
    hot.release(other)
    assert (made.opened, len(hot)) == (body, 1)
    hot.release(body)
    assert (made.opened, len(hot), hot.held_files) == (None, 0, 0)
    in_memory = entry(0)
    hot.put(in_memory)
    hot.release(body)
    assert hot.get(stored(0).key, b"") is in_memory
