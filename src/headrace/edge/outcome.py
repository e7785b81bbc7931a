"""What comes of a fetch, for everybody who waits for it."""

from __future__ import annotations

from dataclasses import dataclass

from headrace.cache.stored import StoredResponse
from headrace.edge.slices import GrowingSlice
from headrace.origin.obtained import Obtained


@dataclass(frozen=True, slots=True)
class Following:
    """The response may be stored; `growing` is its first slice, or None when nothing new came
    (a 304: the stored response was freshened)."""

    stored: StoredResponse
    growing: GrowingSlice | None


@dataclass(slots=True)
class Uncacheable:
    """The response may not be stored. Its body goes to one client: who takes `response` first.

    None when nobody can use it, or it is taken: ask the origin again, for oneself.
    """

    response: Obtained | None
    status: int
    reason: bytes

    def take(self) -> Obtained | None:
        response, self.response = self.response, None
        return response


class LookAgain:
    """Things have changed: begin anew with a look into the store."""


@dataclass(frozen=True, slots=True)
class Failed:
    """The origin could not be asked, or answered with an error that stale content may hide.

    `told` is what each origin did, for those who may know.
    """

    status: int
    reason: str
    told: str = ""


Outcome = Following | Uncacheable | LookAgain | Failed
