"""What the lab's origin serves."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import pytest

from headrace.lab.assets import (
    CROWD_OBJECTS,
    MEDIA,
    PROBE_PATH,
    catalogue,
    crowd_path,
    headers_for,
    page_assets,
    page_headers,
    probe_sha256,
)
from headrace.lab.errors import LabError

SEGMENT_S = 4.0
DURATION_S = 60.0


def playlist(name: str) -> str:
    return (MEDIA / name).read_text()


@pytest.fixture
def player(tmp_path: Path) -> Path:
    (tmp_path / "vendor").mkdir()
    (tmp_path / "vendor" / "hls.min.js").write_text("")
    (tmp_path / "index.html").write_text("")
    return tmp_path


def test_the_page_is_served_at_its_root(player: Path) -> None:
    served = page_assets(player)
    assert served["/"].path == player / "index.html"
    assert "/vendor/hls.min.js" in served
    assert "/index.html" not in served


def test_a_missing_player_library_is_named_with_the_remedy(player: Path) -> None:
    (player / "vendor" / "hls.min.js").unlink()
    with pytest.raises(LabError, match="make demo"):
        page_assets(player)


def test_an_origin_serves_the_media_and_what_the_crowd_and_observers_ask_for() -> None:
    served = catalogue()
    assert {"/media/master.m3u8", "/media/manifest.mpd"} <= served.keys()
    others = {path for path in served if not path.startswith("/media/")}
    assert others == {PROBE_PATH} | {crowd_path(number) for number in range(CROWD_OBJECTS)}
    assert hashlib.sha256(served[PROBE_PATH].path.read_bytes()).hexdigest() == probe_sha256()


def test_missing_video_is_named_with_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(LabError, match="make sample"):
        catalogue(tmp_path)


def test_caches_keep_segments_longer_than_manifests() -> None:
    assert "max-age=31536000" in headers_for("seg-0-001.m4s")["CDN-Cache-Control"]
    assert "CDN-Cache-Control" not in headers_for("master.m3u8")


def test_the_page_may_fetch_from_the_network_alone_and_runs_no_inline_code() -> None:
    policy = page_headers(["http://127.0.1.1:8081"])["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "connect-src 'self' http://127.0.1.1:8081;" in policy
    assert "unsafe" not in policy
    assert "Content-Security-Policy" not in headers_for("seg-0-001.m4s")


def test_an_unknown_kind_of_file_is_refused() -> None:
    with pytest.raises(LabError, match=r"notes\.txt"):
        headers_for("notes.txt")


def test_the_sample_offers_three_renditions_and_their_audio() -> None:
    master = playlist("master.m3u8")
    streams = re.findall(r"#EXT-X-STREAM-INF:(.*)", master)
    assert len(streams) == 3
    assert all('AUDIO="group_A1"' in stream for stream in streams)
    assert all(re.search(r'CODECS="avc1\.\w{6},mp4a\.40\.2"', stream) for stream in streams)
    assert len({re.search(r"RESOLUTION=(\d+x\d+)", stream) for stream in streams}) == 3
    assert 'TYPE=AUDIO,GROUP-ID="group_A1"' in master


@pytest.mark.parametrize("number", range(3))
def test_every_video_segment_lasts_four_seconds(number: int) -> None:
    durations = [
        float(text) for text in re.findall(r"#EXTINF:([\d.]+)", playlist(f"media_{number}.m3u8"))
    ]
    assert durations == [SEGMENT_S] * int(DURATION_S / SEGMENT_S)


def test_both_manifests_name_the_same_segments() -> None:
    listed = set()
    for number in range(4):
        listed |= set(
            re.findall(r"^seg-.*|(?<=URI=\")init-[^\"]+", playlist(f"media_{number}.m3u8"), re.M)
        )
    on_disk = {file.name for file in MEDIA.iterdir() if file.suffix in (".m4s", ".mp4")}
    assert listed == on_disk
    manifest = playlist("manifest.mpd")
    assert manifest.count("<Representation ") == 4
    assert 'media="seg-$RepresentationID$-$Number%03d$.m4s"' in manifest


def test_the_sample_is_small_enough_to_be_committed() -> None:
    assert sum(file.stat().st_size for file in MEDIA.iterdir()) < 7_000_000
