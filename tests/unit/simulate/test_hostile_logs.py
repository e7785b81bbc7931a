from __future__ import annotations

import gzip
import os
from pathlib import Path

import pytest

from headrace.simulate.bounds import TooLarge
from headrace.simulate.demand.access_logs import Passed, Request, read_logs
from headrace.simulate.demand.log_lines import LONGEST_LINE, UnreadableLog
from headrace.simulate.network import Source
from headrace.simulate.replay import replay
from tests.harness.scenarios import a_network
from tests.unit.simulate.test_replay import CONFIG, a_log, a_record, some_requests

DAY_S = 86400.0


def times_of(path: Path, passed: Passed) -> list[float]:
    return [one.at for one in read_logs([path], passed)]


@pytest.mark.parametrize("path", [Path("/dev/zero"), Path("/"), Path("/nowhere/access.log")])
def test_what_is_no_file_is_refused_by_name(path: Path) -> None:
    with pytest.raises(UnreadableLog, match=str(path)):
        list(read_logs([path], Passed()))


def test_a_pipe_that_nobody_writes_is_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "access.log")
    with pytest.raises(UnreadableLog):
        list(read_logs([tmp_path / "access.log"], Passed()))


@pytest.mark.parametrize("packed", [False, True])
def test_a_line_without_an_end_is_one_unreadable_line(tmp_path: Path, packed: bool) -> None:
    path = tmp_path / ("access.log.gz" if packed else "access.log")
    a_log(path, a_record(), before=b"x" * (20 * LONGEST_LINE) + b"\n")
    passed = Passed()
    assert len(times_of(path, passed)) == 1
    assert passed == Passed(unreadable=1)


def test_of_a_compressed_log_that_is_cut_short_the_beginning_counts(tmp_path: Path) -> None:
    path = a_log(tmp_path / "access.log.gz", *(a_record(path=b"/%d" % n) for n in range(5000)))
    path.write_bytes(path.read_bytes()[:-2000])
    passed = Passed()
    assert 0 < len(times_of(path, passed)) < 5000
    assert passed.damaged_files == 1


def test_a_compressed_log_that_is_broken_counts_as_such(tmp_path: Path) -> None:
    packed = bytearray(gzip.compress(b'{"time": 1}\n' * 1000))
    packed[20] ^= 0xFF
    (tmp_path / "access.log").write_bytes(packed)
    passed = Passed()
    assert times_of(tmp_path / "access.log", passed) == []
    assert passed.damaged_files == 1


def test_what_is_compressed_shows_by_its_bytes_not_by_its_name(tmp_path: Path) -> None:
    plain = a_log(tmp_path / "one.log", a_record())
    packed = a_log(tmp_path / "two.gz", a_record())
    plain.rename(tmp_path / "plain.gz")
    packed.rename(tmp_path / "packed.log")
    for name in ("plain.gz", "packed.log"):
        assert len(times_of(tmp_path / name, Passed())) == 1


@pytest.mark.parametrize("wrong", [253_402_300_000.0, 0.0])
@pytest.mark.parametrize("place", [0, 2, 4])
def test_a_time_far_from_all_others_moves_none_of_them(
    tmp_path: Path, wrong: float, place: int
) -> None:
    begins = 1_800_000_000.0
    times = [begins + number for number in range(4)]
    times.insert(place, wrong)
    path = a_log(tmp_path / "access.log", *(a_record(started=at) for at in times))
    passed = Passed()
    assert times_of(path, passed) == [begins + number for number in range(4)]
    assert passed.misplaced == 1


def test_a_long_silence_is_believed_if_it_ends_with_more_than_one_line(tmp_path: Path) -> None:
    begins = 1_800_000_000.0
    later = begins + 400 * DAY_S
    times = [begins, begins + 1, later, later + 1]
    path = a_log(tmp_path / "access.log", *(a_record(started=at) for at in times))
    assert times_of(path, Passed()) == times


@pytest.mark.parametrize(
    "time",
    [
        '"2026-99-99T00:00:00Z"',
        '"\\ud800026-01-01T00:00:00Z"',
        "NaN",
        "null",
        "[]",
    ],
)
def test_a_time_that_is_none_is_unreadable(tmp_path: Path, time: str) -> None:
    path = tmp_path / "access.log"
    path.write_text(
        f'{{"time": {time}, "host": "vod.example", "path": "/a", "status": 200, "bytes": 1}}\n'
    )
    passed = Passed()
    assert times_of(path, passed) == []
    assert passed.unreadable == 1


def test_times_without_a_zone_are_universal_whatever_the_machine_has(tmp_path: Path) -> None:
    path = tmp_path / "access.log"
    path.write_text(
        '{"time": "1970-01-02T00:00:00.000", "host": "a", "path": "/", "status": 200, "bytes": 1}\n'
    )
    assert times_of(path, Passed()) == [DAY_S]


def test_requests_that_are_spread_over_years_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("headrace.simulate.bounds.MOST_CELLS", 6000)
    monkeypatch.setattr("headrace.simulate.replay._MOST_QUIET", 1000)
    requests = [
        Request(number * 20 * DAY_S, None, b"vod.example", b"/a/1", 1, stored=True)
        for number in range(3)
    ]
    with pytest.raises(TooLarge, match="interval"):
        replay(CONFIG, [a_network()], requests)


def test_objects_that_are_forgotten_are_the_same_when_they_come_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (whole,), _moves = replay(CONFIG, [a_network()], some_requests())
    monkeypatch.setattr("headrace.simulate.replay.MOST_REMEMBERED", 3)
    (bounded,), _moves = replay(CONFIG, [a_network()], some_requests())
    assert bounded.totals == whole.totals
    assert whole.totals.by_source[Source.HIT] == 360


def test_an_object_is_as_large_as_its_largest_response_and_clients_get_what_they_got() -> None:
    sizes = [0, 1000, 300, 1000]
    requests = [
        Request(float(at), bytes(4), b"vod.example", b"/a/1", size_bytes, stored=True)
        for at, size_bytes in enumerate(sizes)
    ]
    (result,), _moves = replay(CONFIG, [a_network()], requests)
    assert result.totals.client_bytes == sum(sizes)
    assert result.totals.origin_requests == 1
