"""The history: bounded, the same at all observers, and nothing twice."""

from __future__ import annotations

from pathlib import Path

import msgspec

from headrace.feedback.history import NAME, OLDER, History


def event(number: int, server: str = "n1", site: str = "north") -> bytes:
    return msgspec.json.encode({"at": number, "server": server, "site": site})


def test_events_survive_and_come_newest_first(tmp_path: Path) -> None:
    history = History(tmp_path)
    assert history.add([event(1), event(2)]) == [event(1), event(2)]
    history.write()
    again = History(tmp_path)
    assert again.last(10) == [event(2), event(1)]
    assert again.last(1) == [event(2)]


def test_what_is_known_is_not_taken_twice(tmp_path: Path) -> None:
    history = History(tmp_path)
    history.add([event(1)])
    history.write()
    assert History(tmp_path).add([event(1), event(2)]) == [event(2)]


def test_events_are_found_by_server_and_by_site(tmp_path: Path) -> None:
    history = History(tmp_path)
    history.add([event(1, "n1"), event(2, "n2"), event(3, "s1", "south"), b"no json"])
    history.write()
    assert history.last(10, "n2") == [event(2, "n2")]
    assert history.last(10, "north") == [event(2, "n2"), event(1, "n1")]


def test_it_is_bounded_on_disk(tmp_path: Path) -> None:
    history = History(tmp_path, most_bytes=1000)
    for number in range(500):
        history.add([event(number)])
        history.write()
    size = sum((tmp_path / name).stat().st_size for name in (NAME, OLDER))
    assert size <= 2000
    assert history.last(3) == [event(499), event(498), event(497)]


def test_a_line_that_is_too_long_is_left_out(tmp_path: Path) -> None:
    assert History(tmp_path).add([b"x" * 5000]) == []


def test_half_a_line_at_the_end_is_passed_over(tmp_path: Path) -> None:
    (tmp_path / NAME).write_bytes(event(1) + b"\n" + event(2)[:10])
    assert History(tmp_path).last(10) == [event(1)]
