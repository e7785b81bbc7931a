"""What the supervisor asks of the store, as values and a protocol.

The admin API and the sweep know only this; `opening` fits the real store to it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, Protocol

import msgspec

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


class StoredObject(msgspec.Struct):
    """One stored response: whose it is, how large and how fresh. A `length` of -1: not known yet.

    `scheme` is None where the service does not keep schemes apart.
    """

    service: str
    url: str
    scheme: str | None
    variant: str
    status: int
    length: int
    age_s: float
    lifetime_s: float
    fresh: bool
    tags: list[str]
    version: str


class StoredSlice(msgspec.Struct):
    """One slice of a body: its number, its bytes, and those of its file."""

    n: int
    bytes: int
    file_bytes: int


class StoredVariant(msgspec.Struct):
    """Everything that is stored of one variant of an object. Times are Unix seconds."""

    key: str
    variant: str
    vary: list[str]
    status: int
    headers: list[tuple[str, str]]
    response_time: float
    corrected_age_s: float
    lifetime_s: float
    stale_while_revalidate_s: float
    stale_if_error_s: float
    flags: int
    length: int
    slice_bytes: int
    version: str
    generation: int
    tags: list[str]
    purged: Literal["kept", "soft", "hard"]
    slices: list[StoredSlice]
    age_s: float
    fresh: bool


class PendingPurge(msgspec.Struct):
    """A purge that the sweep has not finished yet. `made` is Unix seconds.

    `value` is a URL or its beginning without a scheme, or a tag; it is empty for all. `scheme` is
    None where the purge is for both, `service` None where it is for all.
    """

    generation: int
    made: float
    kind: PurgeKind
    value: str
    scheme: str | None
    service: str | None
    soft: bool


@dataclass(frozen=True, slots=True)
class Page:
    """Some stored objects, and where the next page begins (None after the last)."""

    objects: list[StoredObject]
    cursor: str | None


class StoreAdmin(Protocol):
    """The store's administration. Calls may wait for the disk (see store_thread).

    All but `close` may raise HeadraceError or OSError.
    """

    def generation(self) -> int:
        """Return the purge generation: it grows with every purge."""
        ...

    def purge(self, purge: Purge) -> int:
        """Make this purge true for every process's next lookup; its generation."""
        ...

    def purges(self, limit: int) -> list[PendingPurge]:
        """Return the newest purges that are not carried out to the end yet."""
        ...

    def sweep(self) -> bool:
        """Take one bounded step of cleaning up; return whether there is more to do now."""
        ...

    def refusal(self) -> str:
        """Return why the disk takes nothing new, after a trial where it did not; "" if it does."""
        ...

    def stats(self) -> Mapping[str, float]:
        """Sizes and counts, under the store's own names."""
        ...

    def listing(self, prefix: bytes, limit: int, cursor: str | None) -> Page:
        """Stored objects whose cache key begins with `prefix`. Raises CursorError."""
        ...

    def inspect(self, key: bytes) -> list[StoredVariant]:
        """Return every stored variant of one cache key."""
        ...

    def close(self) -> None:
        """Release the store."""
        ...
