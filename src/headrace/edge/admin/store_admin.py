"""What the supervisor asks of the store, as values and a protocol.

The admin API and the sweep know only this; `opening` fits the real store to it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from headrace.errors import HeadraceError

PurgeKind = Literal["url", "prefix", "tag", "all"]


@dataclass(frozen=True, slots=True)
class Purge:
    """One purge as the store takes it.

    `value` is a whole cache key (url), the beginning of one (prefix), a tag, or empty (all).
    `service` limits a tag to one service; keys name their service themselves.
    """

    kind: PurgeKind
    value: bytes
    soft: bool
    service: str | None = None


class CursorError(HeadraceError):
    """A cursor that no listing gave."""


@dataclass(frozen=True, slots=True)
class Page:
    """Some stored objects, and where the next page begins (None after the last)."""

    objects: list[dict[str, Any]]
    cursor: str | None


class StoreAdmin(Protocol):
    """The store's administration. Calls may wait for the disk (see store_thread).

    All but `close` may raise HeadraceError or OSError.
    """

    def generation(self) -> int:
        """The purge generation: it grows with every purge."""
        ...

    def purge(self, purge: Purge) -> int:
        """Make this purge true for every process's next lookup; its generation."""
        ...

    def purges(self, limit: int) -> list[dict[str, Any]]:
        """The newest purges that are not carried out to the end yet."""
        ...

    def sweep(self) -> bool:
        """One bounded step of cleaning up; True when there is more to do now."""
        ...

    def stats(self) -> Mapping[str, float]:
        """Sizes and counts, under the store's own names."""
        ...

    def listing(self, prefix: bytes, limit: int, cursor: str | None) -> Page:
        """Stored objects whose cache key begins with `prefix`. Raises CursorError."""
        ...

    def inspect(self, key: bytes) -> list[dict[str, Any]]:
        """Every stored variant of one cache key."""
        ...

    def close(self) -> None:
        """Release the store."""
        ...
