"""Packets of media as ffmpeg's `framemd5` writes them, compared with the original. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction

TimeBases = Mapping[int, Fraction]


@dataclass(frozen=True, slots=True)
class Packet:
    """A packet: of which stream, its time there in units of the stream's, what it holds."""

    stream: int
    time: int
    size: int
    md5: str


def packet(line: str) -> Packet | None:
    """Return the packet of a line. None for any other line."""
    words = line.split(",")
    if line.startswith("#") or len(words) < 6:
        return None
    try:
        stream, time, _shown, _lasts, size = (int(word) for word in words[:5])
    except ValueError:
        return None
    return Packet(stream, time, size, words[5].strip())


def time_bases(lines: Iterable[str]) -> dict[int, Fraction]:
    """Return the unit of each stream's times, in seconds, from the head of what ffmpeg writes."""
    found = {}
    for line in lines:
        if line.startswith("#tb "):
            stream, _, unit = line.removeprefix("#tb ").partition(":")
            try:
                found[int(stream)] = Fraction(unit.strip())
            except (ValueError, ZeroDivisionError):
                continue
    return found


@dataclass(frozen=True, slots=True)
class Compared:
    """`missing`: due between the first packet and the last, and never came. `damaged`: others came
    than the original has, or they came twice.
    """

    came: int
    missing: int
    damaged: int


class Original:
    """The packets of a stream that says the same every `loop_s` seconds."""

    def __init__(self, lines: Iterable[str], loop_s: int) -> None:
        kept = list(lines)
        bases = time_bases(kept)
        self._loops = {stream: int(loop_s / base) for stream, base in bases.items()}
        self._right = {
            (one.stream, one.time % self._loops[one.stream]): (one.size, one.md5)
            for one in map(packet, kept)
            if one is not None and one.stream in self._loops
        }

    def __len__(self) -> int:
        return len(self._right)

    def is_right(self, one: Packet) -> bool:
        """Return whether the original has this packet at its time."""
        loop = self._loops.get(one.stream)
        return loop is not None and self._right.get((one.stream, one.time % loop)) == (
            one.size,
            one.md5,
        )

    def compare(self, packets: Iterable[Packet]) -> Compared:
        """Return how packets differ from what they have to be."""
        times: dict[int, set[int]] = {}
        came = damaged = 0
        for one in packets:
            came += 1
            seen = times.setdefault(one.stream, set())
            damaged += one.time in seen or not self.is_right(one)
            seen.add(one.time)
        return Compared(came, sum(self._missing(*each) for each in times.items()), damaged)

    def _missing(self, stream: int, seen: set[int]) -> int:
        loop = self._loops.get(stream)
        if loop is None:
            return 0
        first, last = min(seen), max(seen)
        due = (time for of, time in self._right if of == stream)
        # Of each of the loop's packets: all its times from the first packet to the last.
        wanted = (range(first + (time - first) % loop, last + 1, loop) for time in due)
        return sum(time not in seen for times in wanted for time in times)
