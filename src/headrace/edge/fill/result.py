"""What comes of a fill, for everybody who waits for it."""

from __future__ import annotations

from dataclasses import dataclass

from headrace.cache.record import StoredResponse
from headrace.edge.body.growing_slice import GrowingSlice
from headrace.reasons import Reason
from headrace.upstream.failover_body import FailoverResponse


@dataclass(frozen=True, slots=True)
class Filled:
    """The response may be stored; `growing` is its first slice, or None when nothing new came
    (a 304: the stored response was freshened)."""

    stored: StoredResponse
    growing: GrowingSlice | None


@dataclass(slots=True)
class Uncacheable:
    """The response may not be stored.

    `response` is for the request that began the fill and for no other: whoever else waited asks
    the origin for himself, for what may not be stored may not be shared either (RFC 9111 section
    3). None when that request is gone or cannot use it. `own` tells that only fields of that
    request forbid the storing, so that nothing follows for others.
    """

    response: FailoverResponse | None
    status: int
    reason: Reason
    own: bool = False

    def take(self) -> FailoverResponse | None:
        """Return the response; to be called for the request that began the fill only."""
        response, self.response = self.response, None
        return response


class Restart:
    """Things have changed: begin again with a look into the store."""


@dataclass(frozen=True, slots=True)
class Failed:
    """The origin could not be asked, or answered with an error that stale content may hide.

    It says nothing of what is stored: that stays. `summary` is what each origin did, for those who
    may know.
    """

    status: int
    reason: str
    summary: str = ""


class StillWaiting:
    """Nothing came of it for as long as a request waits; the fill itself continues."""


Result = Filled | Uncacheable | Restart | Failed
