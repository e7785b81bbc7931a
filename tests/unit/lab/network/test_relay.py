"""What travels through a relay: later, in order, within bounds, or not at all."""

from __future__ import annotations

import errno
import socket
from collections.abc import Iterable
from pathlib import Path

from headrace.lab.network.device import FRAME_BYTES
from headrace.lab.network.relay import (
    QUEUE_BYTES,
    Clock,
    Counts,
    CountsFile,
    Way,
    read_counts,
    receive,
)


def always() -> float:
    return 0.5


def test_a_frame_arrives_after_the_delay_and_once() -> None:
    way = Way(0.01, 0.0, always)
    way.take(b"one", 1.0)
    assert way.next_s == 1.01
    assert way.due(1.009) is None
    assert way.due(1.01) == b"one"
    assert way.due(2.0) is None
    assert way.next_s is None


def test_frames_stay_in_order() -> None:
    way = Way(0.01, 0.0, always)
    for frame in (b"one", b"two"):
        way.take(frame, 1.0)
    assert [way.due(2.0), way.due(2.0)] == [b"one", b"two"]


def test_its_share_is_lost() -> None:
    chances = iter([0.09, 0.1, 0.5])
    way = Way(0.0, 0.1, lambda: next(chances))
    for frame in (b"lost", b"kept", b"kept too"):
        way.take(frame, 1.0)
    assert way.counts == Counts(frames=3, chance=1)
    assert way.counts.lost == 0
    assert way.due(1.0) == b"kept"


def test_what_finds_no_room_is_lost_and_room_comes_back() -> None:
    way = Way(1.0, 0.0, always)
    frame = bytes(64 * 1024)
    for _ in range(QUEUE_BYTES // len(frame) + 5):
        way.take(frame, 1.0)
    assert way.waiting_bytes == QUEUE_BYTES
    assert way.counts.full == way.counts.lost == 5
    while way.due(3.0) is not None:
        pass
    assert way.waiting_bytes == 0


def test_what_leaves_late_is_counted() -> None:
    way = Way(0.01, 0.0, always)
    way.look(1.0)
    way.take(b"one", 1.0)
    for now_s in (1.01, 1.029, 1.031, 1.109, 1.111):
        way.look(now_s)
    assert (way.counts.behind, way.counts.starved) == (3, 1)
    assert way.counts.lost == 0


def test_counts_add_up_and_are_read_as_they_were_written(tmp_path: Path) -> None:
    path = tmp_path / "counts.json"
    file = CountsFile(path)
    assert read_counts(path) == Counts()
    both = Counts(10, 1, 2, 3, 4).plus(Counts(1, 1, 1, 1, 1))
    assert both == Counts(11, 2, 3, 4, 5)
    assert both.lost == 12
    file.write(both)
    assert read_counts(path) == both
    file.write(Counts(1))
    assert read_counts(path) == Counts(1)


class Fed(socket.socket):
    """A socket from which that comes, and then nothing."""

    def __init__(self, frames: Iterable[bytes | OSError]) -> None:
        super().__init__(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._frames = iter(frames)

    def recv(self, size: int, flags: int = 0, /) -> bytes:
        one = next(self._frames, OSError(errno.EAGAIN, "nothing"))
        if isinstance(one, OSError):
            raise one
        return one[:size]


def test_a_frame_that_does_not_come_whole_is_lost_and_those_behind_it_are_not() -> None:
    way = Way(0.0, 0.0, always)
    unsayable = OSError(errno.EINVAL, "a kind that the kernel has no words for")
    with Fed([b"one", bytes(FRAME_BYTES + 1), unsayable, b"two"]) as end:
        assert not receive(end, way, 1.0, believed=True)
    assert way.counts == Counts(frames=2, unsent=2)
    assert [way.due(1.0), way.due(1.0), way.due(1.0)] == [b"one", b"two", None]


def test_what_was_not_taken_at_once_is_known() -> None:
    """So nobody waits for what travels the other way meanwhile."""
    way = Way(0.0, 0.0, always)
    with Fed([b"one"] * 300) as end:
        assert receive(end, way, 1.0, believed=True)
        assert not receive(end, way, 1.0, believed=True)
    assert way.counts.frames == 300


def test_a_clock_that_was_set_is_noticed_once() -> None:
    clock = Clock()
    assert clock.runs_on(1.0, 1000.0)
    assert clock.runs_on(2.0, 1001.0)
    assert not clock.runs_on(3.0, 1007.0)
    assert clock.runs_on(4.0, 1008.0)
    assert not clock.runs_on(5.0, 9.0)
