"""A relay for lines that are slow or lose packets, where the kernel has no netem.

It stands in the middle of a line, in a namespace of its own, takes every frame from one device and
sends it by the other, later, or not at all. Frames come with what the kernel knows of their
checksums and segments, so that the kernel's bursts of up to 64 KiB pass as they are.

It has a larger share of the processor than other programs of its session, as a line needs none. It
is not before them: so, in a burst, it left checks of VIPs no time for seconds, and servers
withdrew. Nor has it a larger share than those of other sessions, which kernels that group by
session (autogroup) set apart: with that, too, frames were late by 20 ms 20 times where they had
been 900 times, but the relay woke up more often and took twice the processor time, which the rest
lacked. Its limits: it is exact to about a millisecond; a frame takes some 10 µs of processor time,
so 80,000 a second fill a processor; `QUEUE_BYTES` may wait each way, and what comes beyond is lost,
as at a router; what it gets from one side stays in order. Whatever is lost in it is counted, and so
is how often frames left late. A frame's delay begins when the kernel has it, so time in which this
process had no processor is not added to it.
"""

from __future__ import annotations

import argparse
import contextlib
import errno
import os
import random
import select
import socket
import time
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from headrace.lab.network.device import FRAME_BYTES, dropped, open_device, waited

QUEUE_BYTES = 8 * 1024 * 1024
COUNTS_BYTES = 512
COUNT_S = 0.5
BEHIND_S = 0.02
STARVED_S = 0.1
"""Frames that leave so late are not late by the line: this process had no time."""
NICE = -10
GRAIN_S = 0.0005
_AT_ONCE = 256
_EXACT_S = 0.001


class Counts(msgspec.Struct):
    """What one or both ways have lost since the start, in frames. `chance` is what a line was asked
    to lose; `late`: this process did not take it in time; `full`: there was no room; `unsent`: the
    device at the other end did not take it, though it was up, or the kernel could not say all that
    is to be said of it. `behind` and `starved` are how often
    the next frame left more than BEHIND_S, or STARVED_S, after its time.
    """

    frames: int = 0
    chance: int = 0
    late: int = 0
    full: int = 0
    unsent: int = 0
    behind: int = 0
    starved: int = 0

    @property
    def lost(self) -> int:
        """Return what was lost though nobody asked for it."""
        return self.late + self.full + self.unsent

    def plus(self, other: Counts) -> Counts:
        """Return the sum."""
        return Counts(*(a + b for a, b in zip(_values(self), _values(other), strict=True)))


class Clock:
    """Whether the wall clock, by which the kernel stamps frames, runs on or was set. Pure."""

    def __init__(self) -> None:
        self._ahead_s: float | None = None

    def runs_on(self, now_s: float, wall_s: float) -> bool:
        """Return whether nobody has set it since this was asked last."""
        before, self._ahead_s = self._ahead_s, wall_s - now_s
        return before is None or abs(self._ahead_s - before) <= _EXACT_S


def _values(counts: Counts) -> tuple[int, ...]:
    return msgspec.structs.astuple(counts)


class Way:
    """What travels one way: frames with the time at which each arrives. Pure."""

    def __init__(self, delay_s: float, loss: float, chance: Callable[[], float]) -> None:
        self._delay_s = delay_s
        self._loss = loss
        self._chance = chance
        self._waiting: deque[tuple[float, bytes]] = deque()
        self.waiting_bytes = 0
        self.counts = Counts()

    def take(self, frame: bytes, came_s: float) -> None:
        """Let a frame set out that came then, unless it is lost or there is no room."""
        self.counts.frames += 1
        if self._chance() < self._loss:
            self.counts.chance += 1
            return
        if self.waiting_bytes + len(frame) > QUEUE_BYTES:
            self.counts.full += 1
            return
        self._waiting.append((came_s + self._delay_s, frame))
        self.waiting_bytes += len(frame)

    def look(self, now_s: float) -> None:
        """Count it if the next frame leaves late."""
        late_s = now_s - self._waiting[0][0] if self._waiting else 0.0
        self.counts.behind += late_s > BEHIND_S
        self.counts.starved += late_s > STARVED_S

    def due(self, now_s: float) -> bytes | None:
        """Return the next frame that has arrived, and forget it; None if none has."""
        if not self._waiting or self._waiting[0][0] > now_s:
            return None
        frame = self._waiting.popleft()[1]
        self.waiting_bytes -= len(frame)
        return frame

    @property
    def next_s(self) -> float | None:
        """Return when the next frame arrives."""
        return self._waiting[0][0] if self._waiting else None


