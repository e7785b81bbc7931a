"""Makes stored responses hot: ready to be sent at once, from memory or from a mapped file.

A plain request that finds nothing hot gets its response so as well, if that is stored whole and
needs no decision: without a task, it costs less than half of the longer way.
"""

from __future__ import annotations

import os

import msgspec

from headrace.cache.freshness import hot_until
from headrace.cache.record import StoredResponse
from headrace.cache.vary import variant_text
from headrace.edge.body.mapped_file import BodyError, read_at_once
from headrace.edge.body.open_files import OpenBody
from headrace.edge.context import WorkerContext
from headrace.edge.hot import HotEntry
from headrace.edge.service.resource import Resource
from headrace.http.message import Headers
from headrace.http.server.send_queue import BodyDamaged
from headrace.store import OpenSlice, SmallBody, StoreError

IN_MEMORY_BYTES = 16 * 1024


def make_hot(
    edge: WorkerContext,
    resource: Resource,
    stored: StoredResponse,
    body: OpenBody | memoryview | None,
    slot: int,
    generation: int,
) -> HotEntry | None:
    """Remember a fresh response for those who ask next; None when it is not fit for that.

    `body` is all of it, or None when it is in several slices. `slot` counts its hits, unless the
    body has its own. `generation` is of the purges that the look into the store took account of.
    """
    now = edge.now()
    fresh_until = hot_until(stored, resource.rules)
    if fresh_until <= now or edge.store.generation() != generation:
        return None
    view: memoryview | None
    mapped: OpenBody | None = None
    if isinstance(body, OpenBody):
        slot = body.slot
        if stored.length <= IN_MEMORY_BYTES:
            try:
                view = memoryview(body.copy())
            except BlockingIOError:
                return None
            except BodyDamaged as error:
                body.damaged(str(error))
                return None
        else:
            view, mapped = body.view, body
    else:
        view = body
    entry = HotEntry(resource, stored, view, mapped, slot, now, fresh_until)
    edge.hot.put(entry)
    if stored.vary:
        resource.vary = stored.vary
        resource.hot = None
    else:
        resource.vary = None
        resource.hot = entry
    return entry


class AtHand(msgspec.Struct, gc=False):
    """A stored response that needs no decision, with all of its body.

    `slot` counts its hits unless the body has its own. `generation` is of the purges that the look
    into the store took account of; `inside` says that the body came from the index, `now` when
    that was.
    """

    stored: StoredResponse
    body: OpenBody | memoryview
    slot: int
    generation: int
    inside: bool
    now: float


def at_hand(edge: WorkerContext, resource: Resource, headers: Headers) -> AtHand | None:
    """Return what is stored for a plain request; None where it takes more."""
    rules = resource.rules
    if not rules.shared:
        return None
    keyed = resource.service.keyed_fields

    def variant_of(vary: tuple[bytes, ...]) -> bytes | None:
        if keyed and not set(keyed) <= set(vary):
            return None
        return variant_text(vary, headers, rules) if vary else b""

    try:
        generation = edge.store.state.generation()
        if generation != edge.purged_up_to:
            edge.apply_purges()
            generation = edge.purged_up_to
        found = edge.store.whole(resource.key_hash, variant_of)
        if found is None:
            return None
        stored, small, slot = found
        now = edge.now()
        if not 0 <= stored.length <= stored.slice_bytes or hot_until(stored, rules) <= now:
            return None
        if small is not None:
            return AtHand(stored, memoryview(small), slot, generation, True, now)
        body, slot = _whole_body(edge, stored)
    except (StoreError, BodyError, OSError):
        return None  # the longer way knows what to do about it
    return None if body is None else AtHand(stored, body, slot, generation, False, now)


def promoted(edge: WorkerContext, resource: Resource, found: AtHand) -> HotEntry | None:
    """Return the hot entry for what is stored; None where it takes more, or none is to be."""
    if not edge.hot.memory_bytes:
        return None
    return make_hot(edge, resource, found.stored, found.body, found.slot, found.generation)


def _whole_body(
    edge: WorkerContext, stored: StoredResponse
) -> tuple[OpenBody | memoryview | None, int]:
    """Return the body, and its hit counter; None when it is not at hand. Raises StoreError,
    BodyError, OSError.
    """
    if not stored.length:
        return memoryview(b""), -1
    opened = edge.bodies.peek(stored.version, 0)
    if opened is not None:
        return (opened if opened.size_bytes == stored.length else None), opened.slot
    small = stored.length <= IN_MEMORY_BYTES  # verified here, in less time than a thread takes
    if not small and not edge.slices.trusts(stored.version, 0):
        return None, -1
    found = edge.store.open_slice(stored, 0)
    if found is None:
        return None, -1
    if isinstance(found, SmallBody):
        return (memoryview(found.body) if len(found.body) == stored.length else None), found.slot
    if found.length != stored.length or not (small or edge.slices.trusts(stored.version, 0, found)):
        os.close(found.fd)
        return None, -1
    if not small:
        return edge.bodies.take(stored, 0, found), found.slot
    try:
        return _in_memory(found, verifies=edge.slices.verifies), found.slot
    finally:
        os.close(found.fd)


def _in_memory(found: OpenSlice, *, verifies: bool) -> memoryview | None:
    """Return a small body, read if that need not wait for the disk; None also for one that is
    not sound, which the longer way takes out. Raises OSError.
    """
    body = bytearray(found.length)
    try:
        read = read_at_once(found.fd, body, found.offset)
    except BlockingIOError:
        return None
    if read != found.length or (verifies and not found.is_body(body)):
        return None
    return memoryview(body).toreadonly()
