"""Slices that a worker keeps open take no room on the disk once the store has removed them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from headrace.cache.record import StoredResponse
from headrace.edge.body.held_bytes import held_bytes
from headrace.edge.body.open_files import OpenBodies, OpenBody
from headrace.store import OpenSlice, Store
from headrace.store.layout import PAGE_BYTES, slice_file, slice_key
from tests.unit.store.samples import a_record, a_store, fill

FILES = 10
BODY = b"hello"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with a_store(tmp_path, size_bytes=FILES * 2 * PAGE_BYTES) as opened:
        yield opened


def record(number: int) -> StoredResponse:
    return a_record(b"s\nh/%d" % number, version=str(number))


def filled(store: Store, bodies: OpenBodies, number: int) -> OpenBody:
    stored = record(number)
    assert fill(store, stored, BODY)
    found = store.open_slice(stored, 0)
    assert isinstance(found, OpenSlice)
    return bodies.take(stored, 0, found)


def test_what_this_process_evicts_is_closed_at_once(store: Store) -> None:
    released: list[bytes] = []
    bodies = OpenBodies(store, 100, on_removed=lambda body: released.append(body.view.tobytes()))
    store.on_removed = bodies.removed
    for number in range(5 * FILES):
        filled(store, bodies, number)
        assert len(bodies) <= FILES
        assert held_bytes() == 0
    assert released == [BODY] * 4 * FILES


def test_what_another_process_evicts_is_closed_by_the_next_round(store: Store) -> None:
    bodies = OpenBodies(store, 100)
    for number in range(5 * FILES):
        filled(store, bodies, number)
    assert len(bodies) == 5 * FILES
    bodies.drop_removed()
    assert len(bodies) == FILES
    assert held_bytes() == 0


def test_a_deleted_file_that_is_being_sent_is_held_until_it_is_sent(store: Store) -> None:
    bodies = OpenBodies(store, 100)
    store.on_removed = bodies.removed
    sent = filled(store, bodies, 0)
    for number in range(1, 5 * FILES):
        filled(store, bodies, number)
    assert bodies.peek(record(0).version, 0) is None
    assert sent.view.tobytes() == BODY
    assert held_bytes() == 2 * PAGE_BYTES
    del sent
    assert held_bytes() == 0


def test_what_leaves_for_want_of_places_is_counted_when_it_is_deleted(store: Store) -> None:
    bodies = OpenBodies(store, 1)
    sent = filled(store, bodies, 0)
    filled(store, bodies, 1)
    assert held_bytes() == 0
    path = Path(store.objects) / slice_file(slice_key(record(0).version, 0))
    path.unlink()
    assert held_bytes() == 2 * PAGE_BYTES
    del sent


@pytest.mark.parametrize("lends", [True, False])
def test_the_file_of_what_was_lent_to_the_network_is_not_written_over(
    tmp_path: Path, *, lends: bool
) -> None:
    with a_store(tmp_path, 64 * 1024 * 1024, checksum_on_open=True) as store:
        bodies = OpenBodies(store, 100)
        store.on_removed = bodies.removed
        body = filled(store, bodies, 0)
        assert not lends or (body.lend(crowded=False) and body.lend(crowded=False))
        del body
        store.delete(record(0))
        assert len(store.spares) == (0 if lends else 1)


def test_what_cannot_be_marked_is_not_lent(store: Store) -> None:
    body = filled(store, OpenBodies(store, 100), 0)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("os.fchmod", refused)
        assert not body.lend(crowded=True)
    assert body.lend(crowded=True)


def refused(_fd: int, _mode: int) -> None:
    raise PermissionError
