"""Why responses were not stored, lately, by the URL's key: for `headrace explain --live`.

Bounded in bytes: MOST_KEYS keys of 16 bytes, REASONS_EACH reasons for each, which are words of
ours and never a client's text. The key not heard of for longest is forgotten first.
"""

from __future__ import annotations

from collections import OrderedDict

import msgspec

MOST_KEYS = 2048
REASONS_EACH = 4
MOST_WORDS = 64
OTHER = "other"


class NotStored(msgspec.Struct):
    """A reason, the status that the response had, how often, and when last (Unix seconds)."""

    reason: str
    status: int
    count: int
    last: float


class NotStoredLately:
    """What one worker remembers."""

    def __init__(self) -> None:
        self._known: OrderedDict[bytes, list[NotStored]] = OrderedDict()

    def note(self, key_hash: bytes, reason: str, status: int, now: float) -> None:
        """Note that a response for this key was not stored."""
        known = self._known.get(key_hash)
        if known is None:
            if len(self._known) >= MOST_KEYS:
                self._known.popitem(last=False)
            known = self._known[key_hash] = []
        else:
            self._known.move_to_end(key_hash)
        for one in known:
            if one.reason == reason and one.status == status:
                one.count += 1
                one.last = now
                return
        if len(known) >= REASONS_EACH:
            known.remove(min(known, key=lambda one: one.last))
        known.append(NotStored(reason, status, 1, now))

    def of(self, key_hash: bytes) -> list[NotStored]:
        """Return what is remembered of a key."""
        return list(self._known.get(key_hash, ()))


def together(parts: list[list[NotStored]]) -> list[NotStored]:
    """Return what several workers remember of one key, the latest first."""
    found: dict[tuple[str, int], NotStored] = {}
    for part in parts:
        for one in part:
            known = found.get((one.reason, one.status))
            if known is None:
                found[one.reason, one.status] = one
            else:
                found[one.reason, one.status] = NotStored(
                    one.reason, one.status, one.count + known.count, max(one.last, known.last)
                )
    return sorted(found.values(), key=lambda one: -one.last)


def counted_word(reason: str, known: dict[str, int]) -> str:
    """Return the label under which a metric counts a reason: itself, while there are few enough."""
    return reason if reason in known or len(known) < MOST_WORDS else OTHER
