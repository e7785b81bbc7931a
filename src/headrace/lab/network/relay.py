"""A relay for lines that are slow or lose packets, where the kernel has no netem.

It stands in the middle of a line, in a namespace of its own, takes every frame from one device and
sends it by the other, later, or not at all. Frames come with what the kernel knows of their
checksums and segments, so that the kernel's bursts of up to 64 KiB pass as they are.

It takes its turn with other programs: before them, in a burst, it left checks of VIPs no time for
seconds, and servers withdrew. Its limits: it is exact to about a millisecond; a
frame takes some 10 µs of processor time, so 80,000 a second fill a processor; `QUEUE_BYTES` may
wait each way, and what comes beyond is lost, as at a router; what it gets from one side stays in
order. Whatever is lost in it is counted.
"""

from __future__ import annotations

import argparse
import contextlib
import errno
import os
import random
import select
import socket
import struct
import time
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

QUEUE_BYTES = 8 * 1024 * 1024
SOCKET_BYTES = 32 * 1024 * 1024
"""The kernel counts a small frame as some 2 KiB: 16,000 of them may wait for this process."""
COUNTS_BYTES = 512
COUNT_S = 0.5
FRAME_BYTES = 65535 + 64
_AT_ONCE = 64
_ALL_PROTOCOLS = 0x0003
_SOL_PACKET, _PACKET_STATISTICS, _PACKET_VNET_HDR = 263, 6, 15
_SO_RCVBUFFORCE, _SO_SNDBUFFORCE = 33, 32


class Counts(msgspec.Struct):
    """What one or both ways have lost since the start, in frames. `chance` is what a line was asked
    to lose; `late`: this process did not take it in time; `full`: there was no room; `unsent`: the
    device at the other end did not take it, though it was up.
    """

    frames: int = 0
    chance: int = 0
    late: int = 0
    full: int = 0
    unsent: int = 0

    @property
    def lost(self) -> int:
        """Return what was lost though nobody asked for it."""
        return self.late + self.full + self.unsent

    def plus(self, other: Counts) -> Counts:
        """Return the sum."""
        return Counts(*(a + b for a, b in zip(_values(self), _values(other), strict=True)))


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

    def take(self, frame: bytes, now_s: float) -> None:
        """Let a frame set out, unless it is lost or there is no room."""
        self.counts.frames += 1
        if self._chance() < self._loss:
            self.counts.chance += 1
            return
        if self.waiting_bytes + len(frame) > QUEUE_BYTES:
            self.counts.full += 1
            return
        self._waiting.append((now_s + self._delay_s, frame))
        self.waiting_bytes += len(frame)

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


def open_device(name: str) -> socket.socket:
    """Return a socket with all frames of a device. Raises OSError."""
    made = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_ALL_PROTOCOLS))
    made.setsockopt(_SOL_PACKET, _PACKET_VNET_HDR, 1)
    for option in (_SO_RCVBUFFORCE, _SO_SNDBUFFORCE):
        with contextlib.suppress(PermissionError):
            made.setsockopt(socket.SOL_SOCKET, option, SOCKET_BYTES)
    made.bind((name, 0))
    made.setblocking(False)
    return made


def dropped(end: socket.socket) -> int:
    """Return how many frames the kernel had no room for since this was asked last."""
    answer = end.getsockopt(_SOL_PACKET, _PACKET_STATISTICS, 8)
    _packets, drops = struct.unpack("II", answer)
    return int(drops)


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
    while True:
        times = [way.next_s for way in ways if way.next_s is not None]
        wait_s = min(COUNT_S, *(one - time.monotonic() for one in times)) if times else COUNT_S
        wait_s = max(0.0, wait_s)
        readable, _, _ = select.select(ends, (), (), wait_s)
        now_s = time.monotonic()
        for index, end in enumerate(ends):
            if end in readable:
                _receive(end, ways[index], now_s)
        now_s = time.monotonic()
        for index, way in enumerate(ways):
            while (frame := way.due(now_s)) is not None:
                _send(ends[1 - index], way, frame)
        if counts is not None and now_s - counted_s >= COUNT_S:
            counted_s = now_s
            for end, way in zip(ends, ways, strict=True):
                way.counts.late += dropped(end)
            counts.write(ways[0].counts.plus(ways[1].counts))


def _send(end: socket.socket, way: Way, frame: bytes) -> None:
    try:
        end.send(frame)
    except OSError as error:
        # A line that was cut loses what is on it.
        way.counts.unsent += error.errno not in (errno.ENETDOWN, errno.ENXIO)


def _receive(end: socket.socket, way: Way, now_s: float) -> None:
    for _ in range(_AT_ONCE):
        try:
            frame, address = end.recvfrom(FRAME_BYTES)
        except OSError:  # nothing more, or the device went down
            return
        if address[2] != socket.PACKET_OUTGOING:
            way.take(frame, now_s)


def main() -> None:
    """Relay between two devices: `… relay DEVICE DEVICE --delay S --loss SHARE --counts F`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("devices", nargs=2)
    parser.add_argument("--delay", type=float, default=0.0)
    parser.add_argument("--loss", type=float, default=0.0)
    parser.add_argument("--counts", type=Path, help="the file that says what was lost")
    arguments = parser.parse_args()
    ends = [open_device(name) for name in arguments.devices]
    ways = [Way(arguments.delay, arguments.loss, random.random) for _ in ends]
    counts = None if arguments.counts is None else CountsFile(arguments.counts)
    print("relaying", flush=True)
    run(ends, ways, counts)


if __name__ == "__main__":
    main()
