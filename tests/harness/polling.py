"""Waiting for something to come true, with a deadline instead of a guess."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

POLL_S = 0.01


class NeverHappened(AssertionError):
    """The deadline passed first."""


def eventually(
    probe: Callable[[], T], what: str, timeout_s: float = 20.0, *, every_s: float = POLL_S
) -> T:
    """Call `probe` until it returns something true, and return that. Raises NeverHappened.

    A probe that costs much needs a larger `every_s`, or it starves the origin on its thread.
    """
    deadline = time.monotonic() + timeout_s
    while True:
        found = probe()
        if found:
            return found
        if time.monotonic() > deadline:
            raise NeverHappened(f"within {timeout_s:g} s it never came true that {what}")
        time.sleep(every_s)
