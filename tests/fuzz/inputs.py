"""Takes the decisions of a structured input out of a fuzzer's bytes, one by one.

An input that is too short goes on with zeros, so that every string of bytes is an input.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")


class Bytes:
    """Numbers, choices and pieces, from the front; `rest` takes what is left."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def __bool__(self) -> bool:
        return self._at < len(self._data)

    def take(self, size: int) -> bytes:
        """So many bytes, or as many as there are."""
        piece = self._data[self._at : self._at + size]
        self._at += size
        return piece

    def number(self, most: int) -> int:
        """A number from 0 to `most`."""
        size = max(1, (most.bit_length() + 7) // 8)
        return int.from_bytes(self.take(size), "big") % (most + 1)

    def flag(self) -> bool:
        return bool(self.number(255) & 1)

    def choice(self, options: Sequence[T]) -> T:
        return options[self.number(len(options) - 1)]

    def piece(self, most: int = 255) -> bytes:
        """Some bytes, as many as a number before them says."""
        return self.take(self.number(most))

    def rest(self) -> bytes:
        return self.take(len(self._data))


def cut(data: bytes, cuts: bytes) -> list[bytes]:
    """The data in pieces; each byte of `cuts` is the length of one, and the rest is the last."""
    pieces = []
    for size in cuts:
        if size and data:
            pieces.append(data[:size])
            data = data[size:]
    return [*pieces, data] if data else pieces
