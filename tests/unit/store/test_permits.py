"""Permits without a part: one holder, whoever asks, and nothing of it on the disk."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from unittest.mock import patch

import pytest

from headrace.store import Busy, Part, PartPhase, Store
from headrace.store.permits import ClaimFollower, Permits
from tests.unit.store.samples import a_store


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with a_store(tmp_path) as store:
        yield store


@pytest.fixture
def other(store: Store) -> Iterator[Permits]:
    """Those of another process: what has the file open a second time."""
    permits = Permits(store.path, store._commit, store.spares)
    yield permits
    permits.close()


def begun(store: Store | Permits, name: bytes = b"name", n: int = 0) -> Part:
    part = store.begin_part(name, n) if isinstance(store, Store) else store.begin(name, n, None)
    assert isinstance(part, Part)
    return part


def test_one_has_it_at_a_time(store: Store, other: Permits) -> None:
    claim = store.permit(b"name")
    assert claim is not None
    assert store.permit(b"name") is None
    assert other.claim(b"name") is None
    assert isinstance(store.begin_part(b"name", 0), Busy)
    assert isinstance(other.begin(b"name", 0, None), Busy)
    assert list(store.parts.iterdir()) == []
    claim.give()
    taken = other.claim(b"name")
    assert taken is not None
    claim.give()  # a second time, when it is another's
    assert store.permit(b"name") is None
    taken.give()


def test_names_are_apart(store: Store, other: Permits) -> None:
    claims = [store.permit(b"%d" % number) for number in range(100)]
    assert None not in claims
    assert other.claim(b"100") is not None
    assert isinstance(begun(other, b"0", 1), Part)  # which only those ask for who know the first


def test_no_file_has_many_of_the_locks(store: Store) -> None:
    claims = [store.permit(b"%d" % number) for number in range(320)]
    assert None not in claims
    locked = Path("/proc/locks").read_text().split("\n")
    counts = [
        sum(f":{path.stat().st_ino} " in line for line in locked)
        for path in (store.path / "fills").iterdir()
    ]
    assert sum(counts) >= 320  # other file systems' files may have the same numbers
    assert sorted(counts)[len(counts) // 2] < 20


def test_no_name_can_be_aimed_at_the_byte_of_another(store: Store, other: Permits) -> None:
    # The eight bytes blot out those behind them in XXH3: any two such names have the same hash.
    aimed = bytes(16) + bytes.fromhex("ded46de9839097db")
    claims = [store.permit(aimed + b"variant%d" % number) for number in range(3)]
    assert None not in claims
    assert other.claim(aimed + b"variant9") is not None


def test_who_has_a_part_has_the_permit_until_it_ends(store: Store, other: Permits) -> None:
    for end in (Part.close, Part.abandon, Part.mark_uncacheable, lambda part: part.fail(b"why")):
        part = begun(store)
        assert other.claim(b"name") is None
        end(part)
        claim = other.claim(b"name")
        assert claim is not None
        part.close()
        assert store.permit(b"name") is None
        claim.give()


def test_a_permit_becomes_a_part(store: Store, other: Permits) -> None:
    claim = store.permit(b"name")
    part = store.begin_part(b"name", 0, claim)
    assert isinstance(part, Part)
    assert other.claim(b"name") is None
    part.close()
    assert other.claim(b"name") is not None


def test_a_part_that_cannot_be_made_gives_the_permit_back(store: Store, other: Permits) -> None:
    claim = store.permit(b"name")
    with (
        patch("headrace.store.part.begin", side_effect=OSError(28, "full")),
        pytest.raises(OSError, match="full"),
    ):
        store.begin_part(b"name", 0, claim)
    assert other.claim(b"name") is not None


def test_what_is_forgotten_is_given_back(store: Store, other: Permits) -> None:
    claim = store.permit(b"name")
    assert claim is not None
    del claim
    assert other.claim(b"name") is not None


def test_those_of_a_process_that_ends_are_free(store: Store, other: Permits) -> None:
    claim = other.claim(b"name")
    assert claim is not None
    other.close()
    again = store.permit(b"name")
    assert again is not None
    claim.give()
    assert store.permit(b"name") is None


def followed(permits: Permits) -> ClaimFollower:
    busy = permits.begin(b"name", 0, None)
    assert isinstance(busy, Busy)
    follower = busy.unseen()
    assert isinstance(follower, ClaimFollower)
    assert follower.poll() is PartPhase.WAITING_HEAD
    return follower


def test_who_follows_sees_the_end(store: Store, other: Permits) -> None:
    claim = store.permit(b"name")
    assert claim is not None
    follower = followed(other)
    claim.give()
    assert follower.alive()
    assert follower.poll() is PartPhase.COMPLETE
    assert follower.meta is None


def test_who_follows_sees_that_there_is_a_part_now(store: Store, other: Permits) -> None:
    follower = followed(other) if (claim := store.permit(b"name")) else None
    part = store.begin_part(b"name", 0, claim)
    assert isinstance(part, Part)
    assert follower is not None
    assert follower.poll() is PartPhase.COMPLETE
    part.close()


def test_nobody_follows_what_has_ended(store: Store, other: Permits) -> None:
    claim = store.permit(b"name")
    assert claim is not None
    busy = other.begin(b"name", 0, None)
    assert isinstance(busy, Busy)
    claim.give()
    assert busy.unseen() is None
