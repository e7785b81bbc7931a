"""Waiting for something to come true, with a deadline instead of a guess."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

POLL_S = 0.01
RESTS = 3
"""A probe that takes long, a command say, is called so rarely that it leaves the processor to what
it waits for: after each call there is a rest of so many times as long as the call took."""
LONGEST_REST_S = 0.5


class NeverHappened(AssertionError):
    """The deadline passed first."""


def eventually(
    probe: Callable[[], T], what: str, timeout_s: float = 20.0, *, every_s: float = POLL_S
) -> T:
    """Call `probe` until it returns something true, and return that. Raises NeverHappened.

    Between two calls are `every_s`, or more after one that took long.
    """
    deadline = time.monotonic() + timeout_s
    while True:
        began = time.monotonic()
        found = probe()
        if found:
            return found
        now = time.monotonic()
        if now > deadline:
            raise NeverHappened(f"within {timeout_s:g} s it never came true that {what}")
        time.sleep(max(every_s, min(RESTS * (now - began), LONGEST_REST_S)))
