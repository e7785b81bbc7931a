"""What kind of content a path's ending says: a word and a media type. Pure."""

from __future__ import annotations

from dataclasses import dataclass

_DASH = "application/dash+xml"
_HLS = "application/vnd.apple.mpegurl"
_SMOOTH = "application/vnd.ms-sstr+xml"

MEDIA_TYPES: dict[str, dict[bytes, str]] = {
    "manifest": {
        b".m3u8": _HLS, b".m3u": _HLS, b".mpd": _DASH, b".ism": _SMOOTH, b".isml": _SMOOTH,
        b".f4m": "application/f4m+xml",
    },
    "segment": {
        b".ts": "video/mp2t", b".m4s": "video/iso.segment", b".m4f": "video/iso.segment",
        b".mp4": "video/mp4", b".m4v": "video/mp4", b".m4a": "audio/mp4", b".cmfv": "video/mp4",
        b".cmfa": "audio/mp4", b".cmft": "application/mp4", b".aac": "audio/aac",
        b".webm": "video/webm", b".mp3": "audio/mpeg", b".dash": "video/mp4",
        b".chk": "video/iso.segment",
    },
    "key": {b".key": "application/octet-stream", b".lic": "application/octet-stream"},
    "captions": {
        b".vtt": "text/vtt", b".webvtt": "text/vtt", b".ttml": "application/ttml+xml",
        b".srt": "application/x-subrip",
    },
    "image": {
        b".jpg": "image/jpeg", b".jpeg": "image/jpeg", b".png": "image/png",
        b".webp": "image/webp", b".avif": "image/avif", b".gif": "image/gif",
        b".svg": "image/svg+xml", b".ico": "image/vnd.microsoft.icon",
    },
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Content:
    """`kind` is a name from MEDIA_TYPES, or "other"; of that the media type is not known ("")."""

    kind: str
    media_type: str

    def is_one_of(self, wanted: frozenset[str]) -> bool:
        """Return whether `wanted` names the kind, the media type, or all of its family
        (`image/*`).
        """
        if self.kind in wanted:
            return True
        family, slash, _ = self.media_type.partition("/")
        return bool(slash) and (self.media_type in wanted or f"{family}/*" in wanted)


OTHER = Content("other", "")
_BY_SUFFIX = {
    suffix: Content(kind, media_type)
    for kind, suffixes in MEDIA_TYPES.items()
    for suffix, media_type in suffixes.items()
}


def content_of(path: bytes) -> Content:
    """Return what a path's ending says of the content."""
    last = path[path.rfind(b"/") + 1 :]
    dot = last.rfind(b".")
    return _BY_SUFFIX.get(last[dot:].lower(), OTHER) if dot >= 0 else OTHER
