"""What this machine is busy with, as Linux reports it: processors, interface, the store's disk."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

_PROC = Path("/proc")
_SYS = Path("/sys")
_IDLE_FIELDS = (3, 4)  # idle and waiting for the disk, of /proc/stat's first line
_NAMED_FIELDS = 8  # what comes behind is counted in others already
_MOST_BPS = 10**15


@dataclass(frozen=True, slots=True)
class DiskUse:
    """Milliseconds in which requests were in progress, and the same times their number."""

    busy_ms: int
    weighted_ms: int


@dataclass(frozen=True, slots=True)
class MachineUse:
    """Counts that only grow, and the interface's speed. None: it is not known."""

    busy_ticks: int
    all_ticks: int
    sent_bytes: int | None
    speed_bps: int | None
    disk: DiskUse | None


class Machine:
    """Where to read it. `stored_at` is a path on the disk that counts; `interface` the network
    interface (None: that of the default route).
    """

    def __init__(
        self,
        stored_at: Path | None = None,
        interface: str | None = None,
        *,
        proc: Path = _PROC,
        sys: Path = _SYS,
    ) -> None:
        self._proc = proc
        self._interface = interface
        self._net = sys / "class" / "net"
        self._disk = None if stored_at is None else _disk_of(stored_at, sys)

    def use(self) -> MachineUse:
        """Return the counts as they are now."""
        busy, total = _processors(_text(self._proc / "stat"))
        interface = self._interface or default_interface(
            _text(self._proc / "net" / "route"), _text(self._proc / "net" / "ipv6_route")
        )
        sent = speed = None
        if interface is not None:
            place = self._net / interface
            sent = _whole(_text(place / "statistics" / "tx_bytes"))
            megabits = _whole(_text(place / "speed"))
            speed = megabits * 10**6 if megabits and megabits > 0 else None
        disk = None if self._disk is None else _disk_use(_text(self._disk))
        if speed is not None and speed > _MOST_BPS:
            speed = None
        return MachineUse(busy, total, sent, speed, disk)


def default_interface(routes_v4: str, routes_v6: str) -> str | None:
    """Return the interface that most of what is sent leaves by; None where there is none."""
    best: tuple[int, str] | None = None
    for line in routes_v4.splitlines()[1:]:
        fields = line.split()
        if len(fields) >= 8 and fields[1] == fields[7] == "00000000":
            candidate = (int(fields[6]), fields[0])
            best = candidate if best is None else min(best, candidate)
    if best is not None:
        return best[1]
    for line in routes_v6.splitlines():
        fields = line.split()
        if len(fields) >= 10 and fields[0] == "0" * 32 and fields[1] == "00" and fields[9] != "lo":
            candidate = (int(fields[5], 16), fields[9])
            best = candidate if best is None else min(best, candidate)
    return None if best is None else best[1]


def _processors(stat: str) -> tuple[int, int]:
    line = stat.partition("\n")[0].split()
    if not line or line[0] != "cpu":
        return 0, 0
    ticks = [int(field) for field in line[1 : 1 + _NAMED_FIELDS]]
    total = sum(ticks)
    return total - sum(ticks[at] for at in _IDLE_FIELDS if at < len(ticks)), total


def _disk_of(stored_at: Path, sys: Path) -> Path | None:
    """Return where the kernel counts for the device of a path; None for a device of no kind."""
    try:
        device = os.stat(stored_at).st_dev
    except OSError:
        return None
    place = sys / "dev" / "block" / f"{os.major(device)}:{os.minor(device)}" / "stat"
    return place if place.is_file() else None


def _disk_use(stat: str) -> DiskUse | None:
    fields = stat.split()
    return DiskUse(int(fields[9]), int(fields[10])) if len(fields) >= 11 else None


def _text(path: Path) -> str:
    """Return what is in a file; "" where it cannot be read: not all machines have all of them."""
    try:
        return path.read_text()
    except OSError:
        return ""


def _whole(text: str) -> int | None:
    try:
        return int(text)
    except ValueError:
        return None
