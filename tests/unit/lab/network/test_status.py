"""How a lab is shown."""

from __future__ import annotations

from headrace.lab.network.bird import Best
from headrace.lab.network.cuts import Cut
from headrace.lab.network.losses import Lost
from headrace.lab.network.routes import AtRouter
from headrace.lab.network.state import LabState, ProcessId, ProgramState, process_id
from headrace.lab.network.status import Observed, status_lines
from tests.unit.lab.network.plans import plan_of

GONE = ProcessId(2**22, 1)


def shown(kept: bool = True) -> list[str]:
    me = process_id(1)
    programs = [
        ProgramState("oslo1", "edge", me, restarts=2),
        ProgramState("oslo1", "vip", me, paused=True),
        ProgramState("oslo2", "edge", GONE),
        ProgramState("oslo2", "vip", me, wanted=False),
    ]
    cuts = [Cut("oslo2", silent=True), Cut("oslo1", "router1", silent=True)]
    state = LabState("small", GONE, "boot", True, programs, cuts)
    router = AtRouter(
        {"oslo1_4": "Established", "oslo2_6": "Active"},
        {"192.0.2.129/32": Best("192.0.2.129/32", "oslo2_4", 1)},
    )
    checks = {"192.0.2.129": {"oslo1": "failed", "oslo2": "sound"}}
    lost = {"oslo1": Lost(3, 0), "north": Lost(4, 1)}
    plan = plan_of("small")
    return status_lines(Observed(plan, state, kept, {"north": router}, checks, lost))


def row(lines: list[str], *words: str) -> str:
    return next(line for line in lines if line.split()[: len(words)] == list(words))


def test_a_node_shows_its_line_and_what_runs() -> None:
    lines = shown()
    assert lines[0].startswith("The lab small runs;")
    assert row(lines, "oslo1", "server").endswith("edge runs, 2 restarts; vip stopped")
    assert "cut silently" in row(lines, "oslo2", "server")
    assert row(lines, "oslo2", "server").endswith("edge down; vip ends")
    assert row(lines, "oslo1", "server").split()[3:5] == ["up", "3"]
    assert "5 (1 in the relay)" in row(lines, "north", "isp")
    assert "cut: between oslo1 and router1, silently" in lines


def test_a_vip_shows_where_its_packets_go_and_where_it_is_sound() -> None:
    lines = shown()
    assert row(lines, "192.0.2.129").split() == [
        *("192.0.2.129", "oslo1", "north", "oslo2", "1", "1", "of", "2")
    ]
    assert row(lines, "192.0.2.130").split()[3:] == ["-", "0", "-"]
    assert row(lines, "north", "oslo2").split() == ["north", "oslo2", "IPv6", "Active"]


def test_what_is_left_of_a_killed_lab_is_said() -> None:
    assert "is no more, but parts of it are left" in shown(kept=False)[0]


def test_a_router_that_does_not_answer_is_said() -> None:
    observed = Observed(plan_of("small"), None, True, {"north": AtRouter(answers=False)})
    found = row(status_lines(observed), "north", "-")
    assert found.split(maxsplit=3) == ["north", "-", "-", "BIRD does not answer"]
