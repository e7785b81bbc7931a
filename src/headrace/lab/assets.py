"""What the lab's origins and its page serve, and under which headers. Reads directories, serves
nothing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from headrace.lab.errors import LabError

HERE = Path(__file__).resolve().parent
MEDIA = HERE / "media"
PLAYER = HERE / "player"

PROBE_PATH = "/probe.mp4"
"""What observers ask every server for: a small object that origins have under this path."""
PROBE_FILE = "init-3.mp4"
LONG_PATH = "/long.mp4"
"""A large object, for downloads that last."""
LONG_BYTES = 16 * 1024 * 1024
CROWD_OBJECTS = 96
"""So many objects the crowd asks for: a server of two has close to half of them."""
_CROWD_KIND = "seg-2-*.m4s"

_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".m3u8": "application/vnd.apple.mpegurl",
    ".m4s": "video/iso.segment",
    ".mp4": "video/mp4",
    ".mpd": "application/dash+xml",
    ".svg": "image/svg+xml",
    ".ts": "video/mp2t",
}
_SEGMENTS = frozenset({".m4s", ".mp4", ".ts"})
_MANIFESTS = frozenset({".m3u8", ".mpd"})

_EVERYWHERE = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Expose-Headers": "Age, Cache-Status, Content-Length, Content-Range, ETag",
    "Timing-Allow-Origin": "*",
    "X-Content-Type-Options": "nosniff",
}


@dataclass(frozen=True, slots=True)
class Asset:
    """A file and the headers that go with it."""

    path: Path
    headers: Mapping[str, str]


def headers_for(name: str) -> dict[str, str]:
    """Return the headers of a file with this name.

    Segments never change: caches keep them for a year (RFC 9213), while browsers ask again, so
    that a page loaded again shows what the network does. Manifests live for some seconds, as live
    ones would. Raises LabError for a kind that the lab does not serve.
    """
    suffix = Path(name).suffix
    if suffix not in _TYPES:
        raise LabError(f"{name}: the lab serves only {', '.join(sorted(_TYPES))}")
    headers = {"Content-Type": _TYPES[suffix], **_EVERYWHERE}
    if suffix in _SEGMENTS:
        headers["Cache-Control"] = "public, max-age=1"
        headers["CDN-Cache-Control"] = "public, max-age=31536000, immutable"
    elif suffix in _MANIFESTS:
        headers["Cache-Control"] = "public, max-age=2, stale-while-revalidate=10"
    else:
        headers["Cache-Control"] = "no-cache"
    return headers


def page_headers(elsewhere: Iterable[str]) -> dict[str, str]:
    """Return the headers of the page, which may fetch from its own server and from `elsewhere`."""
    policy = (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self'",
        " ".join(("connect-src 'self'", *elsewhere)),
        "media-src 'self' blob:",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
    return {"Content-Security-Policy": "; ".join(policy), "Referrer-Policy": "no-referrer"}


def catalogue(media: Path = MEDIA) -> dict[str, Asset]:
    """Return every path that an origin serves. Raises LabError when the video is missing."""
    if not (media / "master.m3u8").is_file():
        raise LabError(f"no video in {media}: run 'make sample' (it needs ffmpeg)")
    served = {f"/media/{file.name}": _asset(file) for file in media.iterdir()}
    served[PROBE_PATH] = _asset(media / PROBE_FILE)
    pieces = sorted(media.glob(_CROWD_KIND))
    for number in range(CROWD_OBJECTS):
        served[crowd_path(number)] = _asset(pieces[number % len(pieces)])
    return served


def crowd_path(number: int) -> str:
    """Return the path of an object that the crowd asks for."""
    return f"/crowd/{number % CROWD_OBJECTS:03d}.m4s"


def probe_sha256(media: Path = MEDIA) -> str:
    """Return the hash of what observers ask for, in hex."""
    return hashlib.sha256((media / PROBE_FILE).read_bytes()).hexdigest()


def long_bytes(media: Path = MEDIA) -> bytes:
    """Return the large object: pieces of the video, one after another, again and again."""
    pieces = b"".join(file.read_bytes() for file in sorted(media.glob("seg-*.m4s")))
    return (pieces * (LONG_BYTES // len(pieces) + 1))[:LONG_BYTES]


def page_assets(player: Path = PLAYER) -> dict[str, Asset]:
    """Return every path of the page. Raises LabError when the player's library is missing."""
    if not (player / "vendor" / "hls.min.js").is_file():
        raise LabError("the player's library hls.js is not installed: run 'make demo' once")
    served: dict[str, Asset] = {}
    for file in sorted(player.rglob("*")):
        if file.is_file() and file.suffix in _TYPES:
            served[f"/{file.relative_to(player).as_posix()}"] = _asset(file)
    served["/"] = served.pop("/index.html")
    return served


def _asset(file: Path) -> Asset:
    return Asset(file, headers_for(file.name))
