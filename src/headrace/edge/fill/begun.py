"""Fills that began without a task: what the table and a fill need to know of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from headrace.http.message import Field
from headrace.upstream.attempt_log import AttemptLog
from headrace.upstream.head_start import HeadStart
from headrace.upstream.target import Target


@dataclass(frozen=True, slots=True)
class Asking:
    """The origin was asked with `fields` at `request_time`, seconds since 1970, when the number of
    purges was `generation`. It stays with `target`: by the numbers of a later configuration's pool,
    its connection would be taken for one to another origin.
    """

    target: Target
    fields: list[Field]
    start: HeadStart
    log: AttemptLog
    request_time: float
    generation: int


class Straight(Protocol):
    """A miss on the short way, while it waits for the origin. It holds the permit for its slice."""

    def hand_over(self) -> None:
        """Have a fill continue it, with what has come so far, and enter that in its stead."""

    def close(self) -> None:
        """Break it off, and give back whatever it has taken. Idempotent."""
