"""Memory of what strangers send, bounded in bytes: what a client chooses, it chooses large.

A bound on the number of entries is none: the largest key a client may send is thousands of times
its usual one.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice
from typing import Generic, TypeVar

Key = TypeVar("Key")
Value = TypeVar("Value")

ENTRY_BYTES = 200
"""What a dictionary takes for an entry, and the objects around its key."""


class BoundedMemory(Generic[Key, Value]):
    """Values by key, at most `limit_bytes` of them by what `cost` says of each.

    `entries` is a plain dictionary, to be read directly: looking up costs no more than that. When
    it is full, the oldest quarter goes. `cost` must say the same of an entry for as long as it is
    here, its key included.
    """

    __slots__ = ("_cost", "entries", "held_bytes", "limit_bytes")

    def __init__(self, limit_bytes: int, cost: Callable[[Key, Value], int]) -> None:
        self.entries: dict[Key, Value] = {}
        self.limit_bytes = limit_bytes
        self.held_bytes = 0
        self._cost = cost

    def put(self, key: Key, value: Value) -> None:
        """Add or replace. What alone is above a quarter of the limit is not kept."""
        known = self.entries.pop(key, None)
        if known is not None:
            self.held_bytes -= self._cost_of(key, known)
        cost_bytes = self._cost_of(key, value)
        if cost_bytes * 4 > self.limit_bytes:
            return
        while self.held_bytes + cost_bytes > self.limit_bytes:
            self._forget_oldest()
        self.entries[key] = value
        self.held_bytes += cost_bytes

    def _cost_of(self, key: Key, value: Value) -> int:
        return ENTRY_BYTES + self._cost(key, value)

    def _forget_oldest(self) -> None:
        for key in list(islice(self.entries, len(self.entries) // 4 + 1)):
            self.held_bytes -= self._cost_of(key, self.entries.pop(key))


DOOR_MARKS = 4096


class Door:
    """Tells what comes for the second time within a while: most of what strangers send comes once,
    and to keep it would only cost time and push out what is of use.

    It holds the last `most` numbers, and as many again of those before, whatever comes: half a
    megabyte. So thousands of things that come in turn are all let in, and a stranger must send as
    many to make it forget one. (A slot for each number forgets sooner: of 6,000 that come in turn,
    4,096 slots never let in two thirds.) It should not hold more than what the memory behind it
    does: what is pushed out before it comes again is not worth keeping. What it says is a hint: a
    number that stands for something else too lets it in at once.
    """

    __slots__ = ("_former", "_marks", "_most")

    def __init__(self, most: int = DOOR_MARKS) -> None:
        self._most = most
        self._marks: set[int] = set()
        self._former: set[int] = set()

    def came_before(self, mark: int) -> bool:
        """Note what has this hash, and return whether it was noted lately."""
        marks = self._marks
        if mark in marks or mark in self._former:
            return True
        marks.add(mark)
        if len(marks) >= self._most:
            self._marks, self._former = set(), marks
        return False
