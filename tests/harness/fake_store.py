"""A store in memory for tests of the supervisor and its admin API: it remembers what was asked."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from headrace.config import Config
from headrace.edge.admin.store_admin import (
    CursorError,
    Page,
    PendingPurge,
    Purge,
    StoredObject,
    StoredSlice,
    StoredVariant,
)


class FakeStore:
    """Objects are their cache keys. `refuses` says why its disk takes nothing."""

    def __init__(self, objects: Collection[bytes] = ()) -> None:
        self.objects = sorted(objects)
        self.made: list[Purge] = []
        self.steps_left = 3
        self.steps = 0
        self.closed = False
        self.refuses = ""

    def generation(self) -> int:
        return len(self.made)

    def purge(self, purge: Purge) -> int:
        self.made.append(purge)
        return len(self.made)

    def purges(self, limit: int) -> list[PendingPurge]:
        newest = list(enumerate(self.made, 1))[: -limit - 1 : -1]
        return [
            PendingPurge(
                generation, 0.0, purge.kind, purge.value.decode(), None, purge.service, purge.soft
            )
            for generation, purge in newest
        ]

    def sweep(self) -> bool:
        self.steps += 1
        self.steps_left -= 1
        return self.steps_left > 0

    def refusal(self) -> str:
        return self.refuses

    def stats(self) -> Mapping[str, float]:
        return {"objects": len(self.objects), "bytes": 10 * len(self.objects)}

    def listing(self, prefix: bytes, limit: int, cursor: str | None) -> Page:
        keys = [key for key in self.objects if key.startswith(prefix)]
        if cursor is not None and not cursor.isdigit():
            raise CursorError(cursor)
        begin = 0 if cursor is None else int(cursor)
        end = begin + limit
        found = [stored_object(key) for key in keys[begin:end]]
        return Page(found, str(end) if end < len(keys) else None)

    def inspect(self, key: bytes) -> list[StoredVariant]:
        return [stored_variant(key)] if key in self.objects else []

    def close(self) -> None:
        self.closed = True


def stored_object(key: bytes) -> StoredObject:
    """Return what a store would show in a listing of this key's object."""
    service, _newline, url = key.decode().partition("\n")
    return StoredObject(
        service=service,
        url=url,
        scheme=None,
        variant="",
        status=200,
        length=10,
        age_s=1.0,
        lifetime_s=60.0,
        fresh=True,
        tags=["news"],
        version="00",
    )


def stored_variant(key: bytes) -> StoredVariant:
    """Return what a store would show of this key's only variant."""
    return StoredVariant(
        key=key.decode(),
        variant="",
        vary=[],
        status=200,
        headers=[("Content-Type", "video/mp4")],
        response_time=1.0,
        corrected_age_s=0.0,
        lifetime_s=60.0,
        stale_while_revalidate_s=0.0,
        stale_if_error_s=0.0,
        flags=0,
        length=10,
        slice_bytes=1024,
        version="00",
        generation=1,
        tags=["news"],
        purged="kept",
        slices=[StoredSlice(0, 10, 4096)],
        age_s=1.0,
        fresh=True,
    )


def open_fake_store(_config: Config) -> FakeStore:
    """A store_opener for the supervisor."""
    return FakeStore()
