"""What a URL asks for: its class and shard, and the path and query that a redirect repeats."""

from __future__ import annotations

from dataclasses import dataclass

from headrace.bounded import BoundedMemory
from headrace.http.hosts import host_of
from headrace.http.parser import BadRequest
from headrace.http.target import BadTarget, as_sent, normalise_target
from headrace.router.network import ClassPlaces, RouterNetwork
from headrace.routing.question import Question
from headrace.topology.model import ContentClass

MEMORY_BYTES = 8 * 1024 * 1024
OBJECT_BYTES = 500  # a Requested, its texts' headers, the key's pair


@dataclass(slots=True, eq=False)
class Requested:
    """A URL, classified. `suffix` is its path and query, by which it is asked for elsewhere: as
    the client wrote them, but for dot segments and what should have been escaped.
    """

    authority: bytes
    path: bytes
    suffix: bytes
    content: ContentClass
    shard: bytes
    places: ClassPlaces

    def question(self, client: bytes | None, *, secure: bool) -> Question:
        """Return what is asked of the routing. A client without TLS may be sent to where there is
        some.
        """
        return Question(client, self.content, self.shard, True if secure else None)


class UnknownContent(BadRequest):
    """No class of the network has this host and path."""

    def __init__(self) -> None:
        super().__init__(404, "nothing is delivered under this host and path")


def requested(
    network: RouterNetwork, target: bytes, host: bytes | None, scheme: bytes
) -> Requested:
    """Return what a request asks for. Raises BadRequest, as UnknownContent where it is no content
    of the network.
    """
    try:
        authority, path, query = normalise_target(target, host, scheme)
    except BadTarget as error:
        raise BadRequest(error.status, str(error)) from None
    if not path.startswith(b"/"):  # or what comes behind a server's name would be part of it
        raise BadRequest(400, "the target * belongs to OPTIONS")
    return classified(network, authority, path, as_sent(target, path), query)


def classified(
    network: RouterNetwork, authority: bytes, path: bytes, spelled: bytes, query: bytes | None
) -> Requested:
    """Return the same for a target that is normalised already. Raises UnknownContent."""
    found = network.classes.of(host_of(authority), path)
    if found is None:
        raise UnknownContent
    suffix = spelled if query is None else b"%s?%s" % (spelled, query)
    content = found.content
    return Requested(authority, path, suffix, content, found.shard, network.places(content))


Key = tuple[bytes | None, bytes]


def memory() -> BoundedMemory[Key, Requested]:
    """Return a memory of URLs by Host field and target, bounded in bytes."""
    return BoundedMemory(MEMORY_BYTES, _cost)


def _cost(key: Key, value: Requested) -> int:
    host, target = key
    texts = len(host or b"") + len(target) + len(value.path) + len(value.suffix)
    return OBJECT_BYTES + texts + len(value.authority) + len(value.shard)