class CountsFile:
    """A file that says what was lost. It is written in its place, which a full disk allows."""

    def __init__(self, path: Path) -> None:
        """Raise OSError."""
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o644)
        self.write(Counts())

    def write(self, counts: Counts) -> None:
        """Say this."""
        with contextlib.suppress(OSError):
            os.pwrite(self._file, msgspec.json.encode(counts).ljust(COUNTS_BYTES), 0)


def read_counts(path: Path) -> Counts:
    """Return what a file says. Raises OSError, msgspec.MsgspecError."""
    with path.open("rb") as file:
        return msgspec.json.decode(file.read(COUNTS_BYTES), type=Counts)


def run(ends: Sequence[socket.socket], ways: Sequence[Way], counts: CountsFile | None) -> None:
    """Relay for good: what comes from an end goes its way to the other."""
    counted_s = time.monotonic()
    clock, more = Clock(), False
    while True:
        if not more:
            _wait(ends, [way.next_s for way in ways if way.next_s is not None])
        now_s = time.monotonic()
        runs_on = clock.runs_on(now_s, time.time())
        took = [
            receive(end, way, now_s, believed=runs_on) for end, way in zip(ends, ways, strict=True)
        ]
        more = any(took)
        now_s = time.monotonic()
        for index, way in enumerate(ways):
            way.look(now_s)
            while (frame := way.due(now_s)) is not None:
                _send(ends[1 - index], way, frame)
        if counts is not None and now_s - counted_s >= COUNT_S:
            counted_s = now_s
            for end, way in zip(ends, ways, strict=True):
                way.counts.late += dropped(end)
            counts.write(ways[0].counts.plus(ways[1].counts))


def _wait(ends: Sequence[socket.socket], times_s: Sequence[float]) -> None:
    """Wait until a frame is to leave, or where none is under way, until one comes. What comes while
    another is under way is to leave after it, so nobody need wake up for it: the kernel knows when
    it came.
    """
    if not times_s:
        select.select(ends, (), (), COUNT_S)
        return
    wait_s = min(times_s) - time.monotonic()
    if wait_s > 0:
        time.sleep(min(max(wait_s, GRAIN_S), COUNT_S))


def _send(end: socket.socket, way: Way, frame: bytes) -> None:
    try:
        end.send(frame)
    except OSError as error:
        # A line that was cut loses what is on it.
        way.counts.unsent += error.errno not in (errno.ENETDOWN, errno.ENXIO)


def receive(end: socket.socket, way: Way, now_s: float, *, believed: bool) -> bool:
    """Take what has come, and return whether there may be more. `believed`: the kernel's stamps."""
    exact = believed
    for _ in range(_AT_ONCE):
        try:
            frame = end.recv(FRAME_BYTES)
        except OSError as error:
            if error.errno in (errno.EAGAIN, errno.ENETDOWN):
                return False
            way.counts.unsent += 1  # a frame of a kind that the kernel cannot hand over
            continue
        if len(frame) == FRAME_BYTES:  # it was larger, and its end is lost
            way.counts.unsent += 1
            continue
        # Where the first did not wait, those behind it did not either.
        waited_s = waited(end) if exact else 0.0
        exact = waited_s > _EXACT_S
        way.take(frame, now_s - waited_s)
    return True


def main() -> None:
    """Relay between two devices: `… relay DEVICE DEVICE --delay S --loss SHARE --counts F`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("devices", nargs=2)
    parser.add_argument("--delay", type=float, default=0.0)
    parser.add_argument("--loss", type=float, default=0.0)
    parser.add_argument("--counts", type=Path, help="the file that says what was lost")
    arguments = parser.parse_args()
    with contextlib.suppress(PermissionError):
        os.setpriority(os.PRIO_PROCESS, 0, NICE)
    ends = [open_device(name) for name in arguments.devices]
    ways = [Way(arguments.delay, arguments.loss, random.random) for _ in ends]
    counts = None if arguments.counts is None else CountsFile(arguments.counts)
    print("relaying", flush=True)
    run(ends, ways, counts)


if __name__ == "__main__":
    main()
