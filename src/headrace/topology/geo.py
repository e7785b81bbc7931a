"""Where an address is, by a file in MaxMind's format: country, continent, coordinates."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from socket import AF_INET, AF_INET6, inet_ntop
from typing import Any, Protocol

import maxminddb
import msgspec

from headrace.errors import HeadraceError


class BadGeoFile(HeadraceError):
    """A file that cannot be read, or is not in MaxMind's format."""


class Place(msgspec.Struct, frozen=True):
    """Where something is: ISO codes of country and continent ("": not known), coordinates."""

    country: str = ""
    continent: str = ""
    latitude: float | None = None
    longitude: float | None = None


NOWHERE = Place()
_V4_PROBES = tuple(f"{number}.0.0.0" for number in range(0, 256, 5))
_V6_PROBES = tuple(f"{number:x}::" for number in range(0x2000, 0x4000, 0x101))


class Places(Protocol):
    """Knows where addresses are."""

    def place(self, client: bytes) -> tuple[Place, int]:
        """Return where an address (see `coverage.client_of`) is, and for how long a prefix around
        it that is so."""


class GeoTable:
    """A file, mapped. Nobody may write into it: replace it by renaming another one, and open it
    again. `kind` and `made_at` are what the file says of itself.
    """

    def __init__(self, path: Path) -> None:
        """Map a file. Raises BadGeoFile."""
        try:
            self._reader = maxminddb.open_database(path, maxminddb.MODE_MMAP_EXT)
            about = self._reader.metadata()
            self.kind, self.made_at = str(about.database_type), int(about.build_epoch)
            self._v4_only = about.ip_version == 4
            for address in _V4_PROBES if self._v4_only else _V4_PROBES + _V6_PROBES:
                self._reader.get(address)
        except OSError as error:
            raise BadGeoFile(f"cannot read {path}: {error.strerror or error}") from error
        except (maxminddb.InvalidDatabaseError, ValueError, TypeError) as error:
            raise BadGeoFile(
                f"{path} is not a whole file in MaxMind's format (.mmdb): {error}"
            ) from error

    def place(self, client: bytes) -> tuple[Place, int]:
        """Return where an address is, and for how long a prefix around it that is so.

        What a damaged record says is passed over.
        """
        bits = len(client) * 8
        if bits == 128 and self._v4_only:
            return NOWHERE, 0
        text = inet_ntop(AF_INET if bits == 32 else AF_INET6, client)
        try:
            record, length = self._reader.get_with_prefix_len(text)
        except (maxminddb.InvalidDatabaseError, ValueError):
            return NOWHERE, bits
        return _place(record), min(max(length, 0), bits)


def _place(record: object) -> Place:
    """Return the place in a record, whatever it is."""
    if not isinstance(record, dict):
        return NOWHERE
    location = _table(record, "location")
    latitude = _degrees(location.get("latitude"), 90.0)
    longitude = _degrees(location.get("longitude"), 180.0)
    if latitude is None or longitude is None:
        latitude = longitude = None
    country = _code(_table(record, "country").get("iso_code"))
    return Place(
        country or _code(_table(record, "registered_country").get("iso_code")),
        _code(_table(record, "continent").get("code")),
        latitude,
        longitude,
    )


def _table(record: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = record.get(name)
    return found if isinstance(found, dict) else {}


def _code(value: object) -> str:
    if isinstance(value, str) and len(value) == 2 and value.isascii() and value.isalpha():
        return value.upper()
    return ""


def _degrees(value: object, most: float) -> float | None:
    if isinstance(value, int | float) and math.isfinite(value) and abs(value) <= most:
        return float(value)
    return None
