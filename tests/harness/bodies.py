"""Bodies that are computed, not kept: any byte of a ten-gigabyte object is known without it.

A body is a seed and a size. Every block differs from every other, so bytes of another object, or
from another place of the same one, never pass for the right ones.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

BLOCK_BYTES = 64 * 1024


@lru_cache(maxsize=512)
def _block(seed: int, number: int) -> bytes:
    return random.Random((seed << 48) | number).randbytes(BLOCK_BYTES)


@dataclass(frozen=True, slots=True)
class Body:
    """`size_bytes` pseudo-random bytes; equal seeds give equal bytes."""

    seed: int
    size_bytes: int

    def pieces(self, start: int = 0, end: int | None = None) -> Iterator[bytes]:
        """The bytes from `start` up to `end`, a block or less at a time."""
        stop = self.size_bytes if end is None else min(end, self.size_bytes)
        position = start
        while position < stop:
            number, offset = divmod(position, BLOCK_BYTES)
            piece = _block(self.seed, number)[offset : offset + stop - position]
            yield piece
            position += len(piece)

    def read(self, start: int = 0, end: int | None = None) -> bytes:
        """The bytes from `start` up to `end` at once."""
        return b"".join(self.pieces(start, end))

    def sha256(self, start: int = 0, end: int | None = None) -> str:
        """The hexadecimal SHA-256 of these bytes."""
        digest = hashlib.sha256()
        for piece in self.pieces(start, end):
            digest.update(piece)
        return digest.hexdigest()

    def __len__(self) -> int:
        return self.size_bytes


class WrongByte(AssertionError):
    """What came is not what the body has at that place."""


class Checker:
    """Compares bytes with a body as they come, from `start` on; holds none of them."""

    def __init__(self, body: Body, start: int = 0) -> None:
        self.body = body
        self.position = start

    def feed(self, data: bytes | memoryview) -> None:
        """The next bytes. Raises WrongByte at the first that differs."""
        view = memoryview(data)
        end = self.position + len(view)
        if end > self.body.size_bytes:
            raise WrongByte(f"{end - self.body.size_bytes} bytes come after the body's end")
        for expected in self.body.pieces(self.position, end):
            # As bytes: comparing a memoryview goes byte by byte.
            if bytes(view[: len(expected)]) != expected:
                wrong = next(at for at, byte in enumerate(expected) if view[at] != byte)
                raise WrongByte(f"byte {self.position + wrong} of the body is wrong")
            self.position += len(expected)
            view = view[len(expected) :]
