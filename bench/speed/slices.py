"""The rounds: all servers are up and warm, and take turns at each work, slice by slice.

Some rounds of one work follow each other, so that connections stay open; then comes the next work,
and when all had their turn, the next pass begins. So each work is spread over the whole run, and
the slices of one round are seconds apart.
"""

from __future__ import annotations

import contextlib
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from bench.speed import mixed
from bench.speed.counters import Counter
from bench.speed.load import LoadWasLate, WrongAnswer
from bench.speed.result import Measured, Sample, Tail, plain, rounded
from bench.speed.rounds import turn
from bench.speed.work import Running, Slice, Taken, Work

WARM_S = 0.05
FORGIVEN = 2
"""So many slices of a peer may fail, then it is left out of that work."""
Say = Callable[[str], None]
Failed = (WrongAnswer, OSError, subprocess.TimeoutExpired)


@dataclass(frozen=True, slots=True)
class Extent:
    """How much is measured: so many passes of so many rounds each."""

    passes: int
    rounds: int
    slice_s: float

    @property
    def all_rounds(self) -> int:
        return self.passes * self.rounds


@dataclass(slots=True)
class Kept:
    """What one work has found until now."""

    work: Work
    samples: dict[str, dict[int, Sample]] = field(default_factory=dict)
    failures: dict[str, list[str]] = field(default_factory=dict)
    late: dict[str, str] = field(default_factory=dict)
    first_ms: dict[str, dict[int, list[float]]] = field(default_factory=dict)
    whole_ms: dict[str, dict[int, list[float]]] = field(default_factory=dict)

    def left_out(self, peer: str) -> bool:
        return len(self.failures.get(peer, ())) >= FORGIVEN

    def reasons(self) -> dict[str, str]:
        """Why a peer lacks slices: its own failures, or that not one of the load's was in time."""
        late = {peer: text for peer, text in self.late.items() if not self.samples.get(peer)}
        return late | {peer: found[-1] for peer, found in self.failures.items()}

    def add(self, peer: str, number: int, taken: Taken, sample: Sample) -> None:
        self.samples.setdefault(peer, {})[number] = sample
        if taken.first_ms:
            for kept, found in ((self.first_ms, taken.first_ms), (self.whole_ms, taken.whole_ms)):
                kept.setdefault(peer, {})[number] = [rounded(each, 4) for each in sorted(found)]


class Rounds:
    """Measures some works on servers that run."""

    def __init__(
        self, running: Mapping[str, Running], works: Sequence[Work], counter: Counter, say: Say
    ) -> None:
        self._running = running
        self._counter = counter
        self._say = say
        self.kept = {work.letter: Kept(work) for work in works}

    def measure(self, extent: Extent) -> None:
        """All passes."""
        for number in range(extent.passes):
            for kept in self.kept.values():
                self._say(f"pass {number + 1} of {extent.passes}: {kept.work.letter}")
                self._work(kept, extent, number * extent.rounds)

    def _work(self, kept: Kept, extent: Extent, base: int) -> None:
        """Some rounds of one work, numbered from `base` on."""
        with contextlib.ExitStack() as stack:
            tables = {
                name: stack.enter_context(_Table(peer, kept, self._note))
                for name, peer in self._running.items()
                if kept.work.done_by(name, first=base == 0)
            }
            for table in tables.values():
                table.warm(min(WARM_S, extent.slice_s))
            for number in range(base, base + extent.rounds):
                for name in turn(list(tables), number):
                    table = tables[name]
                    with table.noted():
                        run = table.opened()
                        if run is not None:
                            found = self._slice(self._running[name], run, extent.slice_s)
                            kept.add(name, number, *found)
        self._tell(kept)

    def _note(self, kept: Kept, name: str, error: BaseException) -> None:
        if isinstance(error, LoadWasLate):
            kept.late[name] = plain(error)
        else:
            kept.failures.setdefault(name, []).append(plain(error))
        self._say(f"  {kept.work.letter:3} {name:14} {error}")

    def _tell(self, kept: Kept) -> None:
        for name, found in kept.samples.items():
            last = found[max(found)]
            cost = "" if last.cpu_us is None else f", {last.cpu_us:.4g} us each"
            self._say(f"  {kept.work.letter:3} {name:14} {last.figure:,.4g} {kept.work.unit}{cost}")

    def _slice(self, peer: Running, run: Slice, seconds: float) -> tuple[Taken, Sample]:
        pids = peer.program.pids()
        with self._counter.counting(pids) as counted:
            began, origin_s, cpu_s = time.perf_counter(), peer.origin.cpu_s(), peer.program.cpu_s()
            taken = run(seconds)
            cpu_s = peer.program.cpu_s() - cpu_s
            origin_s = peer.origin.cpu_s() - origin_s
            took_s = time.perf_counter() - began
        if not taken.answers or not taken.figure:
            raise WrongAnswer("nothing was answered within a slice")
        instructions = counted.count
        return taken, Sample(
            figure=rounded(taken.figure),
            cpu_us=rounded(1e6 * cpu_s / taken.answers),
            instructions=None if instructions is None else rounded(instructions / taken.answers),
            server=round(cpu_s / took_s, 3),
            load=round(taken.load_s / taken.seconds, 3) if taken.load_s else None,
            origin=round(origin_s / took_s, 3),
        )

    def measured(self) -> list[Measured]:
        """All that was found."""
        return [
            Measured(
                kept.work.letter, kept.work.title, kept.work.unit, kept.work.more_is_better,
                kept.samples, kept.reasons(),
            )
            for kept in self.kept.values()
        ]  # fmt: skip

    def tails(self) -> list[Tail]:
        """The latencies at a fixed rate, where they were measured."""
        kept = self.kept.get(mixed.TIMED)
        if kept is None or not kept.first_ms:
            return []
        return [
            Tail(f"{mixed.RATE}: {title}", mixed.RANKS[title], found)
            for title, found in ((mixed.FIRST, kept.first_ms), (mixed.WHOLE, kept.whole_ms))
        ]


class _Table:
    """One peer at one work: open from the first slice on, and opened again when a slice failed."""

    def __init__(
        self, peer: Running, kept: Kept, note: Callable[[Kept, str, BaseException], None]
    ) -> None:
        self._peer = peer
        self._kept = kept
        self._note = note
        self._stack = contextlib.ExitStack()
        self._run: Slice | None = None

    def __enter__(self) -> _Table:
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self._stack.close()
        except Failed as error:  # what came at the end was wrong
            self._note(self._kept, self._peer.name, error)

    def opened(self) -> Slice | None:
        """None when too much has failed. Raises what `Failed` names."""
        if self._run is None and not self._kept.left_out(self._peer.name):
            self._run = self._stack.enter_context(self._kept.work.opened(self._peer))
        return self._run

    def warm(self, seconds: float) -> None:
        """A slice that does not count."""
        with self.noted():
            run = self.opened()
            if run is not None:
                run(seconds)

    @contextlib.contextmanager
    def noted(self) -> Iterator[None]:
        """Note what fails, close, and leave it to the next slice to open again."""
        try:
            yield
        except LoadWasLate as error:
            self._note(self._kept, self._peer.name, error)
        except Failed as error:
            self._note(self._kept, self._peer.name, error)
            self._run = None
            with contextlib.suppress(*Failed):
                self._stack.close()
