"""What a piece of work is: it is opened for a running peer, and then done in slices."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path

from bench.speed import load
from bench.speed.processes import Program

SEGMENT_BYTES = 2_000_000
MANIFEST_BYTES = 1_000
LARGE_BYTES = 1_000_000_000
LARGE_STARTS = (0, 123_456_789, 999_000_000)
LARGE_SPAN_BYTES = 524_288


@dataclass(slots=True)
class Running:
    """A started peer, and the origin that it asks.

    `digests` are SHA-256 by path, `quick_digests` XXH3 by content; `large` is the large file,
    `scratch` a directory for files of clients.
    """

    name: str
    program: Program
    origin: Program
    plain: int
    tls: int
    origin_log: Path
    scratch: Path
    digests: Mapping[str, str] = field(default_factory=dict)
    quick_digests: Mapping[str, int] = field(default_factory=dict)
    large: Path | None = None

    def check(self, path: str, *, tls: bool) -> None:
        """Raises WrongAnswer when another body comes."""
        if load.digest(self.tls if tls else self.plain, path, tls=tls) != self.digests[path]:
            raise load.WrongAnswer(f"{self.name} gave another body for {path}")


@dataclass(frozen=True, slots=True)
class Taken:
    """What a slice found. `load_s` is processor time of the load generator.

    `first_ms` and `whole_ms` are of single answers, where they were timed.
    """

    answers: int
    seconds: float
    figure: float
    load_s: float
    first_ms: Sequence[float] = ()
    whole_ms: Sequence[float] = ()


Slice = Callable[[float], Taken]
"""Do the work for so many seconds. Raises WrongAnswer."""
Opened = Callable[[Running], AbstractContextManager[Slice]]
"""Connect, check that answers are right, and warm up; check again at the end."""


@dataclass(frozen=True, slots=True)
class Work:
    """One line of the comparison. `more_is_better` says which way is up.

    `ceiling` is the content that the bare loop sends for comparison, "segment" or "manifest". For
    the peers in `seldom_for` the first pass suffices: no target is set by them.
    """

    letter: str
    title: str
    unit: str
    opened: Opened
    tls: bool = False
    more_is_better: bool = True
    peers: frozenset[str] | None = None
    ceiling: str | None = None
    seldom_for: frozenset[str] = frozenset()

    def done_by(self, peer: str, *, first: bool) -> bool:
        """Whether this peer does it, in the first pass or in another."""
        if self.peers is not None and peer not in self.peers:
            return False
        return first or peer not in self.seldom_for
