"""The purge rules that are not carried out yet, as each process knows them.

They are read from the index when the shared generation has changed, and only then.
"""

from __future__ import annotations

import bisect

import msgspec

from headrace.store.index import READ_ERRORS, Change, Index, damaged, totals_from
from headrace.store.purge_rules import PurgeRule, RuleSet
from headrace.store.shared_memory import SharedState

_decoder = msgspec.msgpack.Decoder(PurgeRule)


def encode_rule(rule: PurgeRule) -> bytes:
    """Return a rule as it stands in the index and in the journal."""
    return msgspec.msgpack.encode(rule)


class LivePurges:
    """One process's copy of the rules, brought up to date by `current`."""

    __slots__ = ("_index", "_rules", "_seen", "_state")

    def __init__(self, index: Index, state: SharedState) -> None:
        self._index = index
        self._state = state
        self._rules = RuleSet()
        self._seen = 0

    def current(self) -> RuleSet:
        """Return the live rules as of now. 100 ns unless a purge has happened.

        Raises StoreError when the index is damaged.
        """
        announced = self._state.generation()
        if announced != self._seen:
            self._load_announced(announced)
        return self._rules

    def within(self, change: Change) -> RuleSet:
        """Return the live rules as this write transaction sees them."""
        if change.totals.generation != self._seen:
            self._load(change.transaction, change.totals.generation, change.totals.horizon)
        return self._rules

    def _load_announced(self, announced: int) -> None:
        try:
            with self._index.read() as transaction:
                totals = totals_from(bytes(transaction.get(b"totals", b"", self._index.meta)))
                self._load(transaction, totals.generation, totals.horizon)
        except READ_ERRORS as error:
            raise damaged(error) from error
        if self._seen < announced:
            self._wait_for_purger(announced)

    def _wait_for_purger(self, announced: int) -> None:
        """Wait for the commit of a generation that is announced: its end releases the lock.

        If the purger died in between, the purge was reported to no one; its number is used up so
        that it is not searched for again.
        """
        with self._index.write() as change:
            change.totals.generation = max(change.totals.generation, announced)
            self._load(change.transaction, change.totals.generation, change.totals.horizon)

    def _load(self, transaction: object, generation: int, horizon: int) -> None:
        for rule in rules_in(self._index, transaction, self._seen):
            self._rules.add(rule)
        self._seen = generation
        # Rules that were carried out and forgotten hit nothing any more; they go when most have.
        known = self._rules.rules
        over = bisect.bisect_right(known, horizon, key=lambda rule: rule.generation)
        if over * 2 > len(known):
            self._rules = RuleSet(known[over:])


def rules_in(index: Index, transaction: object, after: int) -> list[PurgeRule]:
    """Return the rules of the index newer than the generation `after`, oldest first."""
    found = []
    with transaction.cursor(index.rules) as cursor:  # type: ignore[attr-defined]
        more = cursor.set_range((after + 1).to_bytes(8, "big"))
        while more:
            found.append(_decoder.decode(cursor.value()))
            more = cursor.next()
    return found


def newest_rules(index: Index, transaction: object, limit: int) -> list[PurgeRule]:
    """Return the `limit` newest rules of the index, newest first."""
    found: list[PurgeRule] = []
    with transaction.cursor(index.rules) as cursor:  # type: ignore[attr-defined]
        more = cursor.last()
        while more and len(found) < limit:
            found.append(_decoder.decode(cursor.value()))
            more = cursor.prev()
    return found
