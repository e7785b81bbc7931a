"""ffmpeg plays the sample through the network, from the first frame to the last."""

from __future__ import annotations

import re
import subprocess

import pytest

from tests.e2e.demo import Demo

DURATION_S = 60.0


# Redirected each time, it would complain that it cannot use the router's connection for a server.
ONE_REQUEST_A_CONNECTION = ("-http_persistent", "0")


@pytest.mark.parametrize(
    ("manifest", "options"),
    [
        ("master.m3u8", ()),
        ("manifest.mpd", ()),
        ("redirect.m3u8", ONE_REQUEST_A_CONNECTION),
    ],
)
def test_every_rendition_plays_to_its_end_without_an_error(
    demo: Demo, manifest: str, options: tuple[str, ...]
) -> None:
    demo.revive_all()
    url = demo.url(f"/media/{manifest}")
    done = subprocess.run(
        [
            *("ffmpeg", "-nostdin", "-v", "error", "-stats", *options, "-i", url),
            *("-map", "0", "-f", "null", "-"),
        ],
        capture_output=True,
        text=True,
        check=True,
        timeout=110,
    )
    progress = re.findall(r"time=(\d+):(\d+):([\d.]+)", done.stderr)
    assert progress, done.stderr
    hours, minutes, seconds = progress[-1]
    played_s = int(hours) * 3600 + int(minutes) * 60 + float(seconds)
    assert played_s == pytest.approx(DURATION_S, abs=0.2)
    complaints = [line for line in re.split(r"[\r\n]+", done.stderr) if "time=" not in line]
    assert [line for line in complaints if line.strip()] == []
