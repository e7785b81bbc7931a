"""The history of what changed: lines of JSON in the state directory, bounded; the older half goes
when a file is full.

Those that another observer decided are written down too, so that every observer has the same
history.
"""

from __future__ import annotations

import heapq
import math
import os
import threading
import time
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated

import msgspec
import structlog
from msgspec import Meta

NAME = "feedback.history"
OLDER = "feedback.history.1"
MOST_BYTES = 8 * 1024**2
REMEMBERED_BYTES = 4 * 1024**2
MOST_ADDED_BYTES = 1024**2
"""Of what happens at one moment: some 3,000 changes."""
MOST_UNWRITTEN_BYTES = 8 * 1024**2
TOLD = 128
TOLD_S = 10.0
LONGEST_LINE_BYTES = 4096
_LATEST = 1e11
"""A Unix time of the year 5138: what is later no calendar has."""

log = structlog.get_logger("headrace.feedback")


class History:
    """The last events in memory, each as its line without the end, and all in two files."""

    def __init__(self, directory: Path, most_bytes: int = MOST_BYTES) -> None:
        self._file = directory / NAME
        self._older = directory / OLDER
        self._most_bytes = most_bytes
        self._recent: OrderedDict[bytes, float] = OrderedDict()
        self._recent_bytes = 0
        self._lock = threading.Lock()  # `write` runs in a thread
        self._unwritten: list[bytes] = []
        self._unwritten_bytes = self._not_written = 0
        for line in self._lines():
            self._remember(line, -math.inf)

    def add(self, events: Iterable[bytes], now: float = 0.0) -> list[bytes]:
        """Take what is not among the last events, and is one; return that. `write` writes it down.

        Of more than fits, only the first are taken, and an event says how many were not.
        """
        new: list[bytes] = []
        taken, left_out = 0, 0
        for line in dict.fromkeys(events):
            if line in self._recent:
                continue
            if len(line) > LONGEST_LINE_BYTES or taken + len(line) > MOST_ADDED_BYTES:
                left_out += 1
                continue
            if not _is_event(line):
                continue  # another version's, or another observer's fault: nobody could read it
            taken += len(line)
            new.append(line)
        if left_out:
            new.append(_left_out(left_out, now))
        for line in new:
            self._remember(line, now)
        with self._lock:
            for line in new:
                if self._unwritten_bytes + len(line) > MOST_UNWRITTEN_BYTES:
                    self._not_written += 1
                    continue
                self._unwritten.append(line)
                self._unwritten_bytes += len(line)
        return new

    def _remember(self, line: bytes, now: float) -> None:
        self._recent[line] = now
        self._recent_bytes += len(line)
        while self._recent_bytes > REMEMBERED_BYTES:
            self._recent_bytes -= len(self._recent.popitem(last=False)[0])

    def write(self) -> None:
        """Write down what was taken. Raises OSError; what could not be written is counted, and the
        count is written down later.
        """
        with self._lock:
            lines, not_written = self._unwritten, self._not_written
            self._unwritten, self._unwritten_bytes, self._not_written = [], 0, 0
        if not_written:
            lines.append(_left_out(not_written, time.time()))
        try:
            if lines:
                self._append(b"".join(line + b"\n" for line in lines))
        except OSError:
            with self._lock:
                self._not_written += not_written + len(lines) - bool(not_written)
            raise

    def told(self, now: float) -> list[bytes]:
        """Return the last for the other observers: all of the last seconds, and a few more."""
        found: list[bytes] = []
        left_bytes = MOST_ADDED_BYTES + LONGEST_LINE_BYTES
        for line, at in reversed(self._recent.items()):
            left_bytes -= len(line)
            if left_bytes < 0 or (len(found) >= TOLD and at < now - TOLD_S):
                break
            found.append(line)
        found.reverse()
        return found

    def last(self, count: int, about: str = "") -> list[bytes]:
        """Return the last lines, the newest first; with `about`, of this server or site alone."""
        told = (
            (event.at, place, line)
            for place, line in enumerate(self._lines())
            if (event := _names(line)) is not None
            and (not about or about in (event.server, event.site))
        )
        # Events that others told stand where they came, which may be long after they were.
        return [line for _at, _place, line in heapq.nlargest(count, told)]

    def _append(self, data: bytes) -> None:
        if self._size() + len(data) > self._most_bytes:
            self._file.replace(self._older)
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC
        with os.fdopen(os.open(self._file, flags, 0o600), "ab") as file:
            file.write(data)

    def _size(self) -> int:
        try:
            return self._file.stat().st_size
        except FileNotFoundError:
            return 0

    def _lines(self) -> Iterator[bytes]:
        for path in (self._older, self._file):
            try:
                with path.open("rb") as file:
                    for line in file:
                        if line.endswith(b"\n"):
                            yield line[:-1]
            except OSError:
                continue


def _left_out(count: int, now: float) -> bytes:
    text = f"{count} changes of this moment were too many to be kept"
    event = {"at": now, "alarm": "history_cut", "subject": "", "text": text, "raised": True}
    return msgspec.json.encode(event)


def _names(line: bytes) -> _Names | None:
    """Return when an event was, and about whom; None for what is none."""
    try:
        return msgspec.json.decode(line, type=_Names)
    except (msgspec.DecodeError, ValueError):
        return None


class _Names(msgspec.Struct):
    at: Annotated[float, Meta(ge=0.0, le=_LATEST)] = 0.0
    server: str = ""
    site: str = ""


class _Event(_Names):
    """What `headrace feedback history` prints of an event."""

    before: str = ""
    after: str = ""
    reasons: list[str] = []
    note: str = ""
    alarm: str = ""
    subject: str = ""
    text: str = ""
    raised: bool = False


def _is_event(line: bytes) -> bool:
    """Return whether a line is a whole event of text alone, on one line."""
    try:
        line.decode()
        msgspec.json.decode(line, type=_Event)
    except (msgspec.DecodeError, ValueError, RecursionError):
        return False
    return b"\n" not in line


def log_event(line: bytes, decided_by: str | None) -> None:
    """Write an event to the log, with its fields."""
    try:
        change: object = msgspec.json.decode(line)
    except (msgspec.DecodeError, ValueError, RecursionError):
        change = repr(line[:200])  # another version's, or another observer's fault
    log.warning("feedback_changed", decided_by=decided_by, change=change)
