"""What waits to be sent to one client: views of mapped files and small buffers, in order.

Nothing is copied: a view of a mapped file goes to `send` as it is. A view may carry a `Residency`,
which is asked whether its pages are in memory before they are touched on the event loop.
"""

from __future__ import annotations

from collections import deque
from typing import Protocol


class Residency(Protocol):
    """Knows which bytes of a mapped body are in memory.

    When `from_file`, the body's bytes are best sent from the file `fd`, where they begin at
    `offset`, and not from the mapping.
    """

    fd: int
    offset: int
    from_file: bool

    def resident(self, offset: int, size_bytes: int) -> bool:
        """Whether touching these bytes will not wait for a disk."""

    def load(self, offset: int, size_bytes: int) -> None:
        """Bring these bytes into memory. Blocks; called on a thread. Raises OSError."""


View = tuple[memoryview, Residency | None, int]
"""Bytes of a body, what knows whether they are in memory, and their offset there."""


class Piece:
    """Bytes to send. `offset` is where `view` starts in what `residency` speaks of."""

    __slots__ = ("offset", "residency", "view")

    def __init__(
        self, view: memoryview, residency: Residency | None = None, offset: int = 0
    ) -> None:
        self.view = view
        self.residency = residency
        self.offset = offset


class Outgoing:
    """A queue of pieces with a position in the first."""

    __slots__ = ("_pieces", "_sent_of_first", "size_bytes")

    def __init__(self) -> None:
        self._pieces: deque[Piece] = deque()
        self._sent_of_first = 0
        self.size_bytes = 0

    def add(self, piece: Piece) -> None:
        size_bytes = len(piece.view)
        if size_bytes:
            self._pieces.append(piece)
            self.size_bytes += size_bytes

    def window(self, size_bytes: int) -> tuple[memoryview, Piece, int, bool]:
        """Up to `size_bytes` next bytes, their piece, the position in it, whether more follows.

        Must not be called when empty.
        """
        piece = self._pieces[0]
        start = self._sent_of_first
        view = piece.view
        if start or len(view) > size_bytes:
            view = view[start : start + size_bytes]
        return view, piece, start, self.size_bytes > len(view)

    def advance(self, sent_bytes: int) -> None:
        """Note that so many bytes were sent, those of the window and maybe some behind it."""
        self.size_bytes -= sent_bytes
        pieces = self._pieces
        at = self._sent_of_first + sent_bytes
        while pieces and at >= len(pieces[0].view):
            at -= len(pieces.popleft().view)
        self._sent_of_first = at

    def clear(self) -> None:
        self._pieces.clear()
        self._sent_of_first = 0
        self.size_bytes = 0
