"""What every failed request repeats is written a few times a second."""

from __future__ import annotations

from typing import Any

import pytest
import structlog

from headrace.telemetry.repetition import LINES_A_SECOND, Repetition


class Log:
    def __init__(self) -> None:
        self.now_s = 100.0
        self.lines: list[dict[str, Any]] = []
        self._repetition = Repetition(lambda: self.now_s)

    def write(self, event: str, **fields: Any) -> None:
        try:
            line = self._repetition(None, "warning", {"event": event, **fields})
        except structlog.DropEvent:
            return
        self.lines.append(dict(line))


@pytest.fixture
def log() -> Log:
    return Log()


def test_a_flood_is_cut_and_counted(log: Log) -> None:
    for n in range(1000):
        log.write("origin_failed", origin="a", failure="connect_refused", path=f"/{n}")
    assert len(log.lines) == LINES_A_SECOND
    log.now_s += 1
    log.write("origin_failed", origin="a", failure="connect_refused", path="/last")
    assert log.lines[-1]["hidden"] == 1000 - LINES_A_SECOND
    log.write("origin_failed", origin="a", failure="connect_refused", path="/next")
    assert "hidden" not in log.lines[-1]


@pytest.mark.parametrize(
    "event", ["store_write_failed", "stored_slice_damaged", "stored_slice_unreadable"]
)
def test_a_broken_disk_does_not_flood(log: Log, event: str) -> None:
    for n in range(1000):
        log.write(event, problem=f"{n}")
    assert len(log.lines) == LINES_A_SECOND


def test_each_kind_has_lines_of_its_own(log: Log) -> None:
    for _ in range(100):
        log.write("origin_failed", origin="a", failure="connect_refused")
    log.write("origin_failed", origin="b", failure="connect_refused")
    log.write("origin_failed", origin="a", failure="dns")
    assert len(log.lines) == LINES_A_SECOND + 2


def test_other_events_are_all_written(log: Log) -> None:
    for number in range(100):
        log.write("worker_died", worker=number)
    assert len(log.lines) == 100
