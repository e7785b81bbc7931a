"""Time and chance as arguments: a worker's own, or those of a test or a simulation."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Clock:
    """`now` is in seconds since 1970, `monotonic` in seconds since anything; both only grow with
    the time that passes. `random_bytes` returns so many bytes that no one can guess,
    `chance` a number from 0 up to 1.
    """

    now: Callable[[], float] = time.time
    monotonic: Callable[[], float] = time.monotonic
    random_bytes: Callable[[int], bytes] = os.urandom
    chance: Callable[[], float] = random.random
