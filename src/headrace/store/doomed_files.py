"""The files of slices that leave the index: spare ones from now on, or gone."""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import suppress
from types import TracebackType
from typing import Self

from headrace.store.files import open_file, remove
from headrace.store.spare_files import Claimed, SpareFiles


class DoomedFiles:
    """Takes files' names away at once, and gives their room back when it ends.

    The names go while others cannot write to the index: later, one may be that of a slice that was
    filled again. The room of 8 MiB takes 1 ms, and what is read of a file that may be used again
    may have to come from the disk: for these nobody has to wait.
    """

    __slots__ = ("_claimed", "_failure", "_nameless", "_spares")

    def __init__(self, spares: SpareFiles) -> None:
        self._spares = spares
        self._nameless: list[int] = []
        self._claimed: list[Claimed] = []
        self._failure: OSError | None = None

    def take(self, paths: Iterable[str]) -> None:
        """Take away these names. What the disk does not remove is an orphan: `__exit__` tells."""
        for path in paths:
            claimed = self._spares.claim(path)
            if claimed is not None:
                self._claimed.append(claimed)
                continue
            with suppress(OSError):  # no descriptor is left, or it is no file of ours
                self._nameless.append(open_file(path, os.O_RDONLY))
            try:
                remove(path)
            except OSError as error:
                self._failure = self._failure or error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Raises OSError when a file could not be removed and nothing else went wrong."""
        for claimed in self._claimed:
            self._spares.settle(claimed)
        for fd in self._nameless:
            os.close(fd)
        if self._failure is not None and error is None:
            raise self._failure
