"""Responses that a worker can answer at once: a prepared head and a body in memory or mapped.

An entry is only good until its response might need a decision again (`until`), and never after a
purge that matches it. It is looked up in the store again every few seconds, so that what another
worker renewed or removed is noticed; if nothing was, it stays.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from headrace.bounded import DOOR_MARKS, Door
from headrace.cache.freshness import current_age_s
from headrace.cache.key import HTTPS
from headrace.cache.record import StoredResponse
from headrace.edge.body.open_files import OpenBody
from headrace.edge.service.resource import Resource, Resources
from headrace.edge.service.response_heads import HitHeads
from headrace.http.parser import RequestHead
from headrace.store import Block, PurgeRule, matches
from headrace.telemetry.service_tallies import ServiceTally

RECHECK_S = 2.0
OVERHEAD_BYTES = 2000  # the entry, its record and the objects around them
USUAL_BYTES = 4096  # what an entry with a body of 1 KB takes
FIELD_BYTES = 200  # a field's tuple and texts, less what is in them
HEAD_COPIES = 6  # the record's own, two templates, and the heads made of them


def cost_bytes(stored: StoredResponse, body_bytes: int) -> int:
    """Return what an entry takes of a worker's memory, with a body of so many bytes held there.

    An origin's head may be large, and a client chooses the key and the variant: all counts.
    """
    head_bytes = sum(len(name) + len(value) for name, value in stored.headers)
    head_bytes += sum(len(name) for name in stored.vary) + sum(len(tag) for tag in stored.tags)
    texts = len(stored.headers) + len(stored.vary) + len(stored.tags)
    named_bytes = 3 * (len(stored.key) + len(stored.variant))
    return (
        OVERHEAD_BYTES + body_bytes + HEAD_COPIES * head_bytes + FIELD_BYTES * texts + named_bytes
    )


class Hit:
    """A stored response that is sent at once. `content` is the class of what it answers (None: not
    looked up yet), `tally` where its service's requests are counted.
    """

    __slots__ = ("content", "resource", "stored", "tally")

    def __init__(self, resource: Resource, stored: StoredResponse) -> None:
        self.resource = resource
        self.tally = resource.service.tally  # at hand for each hit
        self.content: str | None = None
        self.stored = stored

    def age_s(self, now: float) -> float:
        """Return the age at `now`."""
        return current_age_s(self.stored, now)


class ReadyHit(msgspec.Struct, gc=False):
    """A response that is sent as it stands in the index: what `Hit` is for others. Its resource is
    looked up when someone asks for it: most who count a hit do not.

    A struct, for one is made for each such hit.
    """

    tally: ServiceTally
    block: Block
    resources: Resources
    head: RequestHead
    tls: bool
    content: str | None = None

    @property
    def resource(self) -> Resource:
        """What was asked for."""
        return self.resources.find(self.head, tls=self.tls)

    def age_s(self, now: float) -> float:
        """Return the age at `now`."""
        return current_age_s(self.block, now)


AnyHit = Hit | ReadyHit
"""What the context of an exchange is whose answer is sent at once."""


class HotEntry(Hit):
    """One stored response, ready to send.

    `prepared` is a head for the second `second`, made by `heads`, with everything but Connection.
    `body` is the whole body; `opened` its mapping when it is not held in memory; if it is, `whole`
    is both in one. A `body` of None means that it is in several slices: only ranges of it are sent
    from here. `partial` begins the head of a 206, once one
    was asked for in this second. `until` is when the store must be asked again
    before the next answer (`renewal` when it had better be, after one), `fresh_until` when the
    response must; all are 0 once the entry was dropped.
    """

    __slots__ = (
        "body",
        "cost_bytes",
        "fresh_until",
        "heads",
        "opened",
        "partial",
        "prepared",
        "renewal",
        "second",
        "slot",
        "until",
        "used",
        "whole",
    )  # fmt: skip

    def __init__(
        self,
        resource: Resource,
        stored: StoredResponse,
        body: memoryview | None,
        opened: OpenBody | None,
        slot: int,
        now: float,
        fresh_until: float,
    ) -> None:
        super().__init__(resource, stored)
        self.body = body
        self.opened = opened
        self.slot = slot
        self.fresh_until = fresh_until
        self.until = self.renewal = 0.0
        self.renew(now)
        self.heads: HitHeads | None = None
        self.prepared = b""
        self.whole = b""
        self.partial = b""
        self.second = -1
        self.used = True
        held = len(body) if body is not None and opened is None else 0
        self.cost_bytes = cost_bytes(stored, held)

    def renew(self, now: float) -> None:
        """Stay in use until the next check: the store still has the same."""
        self.until = min(self.fresh_until, now + RECHECK_S)
        self.renewal = now + RECHECK_S / 2

    def end(self) -> None:
        """Release file and memory at once.

        Resources that have it directly learn it so by `fresh_until`. Without the letting go,
        resource and entry would hold each other, and the file open, until the collector of cycles
        comes by.
        """
        self.until = self.renewal = self.fresh_until = 0.0
        self.body = self.opened = self.heads = None
        self.prepared = self.whole = self.partial = b""
        if self.resource.hot is self:
            self.resource.hot = None


class HotResponses:
    """Entries by key and variant, bounded by memory and by the files they may hold open."""

    def __init__(self, files: int, memory_bytes: int) -> None:
        self.files = files
        self.limit(memory_bytes)
        self.held_bytes = 0
        self.held_files = 0
        self._entries: dict[tuple[bytes, bytes], HotEntry] = {}
        self._variants: dict[bytes, set[bytes]] = {}

    def limit(self, memory_bytes: int) -> None:
        """Bound the memory of all entries."""
        self.memory_bytes = memory_bytes
        # What does not come again before so many others would have been pushed out by then.
        self._door = Door(min(DOOR_MARKS, max(1, memory_bytes // USUAL_BYTES)))

    def get(self, key: bytes, variant: bytes) -> HotEntry | None:
        """Return the entry of a key and variant, if there is one."""
        return self._entries.get((key, variant))

    def put(self, entry: HotEntry) -> None:
        """Add or replace an entry, and make room (second chance: CLOCK): others go first."""
        stored = entry.stored
        self.drop(stored.key, stored.variant)
        self._entries[(stored.key, stored.variant)] = entry
        self._variants.setdefault(stored.key, set()).add(stored.variant)
        self.held_bytes += entry.cost_bytes
        self.held_files += entry.opened is not None
        while self._is_over():
            oldest = next(iter(self._entries))
            candidate = self._entries[oldest]
            if candidate.used and (candidate is not entry or len(self._entries) > 1):
                candidate.used = candidate is entry
                del self._entries[oldest]
                self._entries[oldest] = candidate
            else:
                self.drop(*oldest)

    def admits(self, mark: int) -> bool:
        """Return whether a small response that was asked for is to be held: while there is room,
        and then if it came before, and lately. Once in a while all is asked for alike, by a search
        engine or a backup: what comes once is not worth what it would push out.
        """
        if self.held_bytes + USUAL_BYTES <= self.memory_bytes:
            return True
        return self._door.came_before(mark)

    def _is_over(self) -> bool:
        return self.held_files > self.files or self.held_bytes > self.memory_bytes

    def drop(self, key: bytes, variant: bytes) -> None:
        """Drop an entry, if there is one."""
        entry = self._entries.pop((key, variant), None)
        if entry is not None:
            self.held_bytes -= entry.cost_bytes
            self.held_files -= entry.opened is not None
            entry.end()
            variants = self._variants[key]
            variants.discard(variant)
            if not variants:
                del self._variants[key]

    def release(self, opened: OpenBody) -> None:
        """Drop the entry that holds a file open whose room the disk is to have back."""
        place = opened.place
        if place is None:
            return
        entry = self.get(place.key, place.variant)
        if entry is not None and entry.opened is opened:
            self.drop(place.key, place.variant)

    def purge(self, rules: Iterable[PurgeRule]) -> None:
        """Drop what these rules hit."""
        for rule in rules:
            if rule.kind == "all" and rule.service is None:
                self.clear()
                return
        for rule in rules:
            if rule.kind == "url":
                for key in (rule.value, rule.value + HTTPS):
                    for variant in tuple(self._variants.get(key, ())):
                        self.drop(key, variant)
                continue
            for entry in [e for e in self._entries.values() if matches(rule, e.stored)]:
                self.drop(entry.stored.key, entry.stored.variant)

    def drop_unused(self, now: float) -> None:
        """Drop what no one asked for lately if it holds a file open, and what is not fresh."""
        over = [
            entry
            for entry in self._entries.values()
            if entry.fresh_until <= now or (entry.opened is not None and entry.until <= now)
        ]
        for entry in over:
            self.drop(entry.stored.key, entry.stored.variant)

    def forget_classes(self) -> None:
        """Look up the classes of all entries again when they are next needed."""
        for entry in self._entries.values():
            entry.content = None

    def clear(self) -> None:
        """Drop all entries."""
        for entry in self._entries.values():
            entry.end()
        self._entries.clear()
        self._variants.clear()
        self.held_bytes = self.held_files = 0

    def __len__(self) -> int:
        return len(self._entries)
