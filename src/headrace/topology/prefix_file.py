"""Reads files of prefixes: one a line, what follows `#` is a comment.

A file is read once for its checks and for its values. It may have millions of lines, so no line
becomes an object that stays.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from headrace.topology.prefix_set import NO_PREFIXES, PrefixSet, record_of, set_of_records

MOST_PREFIXES = 4_000_000
MOST_FILE_BYTES = 256 * 1024**2
_MOST_FAULTS = 20
_LONGEST_SHOWN = 64
_REMEDY = "write one prefix a line, such as 192.0.2.0/24 or 2001:db8::/32; comments begin with #"


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with a file, or with a line of it (0: with the whole)."""

    line: int
    message: str
    remedy: str
    value: str | None = None


@dataclass(frozen=True, slots=True)
class PrefixFile:
    """A file as it was read; with faults, the prefixes of the sound lines."""

    prefixes: PrefixSet = NO_PREFIXES
    faults: tuple[Fault, ...] = ()


@dataclass(slots=True)
class PrefixFiles:
    """The files that a description names, each read when it is first asked for.

    `description` is where that is, as it was named; files beside it are called likewise.
    """

    description: Path = Path()
    by_path: dict[Path, PrefixFile] = field(default_factory=dict)

    def read(self, path: Path) -> PrefixFile:
        """Return a file."""
        known = self.by_path.get(path)
        if known is None:
            known = self.by_path[path] = read_prefix_file(path)
        return known

    def name_of(self, path: Path) -> str:
        """Return what messages call a file."""
        base = self.description.absolute().parent
        if path.is_relative_to(base):
            return str(self.description.parent / path.relative_to(base))
        return str(path)


def read_prefix_file(path: Path) -> PrefixFile:
    """Return a file, with its faults if there are any."""
    try:
        with open(path, "rb", opener=_without_waiting) as file:
            whole = _unfit(os.fstat(file.fileno()))
            return PrefixFile(faults=(whole,)) if whole else _parsed(file)
    except (OSError, ValueError) as error:  # of a NUL in the name
        reason = error.strerror if isinstance(error, OSError) else error
        remedy = "name a readable file, relative to the directory of the description"
        return PrefixFile(faults=(Fault(0, f"cannot be read: {reason}", remedy),))


def _without_waiting(path: str, flags: int) -> int:
    """Open a file; a pipe that nobody writes to is not waited for."""
    return os.open(path, flags | os.O_NONBLOCK)


def _unfit(status: os.stat_result) -> Fault | None:
    if not stat.S_ISREG(status.st_mode):
        return Fault(0, "is not a file", "name a file with one prefix a line")
    if status.st_size > MOST_FILE_BYTES:
        return Fault(
            0,
            f"is larger than {MOST_FILE_BYTES >> 20} MiB",
            "leave out what is covered by shorter prefixes",
        )
    return None


def _parsed(lines: Iterable[bytes]) -> PrefixFile:
    records: list[bytes] = []
    faults: list[Fault] = []
    for number, entry in _entries(lines):
        try:
            records.append(record_of(entry.decode("ascii")))
        except UnicodeDecodeError:
            faults.append(Fault(number, "is no prefix", _REMEDY, _shown(entry)))
        except ValueError as error:
            message, _, remedy = str(error).partition(": ")
            faults.append(Fault(number, message, remedy, _shown(entry)))
        if len(faults) == _MOST_FAULTS:
            faults.append(Fault(number, "the rest was not read", "correct these lines first"))
            break
        if len(records) > MOST_PREFIXES:
            remedy = "leave out what is covered by shorter prefixes"
            faults.append(Fault(number, f"more than {MOST_PREFIXES} prefixes", remedy))
            break
    return PrefixFile(set_of_records(records), tuple(faults))


def _entries(lines: Iterable[bytes]) -> Iterator[tuple[int, bytes]]:
    """Yield what stands on each line, comments left out, with the line's number."""
    for number, line in enumerate(lines, 1):
        entry = line.partition(b"#")[0].strip()
        if entry:
            yield number, entry


def _shown(entry: bytes) -> str:
    text = entry[:_LONGEST_SHOWN].decode("ascii", "backslashreplace")
    return repr(text) if len(entry) <= _LONGEST_SHOWN else f"{text!r}…"


def lines_of_prefixes(path: Path, wanted: Iterable[bytes]) -> dict[bytes, int]:
    """Return the first line on which a file has each of the prefixes that it still has."""
    missing = set(wanted)
    found: dict[bytes, int] = {}
    try:
        with open(path, "rb", opener=_without_waiting) as file:
            for number, entry in _entries(file):
                record = _record_or_none(entry)
                if record in missing:
                    missing.discard(record)
                    found[record] = number
                if not missing:
                    break
    except OSError:  # it was there a moment ago; then the problem names the file alone
        pass
    return found


def _record_or_none(entry: bytes) -> bytes | None:
    try:
        return record_of(entry.decode("ascii"))
    except ValueError:
        return None
