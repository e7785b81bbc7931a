"""A store that another has written to: what lies there costs a fetch and a count, nothing more."""

from __future__ import annotations

import os
import socket
import stat
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.store import (
    PartFollower,
    SliceTooLarge,
    Store,
    StoreError,
    StoreSettings,
    header,
    purge_journal,
)
from headrace.store.layout import (
    MAX_META_BYTES,
    MAX_SLICE,
    digest,
    part_file,
    record_key,
    slice_key,
)
from headrace.store.part import Part
from headrace.store.rows import SliceRow
from tests.unit.store.samples import (
    MIB,
    a_record,
    a_store,
    body_of,
    fill,
    find,
    orphans_swept,
    rebuilt,
    slice_files,
)


def fifo(path: Path) -> None:
    os.mkfifo(path)


def directory(path: Path) -> None:
    path.mkdir()
    (path / "inside").write_bytes(b"x")


def link(path: Path) -> None:
    path.symlink_to("/etc/passwd")


def dangling(path: Path) -> None:
    path.symlink_to(path.with_name("nothing"))


def bound_socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as sock:
        here = os.getcwd()
        os.chdir(path.parent)  # the names of sockets are short
        try:
            sock.bind(path.name)
        finally:
            os.chdir(here)


PLANTED = [fifo, directory, link, dangling, bound_socket]
Plant = Callable[[Path], None]


@pytest.mark.parametrize("plant", PLANTED)
def test_what_is_planted_for_a_slice_counts_as_damaged(store: Store, plant: Plant) -> None:
    stored = a_record()
    fill(store, stored)
    (file,) = slice_files(store.path)
    file.unlink()
    plant(file)
    assert body_of(store, stored) is None
    assert find(store, stored) is None
    assert not os.path.lexists(file)
    assert store.stats()["corrupt"] == 1
    assert fill(store, stored)
    assert body_of(store, stored) == b"hello"


@pytest.mark.parametrize("plant", PLANTED)
def test_what_is_planted_for_a_part_or_a_target_is_replaced(store: Store, plant: Plant) -> None:
    stored = a_record()
    plant(Path(part_file(str(store.parts), stored.version, 0)))
    assert fill(store, stored)
    (file,) = slice_files(store.path)
    other = a_record(b"s\nh/other", version="other")
    store.delete(stored)
    file.parent.mkdir(exist_ok=True)
    plant(file)
    assert fill(store, stored)
    assert body_of(store, stored) == b"hello"
    assert fill(store, other)
    assert Path("/etc/passwd").stat().st_size > 0


@pytest.mark.parametrize("plant", PLANTED)
def test_orphans_of_any_kind_are_swept(store: Store, plant: Plant) -> None:
    (Path(store.objects) / "00").mkdir(exist_ok=True)
    planted = [Path(store.objects) / "00" / "foreign", store.parts / "foreign"]
    for path in planted:
        plant(path)
    orphans_swept(store)
    assert not any(os.path.lexists(path) for path in planted)


def test_a_part_that_is_a_pipe_or_a_link_is_not_followed(store: Store) -> None:
    for plant in (fifo, link, directory):
        path = store.parts / plant.__name__
        plant(path)
        with pytest.raises(OSError):
            PartFollower.open(str(path))


@pytest.mark.parametrize("number", [MAX_SLICE + 1, 2**32, 10**18, -1])
def test_a_number_that_no_slice_has_leaves_no_file(store: Store, number: int) -> None:
    with pytest.raises(SliceTooLarge):
        store.begin_part(b"name", number)
    assert list(store.parts.iterdir()) == []


def test_a_part_that_cannot_be_begun_leaves_no_file(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_arguments: object) -> int:
        raise OSError(28, "no space")

    with monkeypatch.context() as patched:
        patched.setattr("headrace.store.part.os.pwrite", refuse)
        with pytest.raises(OSError, match="no space"):
            store.begin_part(b"name", 0)
    assert list(store.parts.iterdir()) == []
    part = store.begin_part(b"name", 0)
    assert isinstance(part, Part)
    part.close()


# Rows and records.

ABSURD = [
    {"length": -2}, {"length": 10**30 - 10**30 + 2 * 10**18}, {"slice_bytes": 0},
    {"slice_bytes": -5}, {"version": b""}, {"version": b"v" * 40}, {"generation": -1},
    {"status": 99}, {"status": 999}, {"lifetime_s": float("nan")},
    {"response_time": float("inf")},
]  # fmt: skip


@pytest.mark.parametrize("change", [*ABSURD, b"", b"\xc1", b"junk" * 50], ids=str)
def test_a_record_that_makes_no_sense_is_gone_at_its_first_look(
    store: Store, change: dict[str, object] | bytes
) -> None:
    stored = a_record()
    fill(store, stored)
    if isinstance(change, bytes):
        packed = change
    else:
        packed = header.encode_record(msgspec.structs.replace(stored, **change))
    with store.index.write() as rows:
        rows.put(store.index.records, record_key(digest(stored.key), b""), packed)
    assert find(store, stored) is None
    assert store.vary_of(digest(stored.key)) is None
    assert store.stats()["corrupt"] == 1
    assert store.stats()["objects"] == 0
    later = a_record(version="later", response_time=2000.0)
    assert fill(store, later)
    assert find(store, later) == later


