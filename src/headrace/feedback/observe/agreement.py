"""What most servers answer, where nobody says what is right. Pure.

A server is wrong only when more than half of those that answered last agree on another body.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection

LEAST_ANSWERS = 3
"""Of fewer servers none is wrong: nobody could say which."""


class Agreement:
    """The bodies that servers answered last to one probe, by their hashes."""

    def __init__(self) -> None:
        self._said: dict[str, bytes] = {}
        self._counts: Counter[bytes] = Counter()

    def is_right(self, server: str, digest: bytes) -> bool:
        """Note what a server answered; return whether not most others answer something else."""
        self.forget(server)
        self._said[server] = digest
        self._counts[digest] += 1
        total = len(self._said)
        if total < LEAST_ANSWERS:
            return True
        ((most, count),) = self._counts.most_common(1)
        return count * 2 <= total or most == digest

    def forget(self, server: str) -> None:
        """Count a server no more that does not answer."""
        known = self._said.pop(server, None)
        if known is not None:
            self._counts[known] -= 1
            if not self._counts[known]:
                del self._counts[known]

    def keep_only(self, servers: Collection[str]) -> None:
        """Forget the servers that are not among these."""
        for server in self._said.keys() - set(servers):
            self.forget(server)
