"""Which of two ways to send a body costs less here: a copy from its mapping, or its file's pages.

`send` from a mapping copies; `sendfile` lends pages of the file to the kernel. Which is cheaper
depends on the processor's caches, the kernel, the network card and how many clients there are:
for segments of 2 MB that many want, `send` took 0.6 of the time of `sendfile` on one machine and
1.5 times on another, 2.3 with a thousand clients. So both are timed, at 0.1 µs a call. No clock of
its own: seconds are arguments.
"""

from __future__ import annotations

TRIED_EACH = 64
"""Of so many sends one goes the way that seems dearer, to see whether it still is."""

FIRST_SENDS = 16
"""So many are divided between the two, before either is believed to be cheaper."""

REMEMBERED_BYTES = 16 * 1024 * 1024
"""When so much was sent one way, what is known of it counts half."""


class SendWay:
    """What a byte costs by either way, lately."""

    __slots__ = ("_bytes", "_seconds", "_sends")

    def __init__(self) -> None:
        self._sends = 0
        self._bytes = [0.0, 0.0]
        self._seconds = [0.0, 0.0]

    def by_file(self) -> bool:
        """Return whether the next bytes are to be sent from the file."""
        self._sends += 1
        if self._sends <= FIRST_SENDS:
            return self._sends % 2 == 1
        cheaper = self.file_is_cheaper
        return cheaper if self._sends % TRIED_EACH else not cheaper

    @property
    def file_is_cheaper(self) -> bool:
        """Whether it seems so: then no memory is taken for copies either, so it has the draw."""
        copied, lent = self._bytes
        return self._seconds[True] * copied <= self._seconds[False] * lent

    def took(self, sent_bytes: int, seconds: float, *, by_file: bool) -> None:
        """Note what one call took."""
        self._bytes[by_file] += sent_bytes
        self._seconds[by_file] += seconds
        if self._bytes[by_file] > REMEMBERED_BYTES:
            self._bytes[by_file] /= 2
            self._seconds[by_file] /= 2
