"""Shifts `time.time()` of processes that find this directory in PYTHONPATH: Python imports this
before all else. See `clocks`.

By how much is read each time from the file that SHIFTED_CLOCK names; without it nothing is shifted.
"""

from __future__ import annotations

import os
import time

SHIFTED_CLOCK = "SHIFTED_CLOCK"

_right = time.time


def _shifted() -> float:
    path = os.environ.get(SHIFTED_CLOCK)
    if path is None:
        return _right()
    with open(path) as file:
        return _right() + float(file.read())


if __name__ == "sitecustomize":
    time.time = _shifted
