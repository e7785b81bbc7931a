"""Purge rules as values: what one says, which records it hits, and a set of them that is quick to
ask. Pure; where rules are kept is not decided here.
"""

from __future__ import annotations

import bisect
import enum
import heapq
from collections.abc import Iterable
from typing import Literal

import msgspec

from headrace.cache.key import without_scheme
from headrace.cache.record import StoredResponse

RuleKind = Literal["url", "prefix", "tag", "all"]


class PurgeRule(msgspec.Struct, array_like=True, gc=False, frozen=True):
    """Everything stored before `generation` that this matches is purged.

    `value` is a whole cache key less its scheme ("url": every variant of it, for both schemes), the
    beginning of one ("prefix"), a tag ("tag") or empty ("all"). `service` narrows it to the keys of
    one service (the part before the first newline). A `soft` rule makes stale instead of removing.
    The store fills in `generation` and `made_at` (Unix seconds).
    """

    kind: RuleKind
    value: bytes = b""
    soft: bool = False
    service: bytes | None = None
    generation: int = 0
    made_at: float = 0.0


MOST_RULES = 100_000
MOST_RULES_KEPT_LONG = 10_000
MOST_BY_TAG = 64
MOST_SERVICES = 1024
LONGEST_VALUE = 32 * 1024
"""Rules are in every process's memory and in the journal, so all of them are bounded: at most
MOST_RULES wait to be carried out. From MOST_RULES_KEPT_LONG on, they are forgotten as soon as they
are; a response whose fetch began before is then not kept, for no one knows what it escaped."""


class PurgeEffect(enum.IntEnum):
    """What the rules say of a record. The higher wins."""

    KEPT = 0
    SOFT = 1
    HARD = 2


def matches(rule: PurgeRule, stored: StoredResponse) -> bool:
    """Return whether the rule's words fit this record. Generations are not compared."""
    key = stored.key
    if rule.service is not None and not key.startswith(rule.service + b"\n"):
        return False
    match rule.kind:
        case "url":
            return without_scheme(key) == rule.value
        case "prefix":
            return key.startswith(rule.value)
        case "tag":
            return rule.value in stored.tags
        case "all":
            return True


class RuleSet:
    """Live rules, filed so that a thousand cost a lookup no more than a few dictionary reads.

    Prefixes are filed by length: asking costs one slice of the key per distinct length.
    """

    __slots__ = (
        "_all", "_by_prefix_length", "_by_tag", "_by_url", "_newest_by_tag", "newest", "rules",
    )  # fmt: skip

    def __init__(self, rules: Iterable[PurgeRule] = ()) -> None:
        self.newest = 0
        self.rules: list[PurgeRule] = []
        self._all: list[PurgeRule] = []
        self._by_url: dict[bytes, list[PurgeRule]] = {}
        self._by_tag: dict[bytes, list[PurgeRule]] = {}
        self._newest_by_tag: dict[bytes, list[PurgeRule]] = {}
        self._by_prefix_length: dict[int, dict[bytes, list[PurgeRule]]] = {}
        for rule in rules:
            self.add(rule)

    def add(self, rule: PurgeRule) -> None:
        """Add a rule: they come in the order of their generations."""
        self.newest = max(self.newest, rule.generation)
        self.rules.append(rule)
        match rule.kind:
            case "url":
                self._by_url.setdefault(rule.value, []).append(rule)
            case "prefix":
                same_length = self._by_prefix_length.setdefault(len(rule.value), {})
                same_length.setdefault(rule.value, []).append(rule)
            case "tag":
                self._by_tag.setdefault(rule.value, []).append(rule)
                self._newest_by_tag.clear()
            case "all":
                self._all.append(rule)

    def since(self, generation: int) -> list[PurgeRule]:
        """Return the rules newer than `generation`, oldest first."""
        after = bisect.bisect_right(self.rules, generation, key=lambda rule: rule.generation)
        return self.rules[after:]

    def effect(self, stored: StoredResponse) -> PurgeEffect:
        """Return what the rules newer than the record's generation make of it."""
        if stored.generation >= self.newest:
            return PurgeEffect.KEPT
        found = PurgeEffect.KEPT
        for rule in self._candidates(stored):
            if rule.generation <= stored.generation or not matches(rule, stored):
                continue
            if not rule.soft:
                return PurgeEffect.HARD
            found = PurgeEffect.SOFT
        return found

    def of_key(self, key: bytes) -> Iterable[PurgeRule]:
        """Yield the rules that hit whatever is stored under a key."""
        service = key.partition(b"\n")[0]
        for rule in self._by_key(key):
            if rule.service is None or rule.service == service:
                yield rule

    def newest_by_tag(self, key: bytes, limit: int) -> list[PurgeRule]:
        """Return the `limit` newest rules by tags that may hit what is stored under a key, newest
        first: for each tag the newest one that removes, and one that makes stale if that is newer.
        """
        if not self._by_tag:
            return []
        service = key.partition(b"\n")[0]
        found = self._newest_by_tag.get(service)
        if found is None:
            if len(self._newest_by_tag) >= MOST_SERVICES:
                self._newest_by_tag.clear()
            found = self._newest_by_tag[service] = self._find_newest(service)
        return found[:limit]

    def _find_newest(self, service: bytes) -> list[PurgeRule]:
        found: list[PurgeRule] = []
        for rules in self._by_tag.values():
            stale: PurgeRule | None = None
            for rule in reversed(rules):
                if rule.service is not None and rule.service != service:
                    continue
                if not rule.soft:
                    found.append(rule)
                    break
                stale = stale or rule
            if stale is not None:
                found.append(stale)
        return heapq.nlargest(MOST_BY_TAG, found, key=lambda rule: rule.generation)

    def _by_key(self, key: bytes) -> Iterable[PurgeRule]:
        yield from self._all
        yield from self._by_url.get(without_scheme(key), ())
        for length, prefixes in self._by_prefix_length.items():
            yield from prefixes.get(key[:length], ())

    def _candidates(self, stored: StoredResponse) -> Iterable[PurgeRule]:
        yield from self._by_key(stored.key)
        if self._by_tag:
            for tag in stored.tags:
                yield from self._by_tag.get(tag, ())
