"""Redirects that were sent before, to be sent again: players and pollers repeat themselves.

One holds for a client, a Host field and a target, under one network and one configuration.
"""

from __future__ import annotations

from dataclasses import dataclass

from headrace.bounded import BoundedMemory, Door
from headrace.router.network import ClassPlaces, Place
from headrace.router.tallies import Count

MEMORY_BYTES = 4 * 1024 * 1024
OBJECT_BYTES = 300  # a Redirect, its key and the heads of their texts


@dataclass(slots=True, eq=False)
class SentRedirect:
    """A redirect but for what changes with the time: see `ClassPlaces.tail`. `count` is where it
    is counted; `authority` is what the client asked for.
    """

    start: bytes
    place: Place
    places: ClassPlaces
    count: Count
    authority: bytes


Key = tuple[str, bytes | None, bytes]


class SentMemory:
    """Redirects by key, bounded in bytes. `entries` is to be read directly.

    One is remembered when it is sent the second time within a while: most are sent once, and would
    only cost.
    """

    __slots__ = ("_door", "_known", "entries")

    def __init__(self) -> None:
        self._known: BoundedMemory[Key, SentRedirect] = BoundedMemory(MEMORY_BYTES, _cost)
        self.entries = self._known.entries
        self._door = Door()

    def note(self, key: Key, sent: SentRedirect, authority: bytes) -> None:
        """Note that a redirect was sent."""
        if self._door.came_before(hash(key)):
            sent.authority = authority
            self._known.put(key, sent)


def _cost(key: Key, sent: SentRedirect) -> int:
    address, host, target = key
    return (
        OBJECT_BYTES
        + len(address)
        + len(host or b"")
        + len(target)
        + len(sent.start)
        + len(sent.authority)
    )
