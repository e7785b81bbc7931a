"""The file that BIRD includes: replaced whole, in bounded time, whatever its disk does."""

from __future__ import annotations

import asyncio
import contextlib
import os
from pathlib import Path

from headrace.bgp.errors import BgpError
from headrace.bgp.files import new_file, read_file

LARGEST_BYTES = 16 << 20
WRITE_S = 2.0


class IncludeFile:
    """The file. Written in the background, for a disk that hangs must not hold up who withdraws."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._writing: asyncio.Future[None] | None = None

    def read(self) -> str | None:
        """Return what it says; None where that is of no use."""
        try:
            return read_file(self._path, LARGEST_BYTES).decode()
        except (OSError, ValueError):
            return None

    async def write(self, text: str) -> None:
        """Put it there whole, readable by BIRD's user. Raises BgpError."""
        if self._writing is not None and not self._writing.done():
            # What hangs may be done one day, and must not come after what is written now.
            raise BgpError(f"{self._path} is not written yet: does its disk answer?")
        self._writing = asyncio.ensure_future(asyncio.to_thread(self._replace, text))
        self._writing.add_done_callback(_forget)
        try:
            await asyncio.wait_for(asyncio.shield(self._writing), WRITE_S)
        except TimeoutError:
            raise BgpError(
                f"{self._path} was not written within {WRITE_S:.0f} s: does its disk answer?"
            ) from None
        except OSError as error:
            raise BgpError(f"{self._path} cannot be written: {error.strerror}") from None

    def _replace(self, text: str) -> None:
        # Who checks and its guard may write at once.
        new = self._path.with_name(f".{self._path.name}.{os.getpid()}.new")
        try:
            with new_file(new) as file:
                file.write(text.encode())
                file.flush()
                os.fsync(file.fileno())
            new.replace(self._path)
        except OSError:
            with contextlib.suppress(OSError):
                new.unlink()
            raise


def _forget(writing: asyncio.Future[None]) -> None:
    """Take what it failed with, which nobody waits for any more."""
    if not writing.cancelled():
        writing.exception()
