"""What travels through a relay: later, in order, within bounds, or not at all."""

from __future__ import annotations

from pathlib import Path

from headrace.lab.network.relay import QUEUE_BYTES, Counts, CountsFile, Way, read_counts


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
