"""Who owns a cache directory: one edge (its supervisor) at a time."""

from __future__ import annotations

from pathlib import Path


class Claim:
    """The ownership of a cache directory; dies with its process."""

    @classmethod
    def take(cls, path: Path) -> Claim:
        raise NotImplementedError

    def release(self) -> None:
        """Write the store through to disk and mark it clean: call when every worker has closed."""
        raise NotImplementedError
