"""The sample video as a stream on demand that lasts: the same minute again and again,
with the times of one that is as long. Pure, but for reading the sample.

A player that plays for minutes asks for a new object every few seconds, as with a film.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path

from headrace.lab.assets import MEDIA
from headrace.lab.transport import later_packets

LASTING = "/lasting/"
MASTER_PATH = f"{LASTING}master.m3u8"
TRANSPORT_PATH = f"{LASTING}ts.m3u8"
"""The smallest picture with its sound, as a transport stream."""
LOOPS = 12
LOOP_S = 60
RENDITIONS = 4
"""Three of the picture, the best one first, and one of the sound."""
_SEGMENTS = 15
"""In each loop. The sound's last frames, in a file of their own, would reach into the next one."""
_KEPT = 32
_PLAYLIST = re.compile(rf"{LASTING}media_([0-{RENDITIONS - 1}])\.m3u8")
_PIECE = re.compile(
    rf"{LASTING}(\d{{2}})/((?:seg-[0-{RENDITIONS - 1}]-0(\d{{2}})\.m4s)|(?:ts-0(\d{{2}})\.ts))"
)
_INIT = re.compile(rf"{LASTING}(init-[0-{RENDITIONS - 1}]\.mp4)")
_LENGTH = re.compile(r"#EXTINF:([\d.]+),\n(?:#.*\n)*(seg-\S+)")


def lasting(path: str, media: Path = MEDIA) -> bytes | None:
    """Return what the stream has under a path. Raises OSError."""
    if path == MASTER_PATH:
        return (media / "master.m3u8").read_bytes()
    if path == TRANSPORT_PATH:
        return transport_playlist().encode()
    if found := _PLAYLIST.fullmatch(path):
        return playlist((media / f"media_{found[1]}.m3u8").read_text(), int(found[1])).encode()
    if found := _INIT.fullmatch(path):
        return (media / found[1]).read_bytes()
    found = _PIECE.fullmatch(path)
    if found is None or int(found[1]) >= LOOPS:
        return None
    if not 1 <= int(found[3] or found[4]) <= _SEGMENTS:
        return None
    return _piece(media / found[2], int(found[1]))


def one_loop(media: Path = MEDIA) -> Iterator[tuple[str, bytes]]:
    """Yield the paths of the transport stream if it ended after the first loop, and what is there.
    Raises OSError.
    """
    yield TRANSPORT_PATH, transport_playlist(1).encode()
    for number in range(1, _SEGMENTS + 1):
        name = f"ts-{number:03d}.ts"
        yield f"{LASTING}00/{name}", (media / name).read_bytes()


def transport_playlist(loops: int = LOOPS) -> str:
    """Return the playlist of the transport stream."""
    pieces = [(LOOP_S / _SEGMENTS, f"ts-{number:03d}.ts") for number in range(1, _SEGMENTS + 1)]
    return _written(pieces, loops)


def playlist(sample: str, rendition: int, loops: int = LOOPS) -> str:
    """Return a rendition's playlist, from that of the sample."""
    pieces = [(float(length), name) for length, name in _LENGTH.findall(sample)][:_SEGMENTS]
    rest_s = LOOP_S - sum(length for length, _name in pieces)
    last_length, last_name = pieces[-1]
    pieces[-1] = (last_length + rest_s, last_name)
    return _written(pieces, loops, f'#EXT-X-MAP:URI="init-{rendition}.mp4"')


def _written(pieces: Sequence[tuple[float, str]], loops: int, *head: str) -> str:
    lines = [
        "#EXTM3U",
        "#EXT-X-VERSION:7",
        f"#EXT-X-TARGETDURATION:{max(round(length) for length, _name in pieces)}",
        "#EXT-X-PLAYLIST-TYPE:VOD",
        *head,
    ]
    for loop in range(loops):
        for length, name in pieces:
            lines += [f"#EXTINF:{length:.6f},", f"{loop:02d}/{name}"]
    return "\n".join([*lines, "#EXT-X-ENDLIST", ""])


@lru_cache(maxsize=_KEPT)
def _piece(file: Path, loop: int) -> bytes:
    shift = later_packets if file.suffix == ".ts" else later
    return shift(file.read_bytes(), loop * LOOP_S)


def later(piece: bytes, by_s: int) -> bytes:
    """Return a piece of the video whose times are later. Its samples stay what they are.

    Both times of a piece stand in boxes of version 1, with 64 bits: ISO/IEC 14496-12, sections
    8.16.3 (`sidx`) and 8.8.12 (`tfdt`).
    """
    made = bytearray(piece)
    index = piece.index(b"sidx")
    scale = struct.unpack_from(">I", piece, index + 12)[0]
    for place in (index + 16, piece.index(b"tfdt") + 8):
        time = struct.unpack_from(">Q", piece, place)[0]
        struct.pack_into(">Q", made, place, time + by_s * scale)
    return bytes(made)
