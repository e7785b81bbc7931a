"""The lines of a log, whatever has its name: compressed or not, cut short, or with a line that does
not end.
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

from headrace.errors import HeadraceError
from headrace.node.network.files import opened

LONGEST_LINE = 64 * 1024
_TOLD_EVERY = 1000
_GZIP = b"\x1f\x8b"


class UnreadableLog(HeadraceError):
    """A log cannot be opened, or is no file."""


def lines_of(
    path: Path, damaged: Callable[[], None], read: Callable[[int], None]
) -> Iterator[bytes]:
    """Yield the lines; of one that is too long an empty one. `damaged` is called where a
    compressed log ends too early or is broken: what comes before counts. `read` is told now and
    then how many bytes of the file were read since it was told before.

    Raises UnreadableLog.
    """
    try:
        file = opened(path)
    except OSError as error:
        raise UnreadableLog(f"{path}: {error.strerror}: name the access logs of edges") from error
    with file:
        try:
            is_packed = file.read(len(_GZIP)) == _GZIP
            file.seek(0)
            if is_packed:
                with gzip.open(file) as unpacked:
                    yield from _telling(_lines(unpacked), file, read)
            else:
                yield from _telling(_lines(file), file, read)
        except (EOFError, zlib.error, gzip.BadGzipFile):
            damaged()
        except OSError as error:
            raise UnreadableLog(f"{path}: cannot be read: {error.strerror}") from error


def _telling(
    lines: Iterator[bytes], file: BinaryIO, read: Callable[[int], None]
) -> Iterator[bytes]:
    told = 0
    for number, line in enumerate(lines):
        if number % _TOLD_EVERY == 0:
            at = file.tell()
            read(at - told)
            told = at
        yield line


def _lines(file: BinaryIO | gzip.GzipFile) -> Iterator[bytes]:
    while text := file.readline(LONGEST_LINE):
        if len(text) < LONGEST_LINE or text.endswith(b"\n"):
            yield text
            continue
        while text and not text.endswith(b"\n"):
            text = file.readline(LONGEST_LINE)
        yield b""
