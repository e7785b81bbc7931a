"""Lines out of bytes that come in pieces, bounded: a line that is too long is dropped. Pure."""

from __future__ import annotations


class LineSplitter:
    """Collects bytes and returns whole lines, holding `limit_bytes` at most between two calls."""

    __slots__ = ("_held", "_limit_bytes", "_skipping", "dropped")

    def __init__(self, limit_bytes: int) -> None:
        self._limit_bytes = limit_bytes
        self._held = b""
        self._skipping = False
        self.dropped = 0

    def feed(self, part: bytes) -> list[bytes]:
        """Return the lines that `part` completes, without their ends."""
        *lines, rest = (self._held + part).split(b"\n")
        whole = []
        for line in lines:
            if self._skipping:
                self._skipping = False
            elif len(line) > self._limit_bytes:
                self.dropped += 1
            else:
                whole.append(line)
        if self._skipping:
            rest = b""
        elif len(rest) > self._limit_bytes:
            self._skipping = True
            self.dropped += 1
            rest = b""
        self._held = rest
        return whole
