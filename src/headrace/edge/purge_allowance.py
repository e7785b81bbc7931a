"""How many purge rules strangers may cause, and other servers. Pure: `now` is an argument."""

from __future__ import annotations

RULES_PER_S = 10.0
RULES_AT_ONCE = 100
PEER_RULES_PER_S = 10.0
PEER_RULES_AT_ONCE = 1000


class Allowance:
    """How many rules one worker may still make: `at_once`, and `per_s` more each second."""

    __slots__ = ("_at_once", "_left", "_per_s", "_since")

    def __init__(self, per_s: float = RULES_PER_S, at_once: int = RULES_AT_ONCE) -> None:
        self._per_s = per_s
        self._at_once = at_once
        self._left = float(at_once)
        self._since = 0.0

    def take(self, now: float) -> bool:
        """Return whether there is one more at `now` (monotonic seconds); it is taken then."""
        grown = max(0.0, now - self._since) * self._per_s
        self._left = min(float(self._at_once), self._left + grown)
        self._since = now
        if self._left < 1.0:
            return False
        self._left -= 1.0
        return True
