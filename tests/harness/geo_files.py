"""Geographic files in MaxMind's format, for tests."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mmdb_writer import MMDBWriter
from netaddr import IPSet

from headrace.topology.geo import Place


def write_geo_file(path: Path, records: Mapping[str, Any], ip_version: int = 6) -> Path:
    """Write a file with a record for each prefix; return its path."""
    writer = MMDBWriter(
        ip_version, "Headrace-Test", ipv4_compatible=ip_version == 6, languages=["en"]
    )
    for prefix, record in records.items():
        writer.insert_network(IPSet([prefix]), record)
    writer.to_db_file(str(path))
    return path


def city(place: Place) -> dict[str, Any]:
    """Return a place as MaxMind's files have it."""
    return {
        "country": {"iso_code": place.country},
        "continent": {"code": place.continent},
        "location": {"latitude": place.latitude, "longitude": place.longitude},
    }