@pytest.mark.parametrize("packed", [b"", b"x", b"\xff" * 57, b"\xff" * 100])
def test_a_slice_row_that_makes_no_sense_costs_its_slice(store: Store, packed: bytes) -> None:
    stored = a_record()
    fill(store, stored)
    key = slice_key(stored.version, 0)
    with store.index.write() as rows:
        rows.put(store.index.slices, key, packed)
    assert body_of(store, stored) is None
    assert store.stats()["corrupt"] == 1
    for number in range(300):  # the queues still name it, and eviction goes on
        assert fill(store, a_record(b"s\nh/%d" % number, version=str(number)), b"x" * 9000)
    assert store.stats()["bytes"] <= MIB


def test_totals_that_make_no_sense_are_made_again_at_the_start(tmp_path: Path) -> None:
    stored = a_record()
    with a_store(tmp_path) as store:
        fill(store, stored)
        with store.index.write() as rows:
            rows.put_totals()
        with store.index.env.begin(write=True) as transaction:
            transaction.put(b"totals", b"junk", db=store.index.meta)
    with a_store(tmp_path) as store:
        rebuilt(store)
        assert find(store, stored) == stored


VALID = header.Control(header_bytes=4096, phase=2, n=3, body_bytes=5, meta_bytes=100).packed()


@given(st.binary(max_size=200))
def test_any_bytes_are_a_control_block_within_bounds_or_none(noise: bytes) -> None:
    found = header.unpack_control(noise)
    assert found is None


@given(st.lists(st.tuples(st.integers(8, 127), st.integers(0, 255)), max_size=8))
def test_a_damaged_control_block_stays_within_bounds(changes: list[tuple[int, int]]) -> None:
    block = bytearray(VALID)
    for at, value in changes:
        block[at] = value
    found = header.unpack_control(bytes(block))
    if found is not None:
        control, _ = found
        assert control.header_bytes <= header.MAX_HEADER_BYTES
        assert control.meta_bytes <= MAX_META_BYTES
        assert -1 <= control.body_bytes <= header.MOST_BYTES
        assert control.phase <= header.LAST_PHASE


@given(st.binary(max_size=300))
def test_any_bytes_are_a_record_or_an_error(noise: bytes) -> None:
    try:
        stored = header.decode_record(noise)
    except msgspec.DecodeError:
        return
    assert stored.length >= -1


@given(st.binary(max_size=80))
def test_any_bytes_are_a_row_or_none(noise: bytes) -> None:
    row = SliceRow.read(noise)
    assert row is None or row.queue in (0, 1)


@given(st.binary(max_size=300))
def test_any_bytes_are_a_journal(noise: bytes) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as place:
        path = Path(place) / "purges"
        path.write_bytes(noise)
        assert purge_journal.read(path) == []


# Whose the directory is.


def test_a_directory_that_others_can_write_to_is_refused(tmp_path: Path) -> None:
    place = tmp_path / "cache"
    place.mkdir()
    for mode in (0o777, 0o775, 0o1777):
        place.chmod(mode)
        with pytest.raises(StoreError, match=f"mode {mode:04o}.*chmod 0700 {place}"):
            Store.claim(place)
    place.chmod(0o755)
    Store.claim(place).release(clean=False)


def test_a_directory_inside_that_others_can_write_to_is_refused(tmp_path: Path) -> None:
    with a_store(tmp_path):
        pass
    (tmp_path / "objects").chmod(0o777)
    with pytest.raises(StoreError, match="objects can be written to by others"):
        Store.open(tmp_path, StoreSettings(MIB))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_a_directory_of_another_user_is_refused(tmp_path: Path) -> None:
    place = tmp_path / "cache"
    place.mkdir()
    os.chown(place, 12345, -1)
    with pytest.raises(StoreError, match=f"{place} belongs to 12345, but headrace runs as"):
        Store.claim(place)


def test_all_that_is_made_is_its_owners_alone(tmp_path: Path) -> None:
    place = tmp_path / "new" / "cache"
    before = os.umask(0)
    try:
        claim = Store.claim(place)
        with a_store(place) as store:
            fill(store, a_record())
        claim.release()
    finally:
        os.umask(before)
    for path in [place, *place.rglob("*")]:
        others = stat.S_IMODE(path.stat().st_mode) & 0o077
        assert not others or (path.is_dir() and not others & 0o022), path


# Room in the index.


def test_an_index_that_fills_up_evicts_and_takes_the_new(tmp_path: Path) -> None:
    """Small bodies with large heads: the index is full long before the store is."""
    settings = StoreSettings(2**40, map_bytes=12 * MIB)
    store = Store.open(tmp_path, settings)
    try:
        for number in range(1500):
            stored = a_record(
                b"s\nh/%d" % number, str(number), headers=((b"x", b"%d" % number * 1500),)
            )
            assert fill(store, stored)
            assert find(store, stored) == stored
        stats = store.stats()
        assert stats["index_full"] == 0
        assert stats["evictions"] > 0
        assert store.index.reached_bytes() < 10 * MIB
    finally:
        store.close()
