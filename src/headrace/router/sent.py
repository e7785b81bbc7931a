"""Redirects that were sent before, to be sent again: players and pollers repeat themselves.

One holds for a client, a Host field and a target, under one network and one configuration. They are
noted for heads that came before, to the byte: most come once, and would only cost.
"""

from __future__ import annotations

from dataclasses import dataclass

from headrace.bounded import BoundedMemory
from headrace.router.network import Way

MEMORY_BYTES = 8 * 1024 * 1024
OBJECT_BYTES = 300  # a SentRedirect, its key and the heads of their texts


@dataclass(slots=True, eq=False)
class SentRedirect:
    """A redirect but for what changes with the time: see `ClassPlaces.tail`. `authority` is what
    the client asked for.
    """

    start: bytes
    way: Way
    authority: bytes


Key = tuple[str, bytes | None, bytes]


def sent_memory() -> BoundedMemory[Key, SentRedirect]:
    """Return a memory of redirects, bounded in bytes."""
    return BoundedMemory(MEMORY_BYTES, _cost)


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
