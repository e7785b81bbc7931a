"""Where addresses are, by a file in MaxMind's format; and files that say nonsense."""

from __future__ import annotations

from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest

from headrace.topology.coverage import client_of
from headrace.topology.geo import NOWHERE, BadGeoFile, GeoTable, Place
from tests.harness.geo_files import city, write_geo_file

ROME = Place("IT", "EU", 41.9, 12.5)


def place(table: GeoTable, address: str) -> tuple[Place, int]:
    return table.place(client_of(ip_address(address)))


def test_an_address_has_the_place_of_its_prefix(tmp_path: Path) -> None:
    table = GeoTable(
        write_geo_file(
            tmp_path / "city.mmdb",
            {"203.0.113.0/24": city(ROME), "2001:db8::/32": city(Place("US", "NA", 40.0, -100.0))},
        )
    )
    assert place(table, "203.0.113.7") == (ROME, 24)
    assert place(table, "::ffff:203.0.113.7") == (ROME, 24)
    assert place(table, "2001:db8::1") == (Place("US", "NA", 40.0, -100.0), 32)
    assert place(table, "10.0.0.1") == (NOWHERE, 1)
    assert place(table, "2a00::1")[0] == NOWHERE
    assert table.kind == "Headrace-Test"


def test_a_file_for_ipv4_says_nothing_of_ipv6(tmp_path: Path) -> None:
    table = GeoTable(write_geo_file(tmp_path / "v4.mmdb", {"203.0.113.0/24": city(ROME)}, 4))
    assert place(table, "203.0.113.7") == (ROME, 24)
    assert place(table, "2001:db8::1") == (NOWHERE, 0)


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        ("text", NOWHERE),
        ({"country": "IT", "location": [1, 2], "continent": {"code": 7}}, NOWHERE),
        ({"country": {"iso_code": "it"}}, Place("IT")),
        ({"country": {"iso_code": "ITALY"}}, NOWHERE),
        ({"registered_country": {"iso_code": "IT"}}, Place("IT")),
        ({"location": {"latitude": 41.9}}, NOWHERE),
        ({"location": {"latitude": 91.0, "longitude": 0.0}}, NOWHERE),
        ({"location": {"latitude": float("nan"), "longitude": 0.0}}, NOWHERE),
        ({"location": {"latitude": 1.0, "longitude": float("inf")}}, NOWHERE),
        ({"location": {"latitude": 0.0, "longitude": 0.0}}, Place("", "", 0.0, 0.0)),
    ],
)
def test_what_a_record_says_wrongly_is_passed_over(
    tmp_path: Path, record: Any, expected: Place
) -> None:
    table = GeoTable(write_geo_file(tmp_path / "odd.mmdb", {"203.0.113.0/24": record}))
    assert place(table, "203.0.113.7")[0] == expected


def test_a_broken_file_is_refused(tmp_path: Path) -> None:
    whole = write_geo_file(tmp_path / "city.mmdb", {"203.0.113.0/24": city(ROME)}).read_bytes()
    broken = tmp_path / "broken.mmdb"
    for data in (b"", b"nonsense" * 100, whole[: len(whole) // 2], whole[:-20], whole[300:]):
        broken.write_bytes(data)
        with pytest.raises(BadGeoFile, match=r"broken\.mmdb"):
            GeoTable(broken)
    with pytest.raises(BadGeoFile, match="cannot read"):
        GeoTable(tmp_path / "none.mmdb")
