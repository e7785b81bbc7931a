"""A store in memory for tests of the supervisor and its admin API: it remembers what was asked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from headrace.config import Config
from headrace.edge.admin.store_admin import CursorError, Page, Purge


class FakeStore:
    """Objects are a mapping from cache keys to anything."""

    def __init__(self, objects: Mapping[bytes, dict[str, Any]] | None = None) -> None:
        self.objects = dict(objects or {})
        self.made: list[Purge] = []
        self.steps_left = 3
        self.steps = 0
        self.closed = False

    def generation(self) -> int:
        return len(self.made)

    def purge(self, purge: Purge) -> int:
        self.made.append(purge)
        return len(self.made)

    def purges(self, limit: int) -> list[dict[str, Any]]:
        newest = list(enumerate(self.made, 1))[: -limit - 1 : -1]
        return [
            {
                "generation": generation,
                "made": 0.0,
                "kind": purge.kind,
                "value": purge.value.decode(),
                "service": purge.service,
                "soft": purge.soft,
            }
            for generation, purge in newest
        ]

    def sweep(self) -> bool:
        self.steps += 1
        self.steps_left -= 1
        return self.steps_left > 0

    def stats(self) -> Mapping[str, float]:
        return {"objects": len(self.objects), "bytes": 10 * len(self.objects)}

    def listing(self, prefix: bytes, limit: int, cursor: str | None) -> Page:
        keys = sorted(key for key in self.objects if key.startswith(prefix))
        if cursor is not None and not cursor.isdigit():
            raise CursorError(cursor)
        begin = 0 if cursor is None else int(cursor)
        end = begin + limit
        found = [self.objects[key] for key in keys[begin:end]]
        return Page(found, str(end) if end < len(keys) else None)

    def inspect(self, key: bytes) -> list[dict[str, Any]]:
        return [self.objects[key]] if key in self.objects else []

    def close(self) -> None:
        self.closed = True


def open_fake_store(_config: Config) -> FakeStore:
    """A store_opener for the supervisor."""
    return FakeStore()
