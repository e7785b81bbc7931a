"""Purges: at once for lookups, later for the disk, and never undone by what was under way."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from headrace.cache.record import StoredFlag, StoredResponse
from headrace.store import Part, PurgeRule, Store, StoreError
from headrace.store.layout import digest
from headrace.store.maintenance import sweep
from headrace.store.refusals import cause_of
from tests.unit.store import samples
from tests.unit.store.samples import (
    KEY,
    a_record,
    a_store,
    body_of,
    fill,
    find,
    slice_files,
)

OTHER = b"films\nexample.org/b.mp4"


def swept(store: Store, keep_s: float = 0.0) -> None:
    """Sweep in small steps."""
    samples.swept(store, 3, keep_s)


@pytest.mark.parametrize(
    "rule",
    [
        PurgeRule("url", KEY),
        PurgeRule("prefix", b"films\nexample.org/a"),
        PurgeRule("tag", b"series-7"),
        PurgeRule("tag", b"series-7", service=b"films"),
    ],
)
def test_a_hard_purge_hides_what_it_matches_and_nothing_else(store: Store, rule: PurgeRule) -> None:
    hit, other = a_record(tags=(b"series-7",)), a_record(OTHER, version="two")
    fill(store, hit)
    fill(store, other)
    store.purge(rule)
    assert find(store, hit) is None
    assert find(store, other) == other


def test_a_soft_purge_makes_stale(store: Store) -> None:
    stored = a_record()
    fill(store, stored)
    store.purge(PurgeRule("url", KEY, soft=True))
    found = find(store, stored)
    assert found is not None
    assert found.flags & StoredFlag.INVALIDATED
    assert body_of(store, found) == b"hello"


def test_a_purge_raises_the_generation_and_names_its_rules(store: Store) -> None:
    before = store.generation()
    after = store.purge(PurgeRule("url", KEY))
    assert after > before
    assert store.generation() == after
    (rule,) = store.rules_since(before)
    assert (rule.kind, rule.value, rule.generation) == ("url", KEY, after)
    assert store.rules_since(after) == []


def test_what_is_fetched_after_a_purge_is_stored(store: Store) -> None:
    fill(store, a_record(version="old"))
    generation = store.purge(PurgeRule("all"))
    new = a_record(version="new", generation=generation, response_time=2000.0)
    assert fill(store, new)
    assert find(store, new) == new


def under_way(store: Store, stored: StoredResponse) -> Part:
    part = store.begin_part(stored.version, 0)
    assert isinstance(part, Part)
    part.set_head(stored)
    part.write(b"hello", 0)
    return part


@pytest.mark.parametrize("sweep_first", [False, True])
def test_a_fill_begun_before_a_hard_purge_is_not_stored(store: Store, sweep_first: bool) -> None:
    stored = a_record()
    part = under_way(store, stored)
    store.purge(PurgeRule("url", KEY))
    if sweep_first:
        swept(store)
    assert not part.finish(stored, 5)
    part.close()
    assert find(store, stored) is None
    assert slice_files(store.path) == []


def test_a_fill_begun_before_a_soft_purge_is_stored_stale(store: Store) -> None:
    stored = a_record()
    part = under_way(store, stored)
    store.purge(PurgeRule("url", KEY, soft=True))
    assert part.finish(stored, 5)
    part.close()
    swept(store)
    found = find(store, stored)
    assert found is not None
    assert found.flags & StoredFlag.INVALIDATED


def test_a_freshening_begun_before_a_hard_purge_is_refused(store: Store) -> None:
    stored = a_record()
    fill(store, stored)
    store.purge(PurgeRule("url", KEY))
    assert not store.record(msgspec.structs.replace(stored, lifetime_s=1e6), digest(KEY))


def test_the_sweep_frees_the_room_and_then_forgets_the_rule(store: Store) -> None:
    kept = a_record(OTHER, version="kept")
    fill(store, kept)
    for number in range(10):
        fill(store, a_record(b"films\nold/%d" % number, version=str(number)))
    store.purge(PurgeRule("prefix", b"films\nold/"))
    swept(store)
    swept(store)
    assert len(slice_files(store.path)) == 1
    assert store.stats()["objects"] == 1
    assert store.stats()["rules"] == 0
    assert find(store, kept) == kept


def test_a_rule_is_kept_as_long_as_fills_may_be_older_than_it(tmp_path: Path) -> None:
    with a_store(tmp_path, clock=lambda: 1000.0) as store:
        store.purge(PurgeRule("url", KEY))
        for now, rules in ((1599.0, 1), (1600.0, 0)):
            while sweep.step(store, 10, now=now, keep_s=600.0):
                pass
            assert store.stats()["rules"] == rules
            assert store.generation() == 1


def test_a_member_of_a_network_can_tell_others_of_a_purge_after_a_restart(tmp_path: Path) -> None:
    day = sweep.KEEP_FOR_OTHERS_S
    with a_store(tmp_path, clock=lambda: 1000.0) as store:
        store.purge(PurgeRule("prefix", b"films\n"))
    for now, rules in ((1000.0 + day - 1, [1000.0]), (1000.0 + day, [])):
        with a_store(tmp_path, clock=lambda now=now: now) as store:  # type: ignore[misc]
            while sweep.step(store, 10, now=now, keep_rules_s=day):
                pass
        with a_store(tmp_path, clock=lambda now=now: now) as store:  # type: ignore[misc]
            assert [rule.made_at for rule in store.rules.current().of_key(KEY)] == rules


def test_a_replaced_version_is_remembered_as_long_as_a_rule(
    tmp_path: Path,
) -> None:
    old, new = a_record(version="old"), a_record(version="new", response_time=2000.0)
    with a_store(tmp_path, clock=lambda: 1000.0) as store:
        for n in range(20):  # too many to remove at once
            fill(store, old, n=n)
        fill(store, new)
        for now, superseded in ((1599.0, 1), (1600.0, 0)):
            while sweep.step(store, 10, now=now, keep_s=600.0):
                pass
            assert store.index.entries(store.index.superseded) == superseded


def test_what_survived_a_forgotten_rule_still_takes_slices(store: Store) -> None:
    kept = a_record(OTHER, version="kept")
    fill(store, kept)
    store.purge(PurgeRule("url", KEY))
    swept(store)
    assert fill(store, kept, n=1)
    assert store.slices(kept) == [0, 1]


def test_a_soft_purge_outlives_its_rule(store: Store) -> None:
    stored = a_record()
    fill(store, stored)
    store.purge(PurgeRule("all", soft=True))
    swept(store)
    swept(store)
    assert store.stats()["rules"] == 0
    found = find(store, stored)
    assert found is not None
    assert found.flags & StoredFlag.INVALIDATED


def test_purges_hold_after_reopening(tmp_path: Path) -> None:
    stored = a_record()
    with a_store(tmp_path) as first:
        fill(first, stored)
        generation = first.purge(PurgeRule("url", KEY))
    with a_store(tmp_path) as second:
        assert second.generation() == generation
        assert find(second, stored) is None


def test_a_number_announced_by_a_purger_that_died_is_used_up(store: Store) -> None:
    stored = a_record()
    fill(store, stored)
    store.state.set_generation(store.generation() + 1)  # announced, never committed
    assert find(store, stored) == stored
    assert store.stats()["generation"] == store.generation()
    store.purge(PurgeRule("url", KEY))
    assert find(store, stored) is None


def test_a_thousand_rules_all_apply(store: Store) -> None:
    for number in range(1000):
        store.purge(PurgeRule("url", b"films\nold/%d" % number), durable=False)
    stored = a_record(b"films\nold/500")
    assert not fill(store, stored)
    assert fill(store, a_record())


def test_purges_that_wait_are_bounded_in_number_and_size(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("headrace.store.store.MOST_RULES", 20)
    for number in range(20):
        store.purge(PurgeRule("url", b"s\nh/%d" % number), durable=False)
    with pytest.raises(StoreError, match="20 purges wait") as waits:
        store.purge(PurgeRule("url", KEY), durable=False)
    assert cause_of(waits.value) is None  # no disk that is full: clients can bring this about
    swept(store)
    store.purge(PurgeRule("url", KEY), durable=False)
    with pytest.raises(StoreError, match="hits nothing"):
        store.purge(PurgeRule("url", b"k" * 40_000), durable=False)


def test_of_many_purges_those_carried_out_are_forgotten_early(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("headrace.store.maintenance.sweep.MOST_RULES_KEPT_LONG", 5)
    old = a_record(b"s\nh/old", version="old", generation=store.generation())
    for number in range(50):
        store.purge(PurgeRule("url", b"s\nh/%d" % number), durable=False)
    swept(store, keep_s=600.0)
    assert store.stats()["rules"] == 5
    assert (store.path / "purges").stat().st_size < 7 * 100
    # Its fill began before what is forgotten: nobody knows what it escaped.
    assert not fill(store, old)
    assert fill(store, a_record(b"s\nh/new", version="new", generation=store.generation()))
