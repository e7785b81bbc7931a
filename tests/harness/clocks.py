"""Clocks of processes under test that go ahead of this machine's, or change while they run.

Only what Python asks for as `time.time()` is shifted: OpenSSL knows the time by itself.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator
from pathlib import Path

from tests.harness import shifted
from tests.harness.shifted.sitecustomize import SHIFTED_CLOCK

SHIFTING = Path(shifted.__file__).parent


class ShiftedClock:
    """The clock of those processes that are started while it is `given`."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self._directory = directory
        self._file = directory / "shift"
        self._shift_s = 0.0
        self.move(0.0)

    def move(self, by_s: float) -> None:
        """Set the clock ahead."""
        self._shift_s += by_s
        new = self._directory / "shift.new"
        new.write_text(repr(self._shift_s))
        new.replace(self._file)

    def set(self, to: float) -> None:
        """Set the clock to a time (Unix seconds), from which it runs."""
        self.move(to - self.now())

    def now(self) -> float:
        """Return what it says."""
        return time.time() + self._shift_s

    @contextlib.contextmanager
    def given(self) -> Iterator[None]:
        """Give it to the processes that are started meanwhile."""
        before = {name: os.environ.get(name) for name in ("PYTHONPATH", SHIFTED_CLOCK)}
        paths = [str(SHIFTING), *(before["PYTHONPATH"] or "").split(os.pathsep)]
        os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, paths))
        os.environ[SHIFTED_CLOCK] = str(self._file)
        try:
            yield
        finally:
            for name, value in before.items():
                if value is None:
                    del os.environ[name]
                else:
                    os.environ[name] = value
