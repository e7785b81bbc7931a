"""What is the same for all that a client asks of one host, to be worked out once.

It holds under one network and one configuration, where the host's requests are all of one class and
the client goes straight to a server by the shard alone: see `routing.straight`. A trusted proxy
asks for many clients, so that of it only the first half is the same.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from headrace.bounded import BoundedMemory
from headrace.router.clients import Peer
from headrace.routing.straight import Straight
from headrace.topology.model import ContentClass

MEMORY_BYTES = 4 * 1024 * 1024
OBJECT_BYTES = 400  # an Asker, its key and the heads of their texts


@dataclass(slots=True, eq=False)
class Asker:
    """A client that asks for a host, or a proxy: then `straight` is None. `authority` is what it
    asks for; `shard_of` returns the shard of a path in its one form.
    """

    authority: bytes
    peer: Peer
    content: ContentClass
    shard_of: Callable[[bytes], bytes]
    straight: Straight | None


Key = tuple[str, bytes | None]
"""The address of a connection, and the Host field."""


def asker_memory() -> BoundedMemory[Key, Asker]:
    """Return a memory of askers, bounded in bytes."""
    return BoundedMemory(MEMORY_BYTES, _cost)


def _cost(key: Key, asker: Asker) -> int:
    address, host = key
    return OBJECT_BYTES + len(address) + len(host or b"") + 2 * len(asker.authority)
