"""Whether the kernel answers a flood of SYNs with cookies: then it knows nothing of a connection
until its third packet comes, which looks like one of a connection that another server has.
"""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

COUNTERS = Path("/proc/self/net/netstat")
QUIET_S = 10.0
_NAME = "SyncookiesSent"


def cookies_in(text: str) -> int | None:
    """Return how many cookies were sent; None where it is not said."""
    lines = text.splitlines()
    for names, values in pairwise(lines):
        if names.startswith("TcpExt:") and values.startswith("TcpExt:"):
            counted = dict(zip(names.split(), values.split(), strict=False))
            return int(counted[_NAME]) if _NAME in counted else None
    return None


class Cookies:
    """Watches the count."""

    def __init__(self, path: Path = COUNTERS) -> None:
        self._path = path
        self._sent: int | None = None
        self._last: float | None = None

    def look(self, now: float) -> bool:
        """Return whether cookies were sent lately."""
        try:
            sent = cookies_in(self._path.read_text("ascii", errors="replace"))
        except (OSError, ValueError):
            sent = None
        if sent is not None and self._sent is not None and sent > self._sent:
            self._last = now
        self._sent = sent
        return self._last is not None and 0 <= now - self._last < QUIET_S
