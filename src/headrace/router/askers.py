"""What is the same for all that a client asks of one host, to be worked out once.

It holds under one network and one configuration, where the host's requests are all of one class and
the client goes straight to a server by the shard alone: see `routing.straight`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from headrace.bounded import BoundedMemory
from headrace.routing.straight import Straight

MEMORY_BYTES = 4 * 1024 * 1024
OBJECT_BYTES = 400  # an Asker, its key and the heads of their texts


@dataclass(slots=True, eq=False)
class Asker:
    """A client that asks for a host. `authority` is what it asked for; `shard_of` returns the shard
    of a path in its one form.
    """

    authority: bytes
    shard_of: Callable[[bytes], bytes]
    straight: Straight


Key = tuple[str, bytes | None]
"""The address of a connection that is its client's own, and the Host field."""


def asker_memory() -> BoundedMemory[Key, Asker]:
    """Return a memory of askers, bounded in bytes."""
    return BoundedMemory(MEMORY_BYTES, _cost)


def _cost(key: Key, asker: Asker) -> int:
    address, host = key
    return OBJECT_BYTES + len(address) + len(host or b"") + 2 * len(asker.authority)
