"""The history of what changed: lines of JSON in the state directory, bounded; the older half goes
when a file is full.

Those that another observer decided are written down too, so that every observer has the same
history.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec
import structlog

NAME = "feedback.history"
OLDER = "feedback.history.1"
MOST_BYTES = 8 * 1024**2
REMEMBERED = 1024
TOLD = 128
LONGEST_LINE_BYTES = 4096


log = structlog.get_logger("headrace.feedback")


class History:
    """The last events in memory, each as its line without the end, and all in two files."""

    def __init__(self, directory: Path, most_bytes: int = MOST_BYTES) -> None:
        self._file = directory / NAME
        self._older = directory / OLDER
        self._most_bytes = most_bytes
        self.recent: deque[bytes] = deque(self._lines(), maxlen=REMEMBERED)
        self._unwritten: deque[bytes] = deque(maxlen=REMEMBERED)

    def add(self, events: Iterable[bytes]) -> list[bytes]:
        """Take what is not among the last events; return that. `write` writes it down."""
        known = set(self.recent)
        new = [line for line in events if line not in known and len(line) <= LONGEST_LINE_BYTES]
        self.recent.extend(new)
        self._unwritten.extend(new)
        return new

    def write(self) -> None:
        """Write down what was taken. Raises OSError."""
        data = b""
        while self._unwritten:
            data += self._unwritten.popleft() + b"\n"
        if data:
            self._append(data)

    def told(self) -> list[bytes]:
        """Return the last few, for the other observers."""
        return list(self.recent)[-TOLD:]

    def last(self, count: int, about: str = "") -> list[bytes]:
        """Return the last lines, the newest first; with `about`, of this server or site alone."""
        found: deque[bytes] = deque(maxlen=count)
        for line in self._lines():
            if not about or _is_about(line, about):
                found.append(line)
        return list(reversed(found))

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


def _is_about(line: bytes, about: str) -> bool:
    """Return whether an event is about a server or a site."""
    try:
        event = msgspec.json.decode(line, type=_Names)
    except (msgspec.DecodeError, ValueError):
        return False
    return about in (event.server, event.site)


class _Names(msgspec.Struct):
    server: str = ""
    site: str = ""


def log_event(line: bytes, decided_by: str | None) -> None:
    """Write an event to the log, with its fields."""
    try:
        change: object = msgspec.json.decode(line)
    except (msgspec.DecodeError, ValueError, RecursionError):
        change = repr(line[:200])  # another version's, or another observer's fault
    log.warning("feedback_changed", decided_by=decided_by, change=change)
