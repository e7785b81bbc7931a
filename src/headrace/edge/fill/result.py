"""What comes of a fetch, for everybody who waits for it."""

from __future__ import annotations

from dataclasses import dataclass

from headrace.cache.record import StoredResponse
from headrace.edge.body.growing_slice import GrowingSlice
from headrace.upstream.failover_body import Obtained


@dataclass(frozen=True, slots=True)
class Following:
    """The response may be stored; `growing` is its first slice, or None when nothing new came
    (a 304: the stored response was freshened)."""

    stored: StoredResponse
    growing: GrowingSlice | None


@dataclass(slots=True)
class Uncacheable:
    """The response may not be stored.

    `response` is for the request that began the fetch and for no other: whoever else waited asks
    the origin for himself, for what may not be stored may not be shared either (RFC 9111 section
    3). None when that request is gone or cannot use it. `own` tells that only fields of that
    request forbid the storing, so that nothing follows for others.
    """

    response: Obtained | None
    status: int
    reason: bytes
    own: bool = False

    def take(self) -> Obtained | None:
        """The response; to be called for the request that began the fetch only."""
        response, self.response = self.response, None
        return response


class LookAgain:
    """Things have changed: begin anew with a look into the store."""


@dataclass(frozen=True, slots=True)
class Failed:
    """The origin could not be asked, or answered with an error that stale content may hide.

    It says nothing of what is stored: that stays. `told` is what each origin did, for those who
    may know.
    """

    status: int
    reason: str
    told: str = ""


Outcome = Following | Uncacheable | LookAgain | Failed
