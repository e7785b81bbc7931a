"""The stream on demand that lasts: its playlists, and that only the times of its pieces differ."""

from __future__ import annotations

import re
import struct

import pytest

from headrace.lab.assets import MEDIA
from headrace.lab.lasting import (
    LOOP_S,
    LOOPS,
    MASTER_PATH,
    RENDITIONS,
    TRANSPORT_PATH,
    lasting,
    later,
    one_loop,
    playlist,
)


def text(path: str) -> str:
    found = lasting(path)
    assert found is not None
    return found.decode()


def times(piece: bytes) -> tuple[float, float]:
    """When a piece begins, by its index and by its track, in seconds."""
    index, track = piece.index(b"sidx"), piece.index(b"tfdt")
    scale = struct.unpack_from(">I", piece, index + 12)[0]
    places = (index + 16, track + 8)
    first, second = (struct.unpack_from(">Q", piece, place)[0] / scale for place in places)
    return first, second


@pytest.mark.parametrize("rendition", range(RENDITIONS))
def test_every_rendition_lasts_as_long(rendition: int) -> None:
    found = text(f"/lasting/media_{rendition}.m3u8")

    lengths = [float(one) for one in re.findall(r"#EXTINF:([\d.]+)", found)]
    assert sum(lengths) == pytest.approx(LOOPS * LOOP_S)
    longest = re.search(r"#EXT-X-TARGETDURATION:(\d+)", found)
    assert longest is not None
    assert round(max(lengths)) <= int(longest[1])


@pytest.mark.parametrize("rendition", range(RENDITIONS))
def test_all_that_a_playlist_names_is_there(rendition: int) -> None:
    playlist = text(f"/lasting/media_{rendition}.m3u8")

    names = re.findall(r"^[^#\s]+$|(?<=URI=\")[^\"]+", playlist, re.MULTILINE)
    assert len(names) == 1 + 15 * LOOPS
    assert all(lasting(f"/lasting/{name}") for name in names)


def test_the_master_names_playlists_that_are_there() -> None:
    names = re.findall(r"media_\d\.m3u8", text(MASTER_PATH))

    assert sorted(names) == [f"media_{number}.m3u8" for number in range(RENDITIONS)]


def test_a_later_piece_has_other_times_and_the_same_samples() -> None:
    sample = (MEDIA / "seg-0-002.m4s").read_bytes()

    found = later(sample, 60)

    assert times(sample) == (4.0, 4.0)
    assert times(found) == (64.0, 64.0)
    where = sample.index(b"mdat")
    assert found[where:] == sample[where:]
    assert later(sample, 0) == sample


def test_a_playlist_of_what_there_is_not() -> None:
    for path in (
        "/lasting/",
        "/lasting/media_9.m3u8",
        f"/lasting/{LOOPS}/seg-0-001.m4s",
        "/lasting/00/seg-0-016.m4s",
        "/lasting/00/seg-3-016.m4s",
        "/lasting/00/ts-016.ts",
        f"/lasting/{LOOPS}/ts-001.ts",
        "/lasting/00/seg-0-000.m4s",
        "/lasting/00/../master.m3u8",
        "/media/master.m3u8",
    ):
        assert lasting(path) is None


def test_the_last_piece_of_a_loop_fills_it() -> None:
    sample = "#EXTM3U\n#EXTINF:3.500000,\n#EXT-X-X\nseg-a\n#EXTINF:4.000000,\nseg-b\n"

    found = playlist(sample, 1)

    assert found.startswith("#EXTM3U\n")
    assert "#EXTINF:3.500000,\n00/seg-a\n#EXTINF:56.500000,\n00/seg-b\n" in found


def test_the_transport_stream() -> None:
    found = text(TRANSPORT_PATH)

    names = re.findall(r"^[^#\s]+$", found, re.MULTILINE)
    assert len(names) == 15 * LOOPS
    assert all(lasting(f"/lasting/{name}") for name in names)
    assert sum(float(one) for one in re.findall(r"#EXTINF:([\d.]+)", found)) == LOOPS * LOOP_S


def test_one_loop_is_the_beginning_of_the_transport_stream() -> None:
    found = dict(one_loop())

    pieces = {path: data for path, data in found.items() if path.endswith(".ts")}
    assert len(pieces) == 15
    assert all(lasting(path) == data for path, data in pieces.items())
    assert found[TRANSPORT_PATH].count(b"#EXTINF") == 15
