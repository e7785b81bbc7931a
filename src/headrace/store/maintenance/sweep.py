"""The sweep: carries purge rules out, record by record, and removes replaced versions.

Purges take effect at once by their rules; the sweep only frees the room, and keeps the list of
rules short.
"""

from __future__ import annotations

import itertools
import os

import msgspec

from headrace.cache.record import StoredFlag, StoredResponse
from headrace.store import locks, purge_journal
from headrace.store.header import decode_record, encode_record
from headrace.store.layout import JOURNAL, SWEEP_LOCK
from headrace.store.live_purges import rules_in
from headrace.store.purge_rules import MOST_RULES_KEPT_LONG, PurgeEffect, PurgeRule, RuleSet
from headrace.store.store import Store
from headrace.store.transaction import BATCH, WHEN, Transaction, invalidated
from headrace.store.trimming import trim

KEEP_S = 600.0
"""How long a purge rule lives at least: until then it still stops fills that began before it."""
KEEP_FOR_OTHERS_S = 24 * 3600.0
"""How long it lives in a member of a network, which tells servers of it that it asks: one that was
down when all were told of the purge may still have what it hits."""


class Pass(msgspec.Struct, array_like=True, frozen=True):
    """One walk over all records: the rules up to `generation` are carried out by its end."""

    generation: int
    cursor: bytes


PASS = b"pass"
SWEPT = b"swept"
"""Rows of `meta`: the walk that is under way, and the generation the last whole walk began at."""


def step(
    store: Store,
    limit: int,
    *,
    now: float,
    keep_s: float = KEEP_S,
    keep_rules_s: float | None = None,
) -> bool:
    """Sweep at most `limit` records; True while there is more to do. `now` is Unix time.

    Removes what rules and replacements left behind, then forgets the rules that are older than
    `keep_rules_s` (None: `keep_s`), and the versions that were replaced before `keep_s`. One
    process at a time sweeps; for others this is False at once. Raises StoreError or OSError.
    """
    fd = locks.open_lock_file(store.path / SWEEP_LOCK)
    try:
        if not locks.try_lock(fd):
            return False
        store.state.forget_dead_holders()
        above = trim(store)
        replaced = _sweep_superseded(store, now - keep_s)
        walked = _walk(store, limit)
        _forget(store, now - (keep_s if keep_rules_s is None else keep_rules_s))
        return above or replaced or walked
    finally:
        os.close(fd)


def _walk(store: Store, limit: int) -> bool:
    """Check `limit` records; True while the walk has not come to the end."""
    index = store.index
    rules = store.rules.current()
    with index.read() as transaction:
        swept = int.from_bytes(bytes(transaction.get(SWEPT, b"", index.meta)), "big")
        packed = transaction.get(PASS, None, index.meta)
        current = msgspec.msgpack.decode(packed, type=Pass) if packed is not None else None
        if current is None:
            if rules.newest <= swept:
                return False
            current = Pass(rules.newest, b"")
        hit: list[bytes] = []
        with transaction.cursor(index.records) as cursor:
            more = cursor.set_range(current.cursor)
            seen = 0
            while more and seen < limit and len(hit) < BATCH:
                if _is_to_go(rules, cursor.value()):
                    hit.append(bytes(cursor.key()))
                seen += 1
                more = cursor.next()
            next_key = bytes(cursor.key()) if more else None
    again = False
    with store.transaction() as transaction:
        for key in hit:
            if len(transaction.doomed) >= BATCH:
                next_key, again = key, True
                break
            if not _carry_out(transaction, rules, key):
                next_key, again = key, True
                break
        if next_key is None:
            transaction.change.remove(index.meta, PASS)
            transaction.change.put(index.meta, SWEPT, current.generation.to_bytes(8, "big"))
        else:
            transaction.change.put(
                index.meta, PASS, msgspec.msgpack.encode(Pass(current.generation, next_key))
            )
    return again or next_key is not None


def _is_to_go(rules: RuleSet, packed: memoryview) -> bool:
    """Return whether rules hit a record; one that says nothing may be what they mean."""
    try:
        return _is_hit(rules, decode_record(packed))
    except msgspec.DecodeError:
        return True


def _is_hit(rules: RuleSet, stored: StoredResponse) -> bool:
    match rules.effect(stored):
        case PurgeEffect.HARD:
            return True
        case PurgeEffect.SOFT:
            return not stored.flags & StoredFlag.INVALIDATED
        case PurgeEffect.KEPT:
            return False


def _carry_out(transaction: Transaction, rules: RuleSet, key: bytes) -> bool:
    """Carry the rules out on a record; False when slices are left for another transaction."""
    stored = transaction.existing(key)
    if stored is None:
        transaction.drop_unreadable(key)
        return True
    if not _is_hit(rules, stored):
        return True  # replaced since it was read
    if rules.effect(stored) is PurgeEffect.SOFT:
        transaction.change.put(
            transaction.change.index.records, key, encode_record(invalidated(stored))
        )
        return True
    slices = transaction.slice_keys(stored.version, BATCH)
    for slice_key in slices:
        transaction.drop_slice(slice_key)
    if len(slices) == BATCH and transaction.existing(key) is not None:
        return False
    transaction.drop_record(key, stored.version)
    transaction.change.totals.purged += 1
    return True


def _sweep_superseded(store: Store, oldest: float) -> bool:
    """Remove slices of replaced versions; True while there are more.

    A version's row stays until it is older than `oldest`: its late slices are still refused.
    """
    index = store.index
    with index.read() as transaction, transaction.cursor(index.superseded) as cursor:
        waiting = [(bytes(version), WHEN.unpack(when)[0] <= oldest) for version, when in cursor]
    for version, is_old in waiting:
        with index.read() as transaction, transaction.cursor(index.slices) as cursor:
            has_slices = cursor.set_range(version) and bytes(cursor.key()).startswith(version)
        if not has_slices and not is_old:
            continue
        with store.transaction() as transaction:
            keys = transaction.slice_keys(version, BATCH)
            for key in keys:
                transaction.drop_slice(key)
            if len(keys) < BATCH and is_old:
                transaction.change.remove(index.superseded, version)
        if keys:
            return True
    return False


def _forget(store: Store, oldest: float) -> None:
    """Forget the rules that a whole walk has carried out and that are older than `oldest`."""
    index = store.index
    with index.read() as transaction:
        swept = int.from_bytes(bytes(transaction.get(SWEPT, b"", index.meta)), "big")
        live = rules_in(index, transaction, 0)
    beyond = len(live) - MOST_RULES_KEPT_LONG
    over = [
        rule
        for _number, rule in itertools.takewhile(
            lambda each: (
                each[1].generation <= swept and (each[1].made_at <= oldest or each[0] < beyond)
            ),
            enumerate(live),
        )
    ]
    if not over:
        return
    horizon = over[-1].generation
    # After a crash of the operating system the files hold the records as they were fetched; what
    # is older than a forgotten rule is then to be validated before it is used.
    marker = PurgeRule("all", soft=True, generation=horizon)
    path = store.path / JOURNAL
    purge_journal.prepare(path, [marker, *live[len(over) :]])
    with index.write() as change:
        for rule in over:
            change.remove(index.rules, rule.generation.to_bytes(8, "big"))
        change.totals.horizon = horizon
        purge_journal.replace(path, rules_in(index, change.transaction, live[-1].generation))
