"""What waits to be sent to one client: views of mapped files and small buffers, in order.

Nothing is copied: a view of a mapped file goes to `send` as it is. A view may carry a `Residency`,
which is asked whether its pages are in memory before they are touched on the event loop.

What must hold: **this process never touches a page of a mapped file itself.** The file may be cut
short at any moment, or its disk fail; whoever touches a page that is not there gets a signal that
ends the process. The kernel's own calls (`send`, `sendfile`) say EFAULT or EIO or take less
instead, and so does `pread`, by which everything that is to be encrypted or kept is read. Such a
body is `damaged`: its owner drops it, and the object is fetched again.
"""

from __future__ import annotations

import errno
import os
from collections import deque
from typing import Protocol

from headrace.errors import HeadraceError

DAMAGE = frozenset((errno.EFAULT, errno.EIO))  # of the file or its disk, not of the socket


class BodyDamaged(HeadraceError):
    """A body's file is shorter than it was, or cannot be read."""


class Residency(Protocol):
    """Knows which bytes of a mapped body are in memory, and the file that they are in.

    In the file `fd` the body begins at `offset`; the descriptor stays open as long as this lives.
    Before bytes are sent from there, and not from the mapping, comes `lend`: the kernel sends the
    file's own pages, some of them long after the call, and nobody may write to these places again.
    """

    @property
    def fd(self) -> int:
        """The file's descriptor."""

    @property
    def offset(self) -> int:
        """Where the body begins in the file."""

    def lend(self, *, crowded: bool) -> bool:
        """Have nobody write to the file again, before its own pages are sent; False when they must
        not be. `crowded`: so many are connected that bytes which are copied for one of them have
        left the processor's cache before they are sent.
        """

    def resident(self, offset: int, size_bytes: int) -> bool:
        """Return whether touching these bytes will not wait for a disk."""

    def load(self, offset: int, size_bytes: int) -> None:
        """Bring these bytes into memory. Blocks; called on a thread. Raises OSError."""

    def damaged(self, problem: str) -> None:
        """See to it that these bytes, which cannot be had, are not sent to any client."""


def read_body(residency: Residency, offset: int, into: memoryview) -> None:
    """Fill `into` with a body's bytes from `offset`. Raises BodyDamaged."""
    try:
        read = os.preadv(residency.fd, [into], residency.offset + offset)
    except OSError as error:
        raise BodyDamaged(f"a body file cannot be read: {error.strerror}") from error
    if read < len(into):
        raise BodyDamaged("a body file is shorter than it was")


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


class SendQueue:
    """A queue of pieces with a position in the first."""

    __slots__ = ("_pieces", "_sent_of_first", "size_bytes")

    def __init__(self) -> None:
        self._pieces: deque[Piece] = deque()
        self._sent_of_first = 0
        self.size_bytes = 0

    def add(self, piece: Piece) -> None:
        """Put a piece behind all others."""
        size_bytes = len(piece.view)
        if size_bytes:
            self._pieces.append(piece)
            self.size_bytes += size_bytes

    def window(self, size_bytes: int) -> tuple[memoryview, Piece, int, bool]:
        """Return up to `size_bytes` next bytes, their piece, the position in it, and whether more
        follows.

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
        """Forget all that waits."""
        self._pieces.clear()
        self._sent_of_first = 0
        self.size_bytes = 0
