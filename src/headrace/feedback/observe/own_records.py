"""What this observer knows of servers from its own probes. Pure: `now` is by any clock that only
counts on.
"""

from __future__ import annotations

from collections.abc import Collection

import msgspec

from headrace.feedback.observation import Outcome, ProbeRecord, next_record

FEW_FAILURES = 3


class OwnRecords:
    """The record of each server, with the moment of its last probe."""

    def __init__(self) -> None:
        self._records: dict[str, tuple[ProbeRecord, float]] = {}

    def __len__(self) -> int:
        return len(self._records)

    def note(
        self,
        server: str,
        outcome: Outcome,
        first_byte_s: float | None,
        total_s: float | None,
        now: float,
    ) -> bool:
        """Note how a probe ended; return whether others should hear of it at once: a server begins
        to fail.
        """
        known = self._records.get(server)
        before = None if known is None else known[0]
        after = next_record(before, outcome, first_byte_s, total_s)
        self._records[server] = (after, now)
        return 0 < after.failures <= FEW_FAILURES

    def keep_only(self, servers: Collection[str]) -> None:
        """Forget the servers that are not among these."""
        for name in self._records.keys() - set(servers):
            del self._records[name]

    def at(self, now: float) -> dict[str, ProbeRecord]:
        """Return the records with their ages at a moment."""
        replace = msgspec.structs.replace
        return {
            name: replace(record, age_s=max(0.0, now - made_s))
            for name, (record, made_s) in self._records.items()
        }
