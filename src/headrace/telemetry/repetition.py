"""Keeps events that every failed request repeats from flooding the log.

When an origin is down, or a disk fails, each request tells the same. What matters more (a worker
that died) would drown in it, and journald drops lines of whoever writes too many. So of one kind of
event some lines a second are written; the next one written says how many were not. Metrics and the
access log have them all.
"""

from __future__ import annotations

import time
from collections.abc import Callable, MutableMapping
from typing import Any

import structlog

REPEATED = frozenset(
    {
        "fill_failed",
        "origin_failed",
        "peer_refused",
        "request_failed",
        "store_write_failed",
        "stored_slice_damaged",
        "stored_slice_unreadable",
    }
)
LINES_A_SECOND = 10
_KIND = ("event", "service", "pool", "origin", "failure", "reason")


class Repetition:
    """A structlog processor. Kinds are few: their fields are names of the configuration and words
    of `reasons`.
    """

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._written: dict[tuple[Any, ...], tuple[int, int]] = {}  # the second, lines in it
        self._hidden: dict[tuple[Any, ...], int] = {}

    def __call__(
        self, _logger: Any, _method: str, event: MutableMapping[str, Any]
    ) -> MutableMapping[str, Any]:
        """Return the event, with `hidden` if others like it were left out since the last line.

        Raises structlog.DropEvent for one line too many.
        """
        if event["event"] not in REPEATED:
            return event
        kind = tuple(event.get(name) for name in _KIND)
        second = int(self._now())
        before, lines = self._written.get(kind, (second, 0))
        if before != second:
            lines = 0
        if lines >= LINES_A_SECOND:
            self._hidden[kind] = self._hidden.get(kind, 0) + 1
            raise structlog.DropEvent
        self._written[kind] = (second, lines + 1)
        hidden = self._hidden.pop(kind, 0)
        if hidden:
            event["hidden"] = hidden
        return event
