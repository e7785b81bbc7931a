"""Shows on a terminal how far a simulation is."""

from __future__ import annotations

import sys
import time
from typing import TextIO

_WIDTH = 40
_EVERY_S = 0.2


class ProgressBar:
    """A line that is written again and again; nothing where nobody looks at a terminal."""

    def __init__(self, out: TextIO | None = None) -> None:
        self._out = sys.stderr if out is None else out
        self._shown = self._out is not None and self._out.isatty()
        self._began = time.monotonic()
        self._last = 0.0

    def __call__(self, share: float, requests: int) -> None:
        """Show the share that is done."""
        now = time.monotonic()
        if not self._shown or (now - self._last < _EVERY_S and share < 1):
            return
        self._last = now
        spent_s = now - self._began
        full = int(share * _WIDTH)
        left_s = spent_s / share - spent_s if share else 0.0
        self._out.write(
            f"\r[{'#' * full}{'.' * (_WIDTH - full)}] {share:4.0%}  {requests:,} requests  "
            f"{left_s:,.0f} s left \x1b[K"
        )
        self._out.flush()

    def end(self) -> None:
        """Take the line away."""
        if self._shown:
            self._out.write("\r\x1b[K")
            self._out.flush()
