"""ffmpeg takes the sample through the network, from the first packet to the last: each is what the
files have. So they decode to the same pictures; `test_real_origins` decodes what came.
"""

from __future__ import annotations

import subprocess
from collections import defaultdict

import pytest

from headrace.lab.assets import MEDIA
from tests.e2e.demo import Demo

# Redirected each time, it would complain that it cannot use the router's connection for a server.
ONE_REQUEST_A_CONNECTION = ("-http_persistent", "0")
RENDITIONS = 4
# Of several streams ffmpeg leaves out the last packets when another one has ended (DASH does it
# from files too): so many that it is a fifth of a second.
LEFT_OUT = {"manifest.mpd": 5}


def packets_of(source: str, *options: str) -> list[list[str]]:
    """Size and MD5 of each packet, by streams. A complaint of ffmpeg's is a failure."""
    done = subprocess.run(
        [
            *("ffmpeg", "-nostdin", "-v", "error", *options, "-i", source),
            *("-map", "0", "-c", "copy", "-f", "framemd5", "-"),
        ],
        capture_output=True,
        text=True,
        check=True,
        timeout=110,
    )
    assert done.stderr.strip() == ""
    found: dict[str, list[str]] = defaultdict(list)
    for line in done.stdout.splitlines():
        if line and line[0] != "#":
            stream, *_times, size, digest = line.split(",")
            found[stream].append(f"{size} {digest}")
    return list(found.values())


@pytest.fixture(scope="module")
def right() -> list[list[str]]:
    """The packets of all renditions, taken from the files."""
    files = [str(MEDIA / f"media_{number}.m3u8") for number in range(RENDITIONS)]
    return [stream for file in files for stream in packets_of(file)]


@pytest.mark.parametrize(
    ("manifest", "options"),
    [
        ("master.m3u8", ()),
        ("manifest.mpd", ()),
        ("redirect.m3u8", ONE_REQUEST_A_CONNECTION),
    ],
)
def test_every_rendition_comes_to_its_end_without_an_error(
    demo: Demo, right: list[list[str]], manifest: str, options: tuple[str, ...]
) -> None:
    demo.revive_all()
    came = packets_of(demo.url(f"/media/{manifest}"), *options)
    assert len(came) == len(right) == RENDITIONS
    for rendition in right:
        begins_alike = [stream for stream in came if stream[0] == rendition[0]]
        assert len(begins_alike) == 1
        assert begins_alike[0] == rendition[: len(begins_alike[0])]
        assert len(rendition) - len(begins_alike[0]) <= LEFT_OUT.get(manifest, 0)
