"""Steps of Python that a worker takes for an answer, as `run_counted_edge` counts them.

They are the same on every processor, for every build of Python and of OpenSSL, and whatever else
the machine does, which instructions are not.
"""

from __future__ import annotations

import struct
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

LINES, CALLS, C_CALLS = range(3)
_LAYOUT = struct.Struct("3Q")
FILE_BYTES = _LAYOUT.size
MOST_TIMES = 6


@dataclass(frozen=True, slots=True)
class Steps:
    """Lines of Python, Python functions entered, and functions in C called from there."""

    lines: float
    calls: float
    c_calls: float

    def exceeds(self, allowed: Steps, times: float) -> list[str]:
        """What is more than so many times what is allowed, and by more than one step."""
        return [
            f"{name}: {mine:.1f}, where {limit:.1f} were recorded"
            for name, mine, limit in (
                ("lines", self.lines, allowed.lines),
                ("calls", self.calls, allowed.calls),
                ("C calls", self.c_calls, allowed.c_calls),
            )
            if mine > max(limit * times, limit + 1)
        ]


def launcher(file: Path) -> Sequence[str]:
    """The command that runs an edge which counts into this file."""
    return (sys.executable, "-m", "tests.harness.run_counted_edge", str(file))


def counted(file: Path) -> tuple[int, int, int]:
    """What has been counted until now."""
    lines, calls, c_calls = _LAYOUT.unpack(file.read_bytes())
    return lines, calls, c_calls


def of_each(
    file: Path,
    do: Callable[[int], None],
    batches: int,
    each: int,
    enough: Callable[[Steps], bool] = lambda _found: True,
) -> Steps:
    """What one of `do(number)` takes: the least of some batches, or of up to MOST_TIMES as many
    until it is `enough`.

    What the worker does by itself meanwhile (timers, a look-up every two seconds) is in some
    batches and not in all. On a busy machine, a connection and its request come apart in many of
    them, and are two turns of the loop.
    """
    found: list[list[float]] = []
    for batch in range(batches * MOST_TIMES):
        if batch >= batches and batch % batches == 0 and enough(_least(found)):
            break
        before = counted(file)
        for number in range(batch * each, (batch + 1) * each):
            do(number)
        after = counted(file)
        found.append([(last - first) / each for first, last in zip(before, after, strict=True)])
    return _least(found)


def _least(found: Sequence[Sequence[float]]) -> Steps:
    return Steps(*(min(column) for column in zip(*found, strict=True)))
