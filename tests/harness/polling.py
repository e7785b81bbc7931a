"""Waiting for something to come true, with a deadline instead of a guess."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

POLL_S = 0.01


class NeverHappened(AssertionError):
    """The deadline passed first."""


def eventually(probe: Callable[[], T], what: str, timeout_s: float = 20.0) -> T:
    """Call `probe` until it gives something true, and give that. Raises NeverHappened."""
    deadline = time.monotonic() + timeout_s
    while True:
        found = probe()
        if found:
            return found
        if time.monotonic() > deadline:
            raise NeverHappened(f"within {timeout_s:g} s it never came true that {what}")
        time.sleep(POLL_S)
