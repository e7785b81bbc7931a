"""By how much other servers' clocks differ from ours, as their requests show. Pure: `now` is an
argument.

The moment of signing is in both clocks. Ours is later by the difference, and by the time that the
request was under way; so the least that was seen lately is the closest, and never too small. A
request that somebody sends again, seconds later, is not taken for one of a clock that is behind.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

WINDOW_S: Final = 30.0


@dataclass(slots=True)
class _Seen:
    since: float
    least_s: float
    least_before_s: float


class Clocks:
    """The differences, by server: as many as the network has."""

    def __init__(self) -> None:
        self._seen: dict[str, _Seen] = {}

    def retain(self, servers: frozenset[str]) -> None:
        """Forget all other servers."""
        self._seen = {name: seen for name, seen in self._seen.items() if name in servers}

    def behind_s(self, server: str, signed_at: float, now: float) -> float:
        """Return by how much a server's clock is behind ours at most: what it calls a moment, we
        call that much later. `signed_at` is its time, of a request that came `now`.
        """
        found_s = now - signed_at
        seen = self._seen.get(server)
        if seen is None or not 0 <= now - seen.since < 2 * WINDOW_S:
            seen = self._seen[server] = _Seen(now, found_s, found_s)
        elif now - seen.since >= WINDOW_S:
            seen.since, seen.least_before_s, seen.least_s = now, seen.least_s, found_s
        seen.least_s = min(seen.least_s, found_s)
        return min(seen.least_s, seen.least_before_s)
