"""Tables of a VIP process, what counts as wrong, and commands that wait."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from typer.testing import CliRunner

from headrace.cli import vip_running as commands
from headrace.cli.admin_client import AdminClient
from headrace.cli.main import app
from headrace.cli.vip_complaints import complaints
from headrace.cli.vip_tables import event_line, status_lines
from headrace.vip.admin.models import (
    BfdRow,
    Done,
    EdgeRow,
    EventList,
    EventRow,
    HandoverRow,
    NeighbourRow,
    OrderRow,
    SessionRow,
    Status,
    VipRow,
)

VIP = VipRow(
    "192.0.2.1", "s1", 0, "serving", "owner", "its own VIP", "", "192.0.2.1/32 med 100",
    True, "sound", False, "", 0.1, 60.0, True,
)  # fmt: skip
WELL = Status(
    server="s1",
    site="oslo",
    phase="serving",
    phase_s=60.0,
    order=None,
    wanted="online",
    wanted_note="by the description",
    speaker="started",
    speaker_problem="",
    addresses_problem="",
    state_problem="",
    plan_age_s=0.1,
    view=7,
    clients=None,
    edge=EdgeRow(False, 12, "", ""),
    vips=[VIP],
    sessions=[SessionRow("10.0.0.1", "north", True, 60.0, "", "", "", 0)],
    neighbours=[NeighbourRow("s2", "sound", False, ["192.0.2.1"], 0.5, "")],
)
OUT = msgspec.structs.replace(
    VIP,
    standing="out",
    why="failed",
    meaning="a check failed",
    note="nothing listens",
    announced="",
)


def changed(**what: Any) -> Status:
    """What is well, but for this."""
    return msgspec.structs.replace(WELL, **what)


def watched(bfd: BfdRow) -> SessionRow:
    """A session that is up, and what is known of its BFD."""
    return SessionRow("10.0.0.1", "north", True, 60.0, "", "", "", 0, bfd)


@pytest.mark.parametrize(
    ("up", "word"), [(True, "up"), (None, "waits"), (False, "down")], ids=["up", "waits", "down"]
)
def test_bfd_stands_beside_its_session(up: bool | None, word: str) -> None:
    lines = status_lines(changed(sessions=[watched(BfdRow(up, 5.0, "", ""))]), 140)
    row = next(line for line in lines if line.startswith("10.0.0.1"))
    assert row.split()[:5] == ["10.0.0.1", "north", "up", "60s", word]


def test_what_helps_is_not_cut_off_where_a_terminal_is_narrow() -> None:
    bfd = BfdRow(False, 20.0, "no answer for 15 s", "speak BFD on the router too; " * 5 + "the end")
    text = " ".join(line.strip() for line in status_lines(changed(sessions=[watched(bfd)]), 60))
    assert "speak BFD on the router too; the end" in text


def test_what_no_router_hears_is_not_said_to_be_announced_alone() -> None:
    down = SessionRow("10.0.0.1", "north", False, 9.0, "hold-timer", "", "see", 0)
    lines = status_lines(changed(sessions=[down]), 140)
    assert lines[0].endswith("1 of 1 VIPs announced, 0 of 1 sessions up: no router hears it")


def test_what_is_well_is_shown_without_a_complaint() -> None:
    lines = status_lines(WELL, 140)
    assert lines[0] == ("s1 in oslo: serving for 60s; 1 of 1 VIPs announced, 1 of 1 sessions up")
    assert "edge: serving, 12 connections" in lines
    assert list(complaints(WELL)) == []
    assert max(map(len, status_lines(WELL, 40))) <= 40


@pytest.mark.parametrize(
    ("found", "complaint"),
    [
        (
            changed(vips=[OUT]),
            "VIP 192.0.2.1: out: a check failed (nothing listens); announced by s2",
        ),
        (
            changed(sessions=[SessionRow("10.0.0.1", "", False, 3.0, "wrong-as", "2", "see", 0)]),
            "session 10.0.0.1: down for 3s: wrong-as; 2; see",
        ),
        (changed(speaker="died", speaker_problem="killed"), "speaker: died: killed"),
        (changed(addresses_problem="no ip"), "addresses: no ip"),
        (
            changed(state_problem="No space left on device"),
            "state: state_dir cannot be written (No space left on device): make room, or orders "
            "are forgotten with the next restart",
        ),
        (changed(edge=EdgeRow(None, None, "", "refused")), "edge: refused"),
        (
            changed(sessions=[watched(BfdRow(False, 20.0, "no answer for 15 s", "speak BFD"))]),
            "session 10.0.0.1: BFD down for 20s, only the hold time counts: no answer for 15 s; "
            "speak BFD",
        ),
    ],
)
def test_what_is_wrong_is_said(found: Status, complaint: str) -> None:
    assert list(complaints(found)) == [complaint]
    assert complaint in status_lines(found, 140)


def test_vips_with_which_the_same_is_wrong_are_one_complaint() -> None:
    others = [
        msgspec.structs.replace(OUT, vip=f"192.0.2.{one}", owner="s2", rank=1)
        for one in range(2, 7)
    ]
    (line,) = complaints(changed(vips=[OUT, *others]))
    (alone,) = complaints(changed(vips=others[:2]))
    assert alone.endswith("; nobody else is known to announce them")
    assert line.startswith("VIPs 192.0.2.1, 192.0.2.2, 192.0.2.3, 192.0.2.4 and 2 more: out: ")
    assert line.endswith(
        "; nobody else is known to announce VIPs 192.0.2.2, 192.0.2.3, 192.0.2.4, 192.0.2.5 and 1 "
        "more"
    )


def test_before_neighbours_were_asked_nobody_is_said_to_have_nothing() -> None:
    unasked = NeighbourRow("s3", "unknown", False, [], 0.0, "not asked yet")
    others = [NeighbourRow("s2", "sound", False, [], 0.5, "")]
    (line,) = complaints(changed(vips=[OUT], neighbours=[*others, unasked]))
    assert line.endswith("; not known yet who else announces it")
    (line,) = complaints(changed(vips=[OUT], neighbours=others))
    assert line.endswith("; nobody else is known to announce it")


def test_who_is_the_last_that_serves_says_so_and_does_not_complain() -> None:
    failed = NeighbourRow("s2", "failed", False, [], 0.5, "no answer in time")
    drains = NeighbourRow("s3", "sound", True, [], 0.5, "")
    silent = NeighbourRow("s4", "sound", False, [], 0.5, "")
    found = changed(neighbours=[failed, drains, silent])
    assert (
        "neighbours: none is known to serve, should this server fail: s2 failed, s3 drains, s4 "
        "announces nothing"
    ) in status_lines(found, 140)
    assert not list(complaints(found))
    down = msgspec.structs.replace(WELL.sessions[0], up=False)
    for other in (WELL, changed(neighbours=[failed], sessions=[down]), changed(neighbours=[])):
        assert not [one for one in status_lines(other, 140) if one.startswith("neighbours:")]


def test_who_has_the_vips_of_another_says_why_and_does_not_complain() -> None:
    def of(owner: str, number: int, holder: str = "s1") -> VipRow:
        vip = f"192.0.2.{number}"
        return msgspec.structs.replace(VIP, vip=vip, owner=owner, rank=1, holder=holder)

    own = msgspec.structs.replace(VIP, holder="s1")
    found = changed(
        vips=[
            own,
            of("s2", 2),
            of("s2", 3),
            of("s3", 4),
            of("s4", 5),
            of("s5", 6, "s5"),
            of("s6", 7),
            of("s6", 8),
            of("s7", 9),
        ],
        neighbours=[
            NeighbourRow("s2", "failed", False, [], 0.5, "no answer in time"),
            NeighbourRow("s3", "sound", True, [], 0.5, ""),
            NeighbourRow("s4", "sound", False, ["192.0.2.9"], 0.5, ""),
            NeighbourRow("s6", "sound", False, [], 0.5, ""),
        ],
    )
    assert [one for one in status_lines(found, 140) if one.startswith("has ")] == [
        "has VIPs 192.0.2.2, 192.0.2.3 of s2 now: s2 failed: no answer in time",
        "has VIP 192.0.2.4 of s3 now: s3 drains",
        "has VIP 192.0.2.5 of s4 now: s4 does not announce it",
        "has VIPs 192.0.2.7, 192.0.2.8 of s6 now: s6 does not announce them",
        "has VIP 192.0.2.9 of s7 now: s7 is not known",
    ]
    assert not list(complaints(found))


def test_who_may_have_the_vips_of_another_says_unless_who_has_them() -> None:
    def of(number: int, *others: str) -> VipRow:
        vip = f"192.0.2.{number}"
        return msgspec.structs.replace(
            VIP, vip=vip, owner="s2", rank=2, holder="s1", unless=list(others)
        )

    found = changed(
        vips=[of(2, "s2"), of(3, "s2"), of(4, "s2", "s3"), of(5, "s3")],
        neighbours=[
            NeighbourRow("s2", "unknown", False, [], 0.5, "no answer\x1b[31m\nto it"),
            NeighbourRow("s3", "degraded", False, [], 0.5, "slow"),
        ],
    )
    because = r"s2 unknown: no answer\x1b[31m\nto it"
    assert [one for one in status_lines(found, 200) if one.startswith("has ")] == [
        f"has VIPs 192.0.2.2, 192.0.2.3 of s2 now, unless s2 has them: {because}",
        f"has VIP 192.0.2.4 of s2 now, unless s2 or s3 has it: {because}; s3 degraded: slow",
        f"has VIP 192.0.2.5 of s2 now, unless s3 has it: {because}; s3 degraded: slow",
    ]


def test_what_one_that_drains_announces_for_want_of_others_is_announced() -> None:
    drains = NeighbourRow("s2", "sound", True, [], 0.5, "")
    rows = [msgspec.structs.replace(OUT, holder="s2")]
    (line,) = complaints(changed(vips=rows, neighbours=[drains]))
    assert line.endswith("; announced by s2")
    rows = [msgspec.structs.replace(OUT, holder=one) for one in ("", "s1")]
    (line,) = complaints(changed(vips=rows, neighbours=[drains]))
    assert line.endswith("; nobody else is known to announce them")


def test_a_neighbour_that_cannot_be_asked_is_a_complaint_and_one_that_fails_is_none() -> None:
    failed = NeighbourRow("s2", "failed", False, [], 0.5, "nothing listens on port 443")
    assert not list(complaints(changed(neighbours=[failed])))
    unasked = NeighbourRow("s2", "unknown", False, [], 0.0, "not asked yet")
    assert not list(complaints(changed(neighbours=[unasked])))
    stranger = NeighbourRow("s2", "unknown", False, [], 0.5, "it does not know our secret")
    (line,) = complaints(changed(neighbours=[stranger]))
    assert line == "neighbour s2: not known what it announces: it does not know our secret"


def test_coverage_that_waits_for_somebody_is_a_complaint() -> None:
    (waits,) = complaints(changed(coverage_waiting=1))
    assert waits.endswith("wait for approval: 1; see `headrace vip coverage diff`")
    (alarm,) = complaints(changed(coverage_alarms=2))
    assert "too much is announced: 2; see" in alarm


def test_a_long_reason_hides_no_address() -> None:
    why = "the certificate for video.example has expired, or the clock here is fast"
    rows = [msgspec.structs.replace(OUT, vip=f"2001:db8:1:f::{one}", note=why) for one in (1, 2)]
    lines = status_lines(changed(vips=rows), 80)
    assert [line.split()[0] for line in lines if " out " in line] == [one.vip for one in rows]
    assert max(map(len, lines)) <= 80


def test_what_somebody_wants_is_no_complaint() -> None:
    withdrawn = msgspec.structs.replace(OUT, why="withdrawn")
    order = OrderRow("draining", "new disks", "ada@desk", 1.0, 3600.0, False)
    found = changed(vips=[withdrawn], wanted="draining", phase="out", order=order, clients=3)
    assert list(complaints(found)) == []
    text = "\n".join(status_lines(found, 140))
    assert "wanted: draining: by the description; 3 connections left" in text
    assert "ordered by ada@desk until 1970-01-01 01:00:00Z: new disks" in text


def test_what_comes_from_elsewhere_cannot_steer_a_terminal() -> None:
    assert "\x1b" not in event_line(EventRow(0.0, "dropped", "\x1b[2J", "\x1b]0;x"))
    named = NeighbourRow("s2", "unknown", False, [], 0.0, "\x1b[31m")
    assert "\x1b" not in "".join(status_lines(changed(neighbours=[named]), 140))


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """What the process answers, one after the other; the last one stays."""
    told: list[object] = []

    def ask(
        _self: AdminClient, _answer: object, _method: str, _path: str, _body: object = None
    ) -> object:
        return told.pop(0) if len(told) > 1 else told[0]

    monkeypatch.setattr(AdminClient, "ask", ask)
    monkeypatch.setattr(commands, "client_of", lambda *_where: AdminClient(None, ""))  # type: ignore[arg-type]
    monkeypatch.setattr(commands, "LOOK_S", 0.0)
    return told


def test_a_drain_is_not_done_while_anything_is_announced(answers: list[object]) -> None:
    kept = msgspec.structs.replace(VIP, standing="draining", meaning="nobody else serves it")
    answers += [Done("serving", "draining", ""), changed(phase="out", vips=[kept])]
    result = CliRunner().invoke(app, ["vip", "drain", "--wait", "0.01s"])
    assert result.exit_code == 1
    assert "nobody else serves it: headrace vip explain 192.0.2.1" in result.output
    assert "done" not in result.output


@pytest.mark.parametrize(
    ("until", "former", "ends"),
    [
        (None, None, "it has no end; headrace vip return takes it back"),
        (
            3600.0,
            None,
            "it ends by itself at 1970-01-01 01:00:00Z; headrace vip return takes it back",
        ),
        (
            None,
            OrderRow("draining", "", "ada@desk", 1.0, 7200.0, False),
            "it replaces the order by ada@desk, which would have ended at 1970-01-01 02:00:00Z",
        ),
        (
            3600.0,
            OrderRow("draining", "", "", 1.0, None, False),
            "it replaces the order by somebody, which had no end",
        ),
    ],
)
def test_an_order_says_until_when_it_counts(
    answers: list[object], until: float | None, former: OrderRow | None, ends: str
) -> None:
    answers.append(Done("serving", "draining", "new disks", until, former))
    result = CliRunner().invoke(app, ["vip", "drain"])
    lines = result.output.splitlines()
    assert lines[0] == "in force: wanted draining (new disks); now serving"
    assert lines[-1] == ends


@pytest.mark.parametrize("order", ["drain", "return"])
def test_an_order_that_cannot_be_kept_says_so(answers: list[object], order: str) -> None:
    answers.append(Done("serving", "online", "", state_problem="No space left on device"))
    result = CliRunner().invoke(app, ["vip", order])
    assert result.output.splitlines()[-1] == (
        "it is not kept: state_dir cannot be written (No space left on device): make room, or the "
        "next restart forgets it"
    )


def test_a_drain_waits_until_the_server_is_out(answers: list[object]) -> None:
    answers += [Done("serving", "draining", ""), WELL, changed(phase="worse")]
    answers += [changed(phase="out", vips=[OUT])]
    result = CliRunner().invoke(app, ["vip", "drain", "--wait", "1m"])
    assert result.exit_code == 0
    assert result.output.splitlines()[-1] == "done: s1 is out"


def test_a_wait_that_is_too_long_is_a_failure(answers: list[object]) -> None:
    answers += [Done("serving", "online", ""), changed(vips=[OUT])]
    result = CliRunner().invoke(app, ["vip", "return", "--wait", "10ms"])
    assert result.exit_code == 1
    assert "not in 0.01 s: VIP 192.0.2.1: out: a check failed (nothing listens)" in result.output


def test_a_check_says_what_is_wrong_by_its_exit_code(answers: list[object]) -> None:
    answers.append(WELL)
    assert CliRunner().invoke(app, ["vip", "status", "--check"]).exit_code == 0
    answers[:] = [changed(vips=[OUT])]
    result = CliRunner().invoke(app, ["vip", "status", "--check"])
    assert (result.exit_code, "VIP 192.0.2.1: out" in result.output) == (1, True)


@pytest.mark.parametrize("option", ["--watch", "--json"])
def test_a_check_is_not_given_where_something_else_was_asked(
    answers: list[object], option: str
) -> None:
    answers.append(WELL)
    result = CliRunner().invoke(app, ["vip", "status", "--check", option])
    assert (result.exit_code, "says once, in lines" in result.output) == (2, True)


@pytest.mark.parametrize("option", ["--wait", "--for"])
def test_a_time_that_is_none_is_refused(option: str) -> None:
    result = CliRunner().invoke(app, ["vip", "drain", option, "soon"])
    assert result.exit_code == 2
    assert option in result.output


def test_a_plan_counts_the_sessions_that_there_are(answers: list[object]) -> None:
    answers.append(WELL)
    found = CliRunner().invoke(app, ["vip", "plan"]).output
    assert "1 of 1 sessions up" in found
    assert "ROUTER" not in found


def test_events_of_what_is_not_there_are_none_in_words(answers: list[object]) -> None:
    answers.append(EventList([]))
    result = CliRunner().invoke(app, ["vip", "events", "192.0.2.9"])
    assert "nothing of '192.0.2.9' since the start" in result.output


def test_a_view_that_nobody_renews_is_said() -> None:
    assert not list(complaints(changed(view_age_s=None)))
    assert not list(complaints(changed(view_age_s=50.0)))
    (line,) = complaints(changed(view_age_s=125.0))
    assert "its view is 2m old" in line
    assert "headrace feedback status" in line


def test_it_is_said_for_how_long_a_server_has_been_cut_off() -> None:
    row = HandoverRow(False, 8094, "", {}, 0, 0, 0, silent=["192.0.2.1"], silent_s=125.0)
    (line,) = (one for one in status_lines(changed(handover=row), 200) if "cut off" in one)
    assert line.startswith("handover: cut off for 2m: nothing of 192.0.2.1 leaves until")
