"""The body files that a worker keeps mapped, the most recently used ones."""

from __future__ import annotations

import os
from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from mmap import mmap
from weakref import WeakSet

from headrace.cache.record import StoredResponse
from headrace.edge.body.growing_slice import LocalSlice
from headrace.edge.body.mapped_file import BodyError, MappedBody, OnDamage
from headrace.http.server.send_queue import View
from headrace.store import OpenSlice, SmallBody, Store

SliceId = tuple[bytes, int]


LIVE_BODIES: WeakSet[OpenBody] = WeakSet()
"""All bodies of this process that are open, whoever holds them."""


class OpenBody(MappedBody):
    """A mapped slice, what it is a slice of, and its hit counter's place in the store.

    `kept`: `OpenBodies` keeps it, and releases it when its file is deleted.
    """

    __slots__ = ("__weakref__", "kept", "place", "slot")

    def __init__(
        self,
        fd: int,
        offset: int,
        size_bytes: int,
        slot: int,
        *,
        place: Place | None = None,
        resident: bool = False,
        mapping: mmap | None = None,
        on_damage: OnDamage | None = None,
    ) -> None:
        super().__init__(
            fd, offset, size_bytes, resident=resident, mapping=mapping, on_damage=on_damage
        )
        self.slot = slot
        self.place = place
        self.kept = False
        LIVE_BODIES.add(self)


class BodyInMemory(OpenBody):
    """A small body that was read from the index, for the request that asked for it."""

    __slots__ = ()

    def __init__(self, found: SmallBody) -> None:
        self.fd = -1
        self.offset = 0
        self.size_bytes = len(found.body)
        self.view = memoryview(found.body)
        self.slot = found.slot
        self.place = None
        self.kept = False

    def resident(self, offset: int, size_bytes: int) -> bool:
        """Return True."""
        return True

    def lend(self, *, crowded: bool) -> bool:
        """Return False: it has no file."""
        del crowded
        return False

    def look(self, now: float) -> bool:
        """Return True."""
        return True

    def is_cut_short(self) -> bool:
        """Return False."""
        return False

    def damaged(self, problem: str) -> None:
        """Do nothing: it was verified, and is in memory."""
        return

    def copy(self) -> bytes:
        """Return the whole body."""
        return bytes(self.view)

    def load(self, offset: int, size_bytes: int) -> None:
        """Do nothing: it is in memory."""
        return


@dataclass(frozen=True, slots=True)
class Place:
    """Which slice of what response a file is."""

    key: bytes
    variant: bytes
    version: bytes
    number: int


class OpenBodies:
    """A bounded collection of open slices, by version and number.

    A damaged one leaves by itself; `on_damage` is told where it was and what is wrong. One whose
    file is deleted leaves too, for the disk has its room back only when nobody has it open:
    `on_removed` is told, so that others of this process release it as well.
    """

    def __init__(
        self,
        store: Store,
        limit: int,
        on_damage: Callable[[Place, str], None] | None = None,
        on_removed: Callable[[OpenBody], None] | None = None,
    ) -> None:
        self.limit = limit
        self._on_damage = on_damage
        self._on_removed = on_removed
        self._looks_at_others = False
        self._store = store
        self._bodies: OrderedDict[SliceId, OpenBody] = OrderedDict()

    def peek(self, version: bytes, number: int) -> OpenBody | None:
        """Return an open slice. Whoever sends it counts that (`Store.touch`)."""
        body = self._bodies.get((version, number))
        if body is not None:
            self._bodies.move_to_end((version, number))
        return body

    def pieces(self, stored: StoredResponse, start: int, end: int) -> list[View] | None:
        """Return the bytes from `start` to `end` as views of open slices, which counts as a use of
        each; None when one is not open.
        """
        slice_bytes = stored.slice_bytes
        number = start // slice_bytes
        base = number * slice_bytes
        if end <= base + slice_bytes:  # in one slice, as most are
            slice_id = (stored.version, number)
            body = self._bodies.get(slice_id)
            if body is None or body.size_bytes < end - base:
                return None
            self._bodies.move_to_end(slice_id)
            self._store.state.touch(body.slot)
            first = start - base
            return [(body.view[first : end - base], body, first)]
        found: list[View] = []
        slots: list[int] = []
        at = start
        while at < end:
            number = at // slice_bytes
            body = self.peek(stored.version, number)
            if body is None:
                return None
            base = number * slice_bytes
            first, last = at - base, min(end - base, slice_bytes)
            if body.size_bytes < last:
                return None
            found.append((body.view[first:last], body, first))
            slots.append(body.slot)
            at = base + last
        # Not before all are there: who finds one missing takes another way, and counts there.
        for slot in slots:
            self._store.touch(slot)
        return found

    def take(self, stored: StoredResponse, number: int, found: OpenSlice) -> OpenBody:
        """Map a slice that the store opened; no use is counted. Raises BodyError."""
        place = _place(stored, number)
        body = OpenBody(
            found.fd, found.offset, found.length, found.slot,
            place=place, on_damage=partial(self._damaged, place),
        )  # fmt: skip
        self._keep(stored, number, body)
        return body

    def adopt(self, stored: StoredResponse, growing: LocalSlice) -> None:
        """Keep a slice that this worker has just written."""
        if not growing.written or growing.part is None or growing.part.is_inside:
            return  # what is in the index is read from there
        place = _place(stored, growing.number)
        try:
            body = OpenBody(
                os.dup(growing.part.fd), growing.part.body_offset, growing.written,
                self._store.slot(stored.version, growing.number), place=place, resident=True,
                mapping=growing.mapping, on_damage=partial(self._damaged, place),
            )  # fmt: skip
        except (OSError, BodyError):
            return  # it will be opened again when it is asked for
        self._keep(stored, growing.number, body)

    def _damaged(self, place: Place, problem: str) -> None:
        self._release((place.version, place.number))
        if self._on_damage is not None:
            self._on_damage(place, problem)
        if self._looks_at_others:
            return
        # What cut one file short may have done so to the others of its object: to learn of each
        # from a client that is cut off would take many clients.
        self._looks_at_others = True
        try:
            for (version, _number), body in list(self._bodies.items()):
                if version == place.version and body.is_cut_short():
                    body.damaged(problem)
        finally:
            self._looks_at_others = False

    def _keep(self, stored: StoredResponse, number: int, body: OpenBody) -> None:
        self._release((stored.version, number))
        self._bodies[(stored.version, number)] = body
        body.kept = True
        while len(self._bodies) > self.limit:
            self._release(next(iter(self._bodies)))

    def _release(self, slice_id: SliceId) -> OpenBody | None:
        body = self._bodies.pop(slice_id, None)
        if body is not None:
            body.kept = False
        return body

    def removed(self, slices: Iterable[SliceId]) -> None:
        """Release slices whose files this process is about to remove."""
        for slice_id in slices:
            body = self._release(slice_id)
            if body is not None and self._on_removed is not None:
                self._on_removed(body)

    def drop_removed(self) -> None:
        """Release slices whose files another process has removed. 1 µs for each."""
        self.removed([key for key, body in self._bodies.items() if not os.fstat(body.fd).st_nlink])

    def __len__(self) -> int:
        return len(self._bodies)


def _place(stored: StoredResponse, number: int) -> Place:
    return Place(stored.key, stored.variant, stored.version, number)
