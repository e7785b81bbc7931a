"""What a URL asks for: its class and shard, and the path and query that a redirect repeats."""

from __future__ import annotations

from dataclasses import dataclass

from headrace.http.parser import BadRequest
from headrace.http.target import BadTarget, as_sent, normalise_target
from headrace.router.network import ClassPlaces, RouterNetwork
from headrace.routing.question import Question
from headrace.topology.classify import Classified


@dataclass(slots=True, eq=False)
class Requested:
    """A URL, classified. `suffix` is its path and query, by which it is asked for elsewhere: as
    the client wrote them, but for dot segments and what should have been escaped.
    """

    authority: bytes
    suffix: bytes
    classified: Classified
    places: ClassPlaces

    def question(self, client: bytes | None, *, secure: bool) -> Question:
        """Return what is asked of the routing. A client without TLS may be sent to where there is
        some.
        """
        found = self.classified
        return Question(client, found.content, found.shard, True if secure else None)


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
    found = network.classes.of(authority, path)
    if found is None:
        raise UnknownContent
    suffix = spelled if query is None else b"%s?%s" % (spelled, query)
    return Requested(authority, suffix, found, network.places[found.content.name])
