"""What can go wrong in the store. Plain OSError (ENOSPC, EIO) also reaches callers unchanged."""

from __future__ import annotations

from headrace.errors import HeadraceError


class StoreError(HeadraceError):
    """The store cannot do what was asked. The message names the remedy."""


class StoreFull(StoreError):
    """The index has no room left, on its map or on its disk; nothing was changed."""


class IndexDamaged(StoreError):
    """The index's pages or rows make no sense. The next start makes it anew from the files."""


class StoreInUse(StoreError):
    """Another edge owns this cache directory."""


class SliceTooLarge(StoreError):
    """A slice of more than half the store's capacity would wipe it; it is refused."""
