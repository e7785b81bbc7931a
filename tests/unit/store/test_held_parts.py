"""A small body that stays in memory until it is stored: no file is written for it, and those who
follow it from another process see all of it all the same.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from headrace.cache.record import StoredResponse
from headrace.reasons import Reason
from headrace.store import Busy, Part, PartFollower, PartPhase, Store
from headrace.store.layout import SPARES
from tests.unit.store.samples import a_record, a_store, body_of, slice_files


def begun(store: Store, name: bytes = b"name") -> Part:
    part = store.begin_part(name, 0)
    assert isinstance(part, Part)
    return part


def held(store: Store, stored: StoredResponse, name: bytes = b"name") -> Part:
    part = begun(store, name)
    part.hold(stored, memoryview(b"hello"))
    return part


def first_page(path: str | Path) -> bytes:
    return Path(path).read_bytes()


def test_what_is_held_is_stored_and_its_file_is_untouched(tmp_path: Path) -> None:
    with a_store(tmp_path, inline_bytes=4096) as store:
        stored = a_record()
        part = held(store, stored)
        before = first_page(part.path)
        assert part.finish(stored, 5)
        part.close()
        (spare,) = (store.path / SPARES).iterdir()
        assert first_page(spare) == before
        assert body_of(store, stored) == b"hello"
        assert slice_files(tmp_path) == list(store.parts.iterdir()) == []


def test_its_file_is_the_next_parts_and_locked_all_the_while(tmp_path: Path) -> None:
    with a_store(tmp_path, inline_bytes=4096) as store:
        part = held(store, a_record())
        file = os.fstat(part.fd).st_ino
        assert part.finish(a_record(), 5)
        part.close()
        following = begun(store, b"other")
        assert os.fstat(following.fd).st_ino == file
        assert isinstance(store.begin_part(b"other", 0), Busy)
        follower = PartFollower.open(following.path)
        assert follower is not None
        assert (follower.phase, follower.written, follower.meta) == (
            PartPhase.WAITING_HEAD, 0, None,
        )  # fmt: skip
        assert follower.alive()
        follower.close()
        following.close()


def test_who_follows_sees_the_whole(tmp_path: Path) -> None:
    with a_store(tmp_path, inline_bytes=4096) as store:
        stored = a_record()
        part = begun(store)
        follower = PartFollower.open(part.path)
        assert follower is not None
        part.hold(stored, memoryview(b"hello"))
        assert part.finish(stored, 5)
        part.close()
        assert follower.poll() is PartPhase.COMPLETE
        assert follower.meta is not None
        assert follower.meta.version == stored.version
        assert os.pread(follower.fd, follower.written, follower.body_offset) == b"hello"
        follower.close()
        assert list((store.path / SPARES).iterdir()) == []


def test_one_that_the_index_has_no_room_for_is_a_sound_file(tmp_path: Path) -> None:
    with a_store(tmp_path, checksum_on_open=True) as store:
        stored = a_record()
        part = held(store, stored)
        assert part.finish(stored, 5)
        part.close()
        assert len(slice_files(tmp_path)) == 1
        assert body_of(store, stored) == b"hello"


@pytest.mark.parametrize(
    "end", [Part.abandon, Part.mark_uncacheable, lambda part: part.fail(Reason.STORE_FAILED)]
)
def test_one_that_comes_to_nothing_leaves_no_trace(
    tmp_path: Path, end: Callable[[Part], None]
) -> None:
    with a_store(tmp_path, inline_bytes=4096) as store:
        part = held(store, a_record())
        end(part)
        part.close()
        assert list(store.parts.iterdir()) == []
        following = begun(store)
        follower = PartFollower.open(following.path)
        assert follower is not None
        assert (follower.phase, follower.reason) == (PartPhase.WAITING_HEAD, b"")
        follower.close()
        following.close()


def test_a_file_that_keeps_its_name_is_no_other_parts(tmp_path: Path) -> None:
    """Else whoever wants the one would be told to wait for the other."""
    with a_store(tmp_path, inline_bytes=4096) as store:
        first = held(store, a_record())
        assert first.finish(a_record(), 5)
        first.close()
        stored = a_record(b"s\nh/two", version="two")
        part = held(store, stored, b"two")
        refuse = pytest.MonkeyPatch()
        refuse.setattr(os, "unlink", _refused)
        assert part.finish(stored, 5)
        refuse.undo()
        part.close()
        third = begun(store, b"three")
        assert isinstance(store.begin_part(b"two", 0), Part)
        third.close()


def _refused(_path: object) -> None:
    raise PermissionError(13, "no")
