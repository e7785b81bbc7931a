"""What the simulation asks of a policy."""

from __future__ import annotations

from typing import Protocol


class Policy(Protocol):
    """A cache of names and sizes. An entry larger than the whole cache is never held."""

    def request(self, entry: bytes, size_bytes: int) -> bool:
        """Whether it was held; on a miss it is fetched and may be held from now on."""

    def held(self) -> dict[bytes, int]:
        """Every entry held, with its size in bytes. A copy: for tests."""
