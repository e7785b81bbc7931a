"""The history: bounded, the same at all observers, and nothing twice."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from headrace.feedback.history import MOST_ADDED_BYTES, NAME, OLDER, History


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


def said(line: bytes) -> str:
    return str(msgspec.json.decode(line)["text"])


def test_a_line_that_is_too_long_is_left_out_and_that_is_said(tmp_path: Path) -> None:
    (line,) = History(tmp_path).add([b"x" * 5000])
    assert said(line).startswith("1 changes")


def test_all_that_changes_at_one_moment_is_kept_and_told(tmp_path: Path) -> None:
    senior, follower = History(tmp_path / "a"), History(tmp_path / "b")
    (tmp_path / "a").mkdir()
    many = [event(1, f"n{number}") for number in range(2000)]
    assert senior.add(many, 100.0) == many
    senior.write()
    assert senior.last(5000) == many[::-1]
    assert senior.told(100.5) == many
    assert follower.add(senior.told(100.5)) == many
    assert follower.add(senior.told(101.5)) == []
    assert senior.told(200.0) == many[-128:]


def test_more_than_is_kept_is_said(tmp_path: Path) -> None:
    history = History(tmp_path)
    many = [event(number) + b" " * 3000 for number in range(1000)]
    taken = history.add(many, 100.0)
    assert sum(map(len, taken)) < MOST_ADDED_BYTES + 1000
    assert (
        said(taken[-1])
        == f"{1000 - (len(taken) - 1)} changes of this moment were too many to be kept"
    )
    assert history.told(100.0) == taken


def test_what_a_full_disk_did_not_take_is_said_later(tmp_path: Path) -> None:
    history = History(tmp_path / "later")
    history.add([event(1), event(2)])
    with pytest.raises(OSError, match="later"):
        history.write()
    (tmp_path / "later").mkdir()
    history.add([event(3)])
    history.write()
    cut, last = history.last(10)
    assert (last, said(cut)[:9]) == (event(3), "2 changes")


def test_half_a_line_at_the_end_is_passed_over(tmp_path: Path) -> None:
    (tmp_path / NAME).write_bytes(event(1) + b"\n" + event(2)[:10])
    assert History(tmp_path).last(10) == [event(1)]


def test_what_others_told_late_stands_where_it_belongs(tmp_path: Path) -> None:
    history = History(tmp_path)
    history.add([event(5), event(7)])
    history.add([event(2), event(6)])  # another observer's, of a time when this one was away
    history.write()
    assert history.last(10) == [event(7), event(6), event(5), event(2)]
    assert history.last(2) == [event(7), event(6)]


@pytest.mark.parametrize(
    "line",
    [
        b'{"at":1e300,"server":"n1"}',
        b'{"at":-1,"server":"n1"}',
        b'{"at":2,"server":"n1",\n"site":""}',
        b'{"at":2,"server":"n1","more":"\xff"}',
        b'{"at":2,"server":"n1","alarm":1}',
        b'{"at":2,"server":"n1","reasons":[1]}',
        b'{"at":2,"server":"n1"} {}',
        b'{"at":2,"server":"n1","more":' + b"[" * 2000 + b"]" * 2000 + b"}",
        b"[1]",
    ],
)
def test_what_nobody_could_read_is_not_taken_from_other_observers(
    tmp_path: Path, line: bytes
) -> None:
    history = History(tmp_path)
    assert history.add([line, event(1)], 100.0) == [event(1)]
    history.write()
    assert history.last(10) == [event(1)]
