"""What an origin of a scene answers: for each request a list of things to do, done one at a time.

The body of each representation is its own, and different at each position, so that bytes of
another one, or at another place, or too few, are never taken for right.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache

from tests.harness.memory_network import ClientGone, Heard, OriginConnection

SLICE_BYTES = 64 * 1024
FRESH_S = 60.0


@lru_cache(maxsize=256)
def body_of(what: str, size_bytes: int) -> bytes:
    """Return a representation's body."""
    lines = (b"%-24s%7d\n" % (what.encode(), number) for number in range(-(-size_bytes // 32)))
    return b"".join(lines)[:size_bytes]


Action = tuple[str, bytes]
"""What is done and the bytes to send: b"" with the labels "closes" and "resets"."""


@dataclass(eq=False)
class Asked:
    """One request that an origin has heard, and how far it is answered.

    `whole` is the body of the representation that the answer is of; `shared` tells whether the
    answer may be given to anybody else.
    """

    number: int
    worker: int
    heard: Heard
    connection: OriginConnection
    at: int
    path: str = ""
    first: int = 0
    whole: bytes = b""
    etag: str = ""
    shared: bool = True
    answered_s: float = -1.0
    actions: list[Action] = field(default_factory=list)

    @property
    def under_way(self) -> bool:
        """Whether the origin has still something to do for it."""
        return bool(self.actions) and not self.connection._stream.closed

    def act(self, now_s: float) -> None:
        """Do the next thing."""
        label, data = self.actions.pop(0)
        if self.answered_s < 0:
            self.answered_s = now_s
        try:
            if label == "closes":
                self.connection.close()
            elif label == "resets":
                self.connection.reset()
            else:
                self.connection.send(data)
        except ClientGone:
            self.actions.clear()


Answer = Callable[[Asked, int], list[Action]]
"""Makes the actions for a request, given the version that the origin has at that moment."""


def ok(
    *,
    slices: float = 0.25,
    pieces: int = 2,
    control: str = "max-age=60",
    strong: bool = True,
    stops_after: int | None = None,
    chunked: bool = False,
) -> Answer:
    """Answer with the whole, the range that was asked for, or 304.

    `slices` is how many slices the body has; `stops_after` so many pieces the connection breaks.
    """

    def answer(asked: Asked, version: int) -> list[Action]:
        asked.shared = not re.search("no-store|private", control)
        own = f" n{asked.number}" if not strong or not asked.shared else ""
        asked.whole = body_of(f"{asked.path} v{version}{own}", int(slices * SLICE_BYTES))
        asked.etag = f'"v{version}{own.strip()}"' if strong else ""
        lines = [f"Cache-Control: {control}", f"X-Answer: {asked.number}", "Cache-Tag: film"]
        if asked.etag:
            lines.append(f"ETag: {asked.etag}")
        fields = asked.heard.fields
        if asked.etag and fields.get("if-none-match") == asked.etag:
            return [("says 304", _head("304 Not Modified", lines))]
        status, data = "200 OK", asked.whole
        wanted = re.fullmatch(r"bytes=(\d+)-(\d*)", fields.get("range", ""))
        if wanted and asked.etag and fields.get("if-range", asked.etag) == asked.etag:
            start, last = int(wanted[1]), int(wanted[2] or len(data) - 1)
            last = min(last, len(data) - 1)
            status = "206 Partial Content"
            lines.append(f"Content-Range: bytes {start}-{last}/{len(data)}")
            data = data[start : last + 1]
        if chunked:
            lines.append("Transfer-Encoding: chunked")
        else:
            lines.append(f"Content-Length: {len(data)}")
        actions = [("head", _head(status, lines))]
        step = -(-len(data) // pieces)
        for number in range(pieces):
            piece = data[number * step : (number + 1) * step]
            if chunked:
                piece = b"%x\r\n%s\r\n" % (len(piece), piece)
                piece += b"0\r\n\r\n" if number == pieces - 1 else b""
            actions.append((f"piece {number}", piece))
        if stops_after is not None:
            actions[stops_after + 1 :] = [("resets", b"")]
        return actions

    return answer


def fails(status: int = 500, *, control: str = "no-store") -> Answer:
    """Answer with an error."""

    def answer(asked: Asked, _version: int) -> list[Action]:
        asked.shared = False
        asked.whole = body_of(f"error n{asked.number}", 100)
        lines = [f"Cache-Control: {control}", f"X-Answer: {asked.number}", "Content-Length: 100"]
        return [(f"says {status}", _head(f"{status} Error", lines) + asked.whole)]

    return answer


def breaks() -> Answer:
    """Break the connection instead of answering."""
    return lambda _asked, _version: [("resets", b"")]


def _head(status: str, lines: list[str]) -> bytes:
    return "\r\n".join([f"HTTP/1.1 {status}", *lines, "", ""]).encode()
