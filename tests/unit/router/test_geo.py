"""A worker's geographic file: broken at the start, replaced, broken later."""

from __future__ import annotations

import asyncio
from ipaddress import IPv4Address
from pathlib import Path

import pytest

from headrace.router.geo import FollowedGeo
from headrace.topology.coverage import client_of
from headrace.topology.geo import BadGeoFile, GeoTable, Place
from tests.harness.geo_files import city, write_geo_file

ROME = Place("IT", "EU", 41.9, 12.5)
OSLO = Place("NO", "EU", 60.0, 10.0)
CLIENT = client_of(IPv4Address("203.0.113.7"))


def write(path: Path, place: Place) -> Path:
    return write_geo_file(path, {"203.0.113.0/24": city(place)})


def where(tables: list[GeoTable]) -> list[Place]:
    return [table.place(CLIENT)[0] for table in tables]


def test_another_file_is_taken_and_a_broken_one_is_not(tmp_path: Path) -> None:
    path = write(tmp_path / "city.mmdb", ROME)
    state = tmp_path / "state"
    state.mkdir()

    async def follow() -> list[GeoTable]:
        taken: list[GeoTable] = []
        second = asyncio.Event()

        def take(table: GeoTable) -> None:
            taken.append(table)
            if len(taken) == 2:
                second.set()

        geo = FollowedGeo(path, state, take, check_s=0.01)
        geo.follow(asyncio.get_running_loop())
        path.write_bytes(b"nonsense")
        await asyncio.sleep(0.1)
        assert where(taken) == [ROME]
        write(tmp_path / "new.mmdb", OSLO).replace(path)
        async with asyncio.timeout(30):
            await second.wait()
        geo.close()
        return taken

    assert where(asyncio.run(follow())) == [ROME, OSLO]


def test_the_last_good_file_stands_in_at_the_start(tmp_path: Path) -> None:
    path = write(tmp_path / "city.mmdb", ROME)
    state = tmp_path / "state"
    state.mkdir()
    taken: list[GeoTable] = []
    FollowedGeo(path, state, taken.append)
    path.write_bytes(b"nonsense")
    FollowedGeo(path, state, taken.append)
    assert where(taken) == [ROME, ROME]
    for kept in state.iterdir():
        kept.unlink()
    with pytest.raises(BadGeoFile):
        FollowedGeo(path, state, taken.append)
