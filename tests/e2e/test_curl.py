"""curl, as the demo's greeting says to use it."""

from __future__ import annotations

import hashlib
import subprocess
from pathlib import Path

import pytest

from headrace.lab.assets import MEDIA
from tests.e2e.demo import Demo


@pytest.fixture(autouse=True)
def everything_runs(demo: Demo) -> None:
    demo.revive_all()


def curl(url: str, body: Path, *arguments: str) -> tuple[int, dict[str, str]]:
    """Status and headers of the last response; the body goes into a file."""
    done = subprocess.run(
        ["curl", "-sSL", "-D", "-", "-o", str(body), *arguments, url],
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
    )
    status, *fields = done.stdout.strip().replace("\r\n", "\n").split("\n\n")[-1].splitlines()
    headers: dict[str, str] = {}
    for name, value in (line.split(": ", 1) for line in fields):
        before = headers.get(name.lower())
        headers[name.lower()] = value if before is None else f"{before}, {value}"
    return int(status.split()[1]), headers


def test_the_first_request_comes_from_afar_and_the_second_is_a_hit(
    demo: Demo, tmp_path: Path
) -> None:
    # A query that no other test asks with makes an object of its own.
    url = demo.url("/media/seg-2-001.m4s?asked-by=curl")
    _, first = curl(url, tmp_path / "first")
    _, second = curl(url, tmp_path / "second")
    assert "fwd=uri-miss" in first["cache-status"]
    assert "; hit" in second["cache-status"].rpartition(",")[2]
    wanted = hashlib.sha256((MEDIA / "seg-2-001.m4s").read_bytes()).digest()
    for name in ("first", "second"):
        assert hashlib.sha256((tmp_path / name).read_bytes()).digest() == wanted


def test_the_server_that_is_not_the_owner_gets_it_from_its_sibling(
    demo: Demo, tmp_path: Path
) -> None:
    path = "/media/seg-1-002.m4s"
    _, owned = curl(demo.url(path), tmp_path / "body")
    owner = owned["cache-status"].rpartition(",")[2].split(";")[0].strip()
    servers = {
        server["name"]: server["url"]
        for site in demo.state()["sites"]
        for server in site["servers"]
    }
    sibling = {"n1": "n2", "n2": "n1", "s1": "s2", "s2": "s1"}[owner]
    _, asked = curl(servers[sibling] + path, tmp_path / "body")
    chain = [member.strip() for member in asked["cache-status"].split(",")]
    assert chain[-2].startswith(f"{owner}; hit")
    assert chain[-1].startswith(f"{sibling}; fwd=")
    assert (tmp_path / "body").read_bytes() == (MEDIA / "seg-1-002.m4s").read_bytes()


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
    assert "; hit" in second["cache-status"].rpartition(",")[2]


def test_a_path_that_leads_out_of_the_media_is_not_found(demo: Demo, tmp_path: Path) -> None:
    status, _ = curl(demo.url("/media/..%2f..%2f__init__.py"), tmp_path / "body", "--path-as-is")
    assert status == 404
