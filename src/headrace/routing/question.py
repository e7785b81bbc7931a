"""What is asked of the routing, and what it answers.

These are structs, since one is made for each answer: a frozen dataclass takes ten times as long.
"""

from __future__ import annotations

import msgspec

from headrace.reasons import Reason
from headrace.topology.model import ContentClass, Server, Site

MOST_AVOIDED = 16
"""So many names a client may ask to be kept from; what it names beyond that is passed over."""

MOST_SITES = 3
"""So many sites of the network are offered at most; external ones come beside."""


class Question(msgspec.Struct, frozen=True):
    """Where should this client go?

    `client` is its address in 4 or 16 bytes (see `topology.coverage.client_of`), or that of its
    network, the rest zero; None: unknown. `content` and `shard` are what `topology.classify` says
    of the request; with no shard (b""), clients are spread over the servers of a site. `secure`:
    only servers with HTTPS (True), with HTTP (False), either (None). `avoid` are names of sites and
    servers that serve the client badly: they come last.
    """

    client: bytes | None
    content: ContentClass
    shard: bytes = b""
    secure: bool | None = None
    avoid: frozenset[str] = frozenset()
    sites: int = MOST_SITES


class Candidate(msgspec.Struct, frozen=True):
    """A place to go to. An external site has no server: it is at its `base_url`.

    `weight` is the site's weight among those of its order. A candidate that is `spare` takes no
    new clients (draining, full), or was to be avoided: it is for when nothing else serves.
    """

    site: Site
    server: Server | None
    weight: float
    spare: bool = False


class Decision(msgspec.Struct, frozen=True):
    """Where a client goes: the candidates in order, the first choice first.

    Empty only if nothing can serve. `coverage` is the name of the coverage that counted ("":
    none). All clients of the prefix of `prefix_length` around this one get the same answer.
    `fallback`: the first candidate is not where this client belongs when everything serves.
    """

    candidates: tuple[Candidate, ...]
    reason: Reason
    coverage: str
    prefix_length: int
    fallback: bool = False

    @property
    def first(self) -> Candidate | None:
        """Return the first choice."""
        return self.candidates[0] if self.candidates else None
