"""curl, as the demo's greeting says to use it."""

from __future__ import annotations

import hashlib
import subprocess
from pathlib import Path

from headrace.lab.assets import MEDIA
from tests.e2e.demo import Demo


def curl(url: str, body: Path, *arguments: str) -> tuple[int, dict[str, str]]:
    """Status and headers; the body goes into a file."""
    done = subprocess.run(
        ["curl", "-sS", "-D", "-", "-o", str(body), *arguments, url],
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
    )
    status, *fields = done.stdout.strip().splitlines()
    headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in fields)}
    return int(status.split()[1]), headers


def test_the_first_request_is_a_miss_and_the_second_a_hit(demo: Demo, tmp_path: Path) -> None:
    # A query that no other test asks with makes an object of its own.
    url = demo.url("/media/seg-2-001.m4s?asked-by=curl")
    _, first = curl(url, tmp_path / "first")
    _, second = curl(url, tmp_path / "second")
    assert "fwd=uri-miss" in first["cache-status"]
    assert "; hit" in second["cache-status"]
    wanted = hashlib.sha256((MEDIA / "seg-2-001.m4s").read_bytes()).digest()
    for name in ("first", "second"):
        assert hashlib.sha256((tmp_path / name).read_bytes()).digest() == wanted


def test_a_range_gives_just_those_bytes(demo: Demo, tmp_path: Path) -> None:
    status, headers = curl(demo.url("/media/seg-2-002.m4s"), tmp_path / "body", "-r", "100-299")
    whole = (MEDIA / "seg-2-002.m4s").read_bytes()
    assert status == 206
    assert headers["content-range"] == f"bytes 100-299/{len(whole)}"
    assert (tmp_path / "body").read_bytes() == whole[100:300]


def test_a_known_etag_gives_304(demo: Demo, tmp_path: Path) -> None:
    url = demo.url("/media/seg-2-003.m4s")
    _, first = curl(url, tmp_path / "body")
    status, second = curl(url, tmp_path / "nothing", "-H", f"If-None-Match: {first['etag']}")
    assert status == 304
    assert "; hit" in second["cache-status"]


def test_a_path_that_leads_out_of_the_media_is_not_found(demo: Demo, tmp_path: Path) -> None:
    status, _ = curl(demo.url("/media/..%2f..%2f__init__.py"), tmp_path / "body", "--path-as-is")
    assert status == 404
