"""A relay for lines that are slow or lose packets, where the kernel has no netem.

It stands in the middle of a line, in a namespace of its own, takes every frame from one device and
sends it by the other, later, or not at all. Frames come with what the kernel knows of their
checksums and segments, so that the kernel's bursts of up to 64 KiB pass as they are.

Its limits: it is exact to about a millisecond while the machine has processor time for it; a frame
takes some 10 µs of that, so 80,000 a second fill a processor; `QUEUE_BYTES` may wait each way, and
what comes beyond is lost, as at a router; what it gets from one side stays in order.
"""

from __future__ import annotations

import argparse
import contextlib
import random
import select
import socket
import time
from collections import deque
from collections.abc import Callable, Sequence

QUEUE_BYTES = 8 * 1024 * 1024
SOCKET_BYTES = 4 * 1024 * 1024
FRAME_BYTES = 65535 + 64
_AT_ONCE = 64
_ALL_PROTOCOLS = 0x0003
_SOL_PACKET, _PACKET_VNET_HDR = 263, 15
_SO_RCVBUFFORCE, _SO_SNDBUFFORCE = 33, 32


class Way:
    """What travels one way: frames with the time at which each arrives. Pure."""

    def __init__(self, delay_s: float, loss: float, chance: Callable[[], float]) -> None:
        self._delay_s = delay_s
        self._loss = loss
        self._chance = chance
        self._waiting: deque[tuple[float, bytes]] = deque()
        self.waiting_bytes = 0
        self.lost = 0

    def take(self, frame: bytes, now_s: float) -> None:
        """Let a frame set out, unless it is lost or there is no room."""
        if self._chance() < self._loss or self.waiting_bytes + len(frame) > QUEUE_BYTES:
            self.lost += 1
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


def run(ends: Sequence[socket.socket], ways: Sequence[Way]) -> None:
    """Relay for good: what comes from an end goes its way to the other."""
    while True:
        times = [way.next_s for way in ways if way.next_s is not None]
        wait_s = max(0.0, min(times) - time.monotonic()) if times else None
        readable, _, _ = select.select(ends, (), (), wait_s)
        now_s = time.monotonic()
        for index, end in enumerate(ends):
            if end in readable:
                _receive(end, ways[index], now_s)
        now_s = time.monotonic()
        for index, way in enumerate(ways):
            while (frame := way.due(now_s)) is not None:
                # A device that is down, or full, loses it.
                with contextlib.suppress(OSError):
                    ends[1 - index].send(frame)


def _receive(end: socket.socket, way: Way, now_s: float) -> None:
    for _ in range(_AT_ONCE):
        try:
            frame, address = end.recvfrom(FRAME_BYTES)
        except OSError:  # nothing more, or the device went down
            return
        if address[2] != socket.PACKET_OUTGOING:
            way.take(frame, now_s)


def main() -> None:
    """Relay between two devices: `… relay DEVICE DEVICE --delay S --loss SHARE`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("devices", nargs=2)
    parser.add_argument("--delay", type=float, default=0.0)
    parser.add_argument("--loss", type=float, default=0.0)
    arguments = parser.parse_args()
    ends = [open_device(name) for name in arguments.devices]
    ways = [Way(arguments.delay, arguments.loss, random.random) for _ in ends]
    print("relaying", flush=True)
    run(ends, ways)


if __name__ == "__main__":
    main()
