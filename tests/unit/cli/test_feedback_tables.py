"""The feedback loop's state as text: what is not well comes first, and nothing obeys a terminal."""

from __future__ import annotations

import msgspec
import pytest

from headrace.cli.feedback_tables import event_line, status_lines
from headrace.feedback.admin.models import AlarmRow, ObserverRow, ServerRow, SiteRow, Status

STATUS = Status(
    observer="b",
    decides="a",
    awake=True,
    mode="both",
    frozen=False,
    frozen_because="",
    view=7,
    view_age_s=3.0,
    lateness_s=0.0,
    servers=[
        ServerRow("n1", "north", "online", 86400.0 * 3, 1.0, ["serves"], total_s=0.004, used=0.25),
        ServerRow("n2", "north", "failed", 30.0, 0.0, ["timeout"]),
        ServerRow("n3", "north", "draining", 600.0, 1.0, ["operator"], wish="draining"),
    ],
    sites=[SiteRow("north", "edge", 3, 1, 30e9, 0.8, 12e9, 0.4)],
    observers=[
        ObserverRow("a", 0.4, True, "a", ["a", "b"], 3),
        ObserverRow("b", 0.0, True, "a", ["a", "b"], 3),
        ObserverRow("c", None, problem="gone"),
    ],
    alarms=[AlarmRow("few_observers", "", "0 can be believed")],
)


def test_what_is_not_well_comes_first() -> None:
    lines = status_lines(STATUS, 120)
    servers = [line.split()[0] for line in lines if line.startswith("n") and "%" not in line[:6]]
    assert [name for name in servers if name != "north"] == ["n2", "n3", "n1"]
    text = "\n".join(lines)
    assert "b: decides a; view 7; mode both; 1 failed, 1 draining, 1 online" in text
    assert "ALARM few_observers" in text
    assert "wish:draining,operator" in text
    assert "12Gbps" in text
    assert "40%" in text
    assert "never" in text
    assert "2 of 3" in text
    assert "3 d" in text


def test_a_frozen_view_is_said_at_the_top() -> None:
    frozen = msgspec.structs.replace(STATUS, frozen=True, frozen_because="a new rack")
    assert status_lines(frozen, 120)[1] == (
        "FROZEN by an operator: a new rack; headrace feedback thaw ends it"
    )
    by_whom = msgspec.structs.replace(frozen, frozen_by="ann@oslo1\x1b[2J")
    assert status_lines(by_whom, 120)[1].startswith("FROZEN by ann@oslo1\\x1b[2J: a new rack;")


def test_what_to_do_is_said_and_not_cut_off() -> None:
    alarm = AlarmRow("aside", "b", "it hears too few of the others. " * 3, "Mend the way to them.")
    lines = status_lines(msgspec.structs.replace(STATUS, alarms=[alarm]), 60)
    text = " ".join(line.strip() for line in lines)
    assert "Mend the way to them." in text
    assert max(map(len, lines)) <= 60


def test_what_is_not_on_disk_is_said_at_the_top() -> None:
    full = msgspec.structs.replace(STATUS, not_kept={"orders": "No space left on device"})
    told = "NOT WRITTEN DOWN orders: No space left on device; a restart of this observer"
    assert any(line.startswith(told) for line in status_lines(full, 120))


def test_what_the_view_says_otherwise_is_shown() -> None:
    row = ServerRow("n1", "north", "recovering", 1.0, 0.1, ["serves"], seen="failed")
    lines = status_lines(msgspec.structs.replace(STATUS, servers=[row]), 120)
    assert lines[-1].endswith("view:failed,serves")


def test_a_site_without_a_limit_is_not_said_to_carry_nothing() -> None:
    site = SiteRow("cloud", "external", 0, 0, 0.0, 0.8)
    lines = status_lines(msgspec.structs.replace(STATUS, sites=[site]), 120)
    assert next(line for line in lines if line.startswith("cloud")).split()[3:] == ["-"] * 4


def test_no_line_is_wider_than_the_screen() -> None:
    assert max(len(line) for line in status_lines(STATUS, 60)) <= 60


def test_names_do_nothing_to_a_terminal() -> None:
    row = ServerRow("n\x1b[2J", "north", "online", 1.0, 1.0)
    text = "\n".join(status_lines(msgspec.structs.replace(STATUS, servers=[row]), 120))
    assert "\x1b" not in text


def test_events_are_lines() -> None:
    change = {
        "at": 0.0, "server": "n1", "site": "north", "before": "online", "after": "failed",
        "reasons": ["timeout", "refused"], "note": "a disk",
    }  # fmt: skip
    assert event_line(msgspec.json.encode(change)) == (
        "1970-01-01 00:00:00Z  n1: online -> failed: timeout, refused (a disk)"
    )
    alarm = {"at": 0.0, "alarm": "mass_failure", "subject": "", "text": "4 of 6", "raised": True}
    assert event_line(msgspec.json.encode(alarm)) == (
        "1970-01-01 00:00:00Z  alarm: mass_failure: 4 of 6"
    )


def test_observers_that_are_not_heard_are_said_at_the_top() -> None:
    lines = status_lines(STATUS, 120)
    assert lines[1] == "observer c is not heard: gone"
    assert not any(line.startswith("observer a is not") for line in lines)


def test_measured_rates_are_rounded() -> None:
    site = SiteRow("north", "edge", 3, 1, 30e9, 0.8, 28306.7, 0.0)
    lines = status_lines(msgspec.structs.replace(STATUS, sites=[site]), 120)
    assert any("28.3kbps" in line for line in lines)


@pytest.mark.parametrize(
    "line",
    [b'{"at":1e300}', b'{"at":"now"}', b'{"alarm":1}', b'{"reasons":[1]}', b"[]", b"\xff", b""],
)
def test_what_is_no_event_is_printed_as_it_is(line: bytes) -> None:
    assert event_line(line) == line.decode(errors="backslashreplace")
