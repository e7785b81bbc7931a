"""Where an address is, by a file in MaxMind's format."""

from __future__ import annotations

from typing import Protocol

import msgspec


class Place(msgspec.Struct, frozen=True):
    """Where something is: ISO codes of country and continent ("": not known), coordinates."""

    country: str = ""
    continent: str = ""
    latitude: float | None = None
    longitude: float | None = None


NOWHERE = Place()


class Places(Protocol):
    """Knows where addresses are."""

    def place(self, client: bytes) -> tuple[Place, int]:
        """Return where an address (see `coverage.client_of`) is, and for how long a prefix around
        it that is so."""
        ...
