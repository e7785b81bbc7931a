"""A geographic file that is renewed, in one step or written over, and broken ones."""

from __future__ import annotations

import os
from ipaddress import IPv4Address
from pathlib import Path

import pytest

from headrace.node.network.geo_file import GeoFile
from headrace.topology.coverage import client_of
from headrace.topology.geo import BadGeoFile, GeoTable, Place
from tests.harness.geo_files import city, write_geo_file

ROME = Place("IT", "EU", 41.9, 12.5)
OSLO = Place("NO", "EU", 60.0, 10.0)
CLIENT = client_of(IPv4Address("203.0.113.7"))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return write(tmp_path / "city.mmdb", ROME)


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    folder = tmp_path / "state"
    folder.mkdir()
    return folder


def write(path: Path, place: Place) -> Path:
    return write_geo_file(path, {"203.0.113.0/24": city(place)})


def where(table: GeoTable | None) -> Place:
    assert table is not None
    return table.place(CLIENT)[0]


def test_a_file_that_is_replaced_is_read_again(path: Path, kept: Path) -> None:
    file = GeoFile(path, kept)
    assert file.changed()
    first = file.read()
    assert not file.changed()
    write(path.with_suffix(".new"), OSLO).replace(path)
    assert file.changed()
    second = file.read()
    assert (where(first), where(second)) == (ROME, OSLO)
    assert len(list(kept.iterdir())) == 1


def test_a_file_that_is_written_over_harms_nobody(path: Path, kept: Path) -> None:
    table = GeoFile(path, kept).read()
    with path.open("r+b") as file:
        file.truncate(0)
    assert where(table) == ROME


def test_a_broken_file_is_refused_once(path: Path, kept: Path) -> None:
    file = GeoFile(path, kept)
    file.read()
    path.write_bytes(path.read_bytes()[:100])
    assert file.changed()
    with pytest.raises(BadGeoFile, match=r"city\.mmdb"):
        file.read()
    assert not file.changed()
    assert where(file.last_good()) == ROME
    assert len(list(kept.iterdir())) == 1


def test_a_lost_file_is_no_change(path: Path, kept: Path) -> None:
    file = GeoFile(path, kept)
    file.read()
    path.unlink()
    assert not file.changed()
    with pytest.raises(BadGeoFile, match="cannot copy"):
        file.read()


def test_what_is_no_file_is_refused(tmp_path: Path, kept: Path) -> None:
    with pytest.raises(BadGeoFile, match="is no file"):
        GeoFile(tmp_path, kept).read()
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(BadGeoFile, match="no file"):
        GeoFile(tmp_path / "pipe", kept).read()
    assert GeoFile(tmp_path, kept).last_good() is None


def test_processes_share_one_copy(path: Path, kept: Path) -> None:
    assert where(GeoFile(path, kept).read()) == where(GeoFile(path, kept).read())
    assert len(list(kept.iterdir())) == 1
