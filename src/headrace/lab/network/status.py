"""What a lab is doing: its processes and lines, BGP sessions, and where each VIP's packets go."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from headrace.lab.errors import LabError
from headrace.lab.network.checks import Checks, ask_checks
from headrace.lab.network.control import Lab
from headrace.lab.network.cuts import Cut
from headrace.lab.network.losses import Lost, lost
from headrace.lab.network.plan import Kind, LabPlan, Machine
from headrace.lab.network.requests import Ask
from headrace.lab.network.routes import NO_ROUTE, AtRouter, ask_routers, goes, server_of
from headrace.lab.network.state import LabState

NOT_KNOWN = ""


@dataclass(frozen=True, slots=True)
class Observed:
    """A lab at a moment. `kept` says whether its keeper answers."""

    plan: LabPlan
    state: LabState | None
    kept: bool
    routers: dict[str, AtRouter]
    checks: Checks = field(default_factory=dict)
    lost: dict[str, Lost] = field(default_factory=dict)

    def vip_rows(self) -> list[dict[str, Any]]:
        """Return every VIP with its owner, and by which server its ISP's router reaches it."""
        return [
            {
                "vip": one.vip,
                "owner": one.owner,
                "router": one.router,
                "via": one.via,
                "others": one.others,
                "checks": self.checks.get(one.vip, {}),
            }
            for one in goes(self.plan, self.routers)
        ]

    def as_json(self) -> dict[str, Any]:
        """Return all of it as JSON takes it."""
        return {
            "name": self.plan.name,
            "directory": str(self.plan.directory),
            "kept": self.kept,
            "state": msgspec.to_builtins(self.state),
            "sessions": {name: router.sessions for name, router in self.routers.items()},
            "vips": self.vip_rows(),
            "lost": msgspec.to_builtins(self.lost),
        }


def observe(lab: Lab) -> Observed:
    """Return how a lab is now. Raises LabError."""
    try:
        state, kept = lab.do(Ask()).state, True
    except LabError:
        state, kept = lab.state(), False
    routers, checks = ask_routers(lab.plan), ask_checks(lab.plan)
    return Observed(lab.plan, state, kept, routers, checks, lost(lab.plan))


def status_lines(observed: Observed) -> list[str]:
    """Return it as tables."""
    plan, state = observed.plan, observed.state
    word = "runs" if observed.kept and state and state.ready else "starts"
    if not observed.kept:
        word = "is no more, but parts of it are left: headrace lab down removes them"
    lines = [f"The lab {plan.name} {word}; its files are in {plan.directory}", ""]
    cuts = state.cuts if state else []
    rows = [
        _machine_row(plan, machine, state, cuts, observed.lost)
        for machine in plan.machines.values()
    ]
    lines += table(("MACHINE", "KIND", "IPV4", "LINE", "LOST", "PROCESSES"), rows)
    between = [str(one) for one in cuts if not one.of_line]
    lines += ["", *(f"cut: {one}" for one in between)] if between else []
    sessions = [
        (name, server_of(plan, session), "IPv6" if session.endswith("_6") else "IPv4", text)
        for name, router in observed.routers.items()
        for session, text in router.sessions.items()
    ]
    sessions += [
        (name, NO_ROUTE, NO_ROUTE, "BIRD does not answer")
        for name, router in observed.routers.items()
        if not router.answers
    ]
    lines += ["", *table(("ROUTER", "SESSION WITH", "FAMILY", "STATE"), sessions)]
    vips = [
        (row["vip"], row["owner"], row["router"], row["via"], str(row["others"]), sound_at(row))
        for row in observed.vip_rows()
    ]
    lines += ["", *table(("VIP", "OWNER", "ROUTER", "GOES TO", "ALSO FROM", "SOUND AT"), vips)]
    return lines


def sound_at(row: dict[str, Any]) -> str:
    """Return at how many of the servers that say something of a VIP it is sound."""
    checks = row["checks"]
    sound = sum(word == "sound" for word in checks.values())
    return f"{sound} of {len(checks)}" if checks else NO_ROUTE


def _machine_row(
    plan: LabPlan,
    machine: Machine,
    state: LabState | None,
    cuts: Sequence[Cut],
    losses: Mapping[str, Lost],
) -> tuple[str, str, str, str, str, str]:
    own = [one for one in cuts if one.of_line and one.one == machine.name]
    line = "cut" if any(not one.silent for one in own) else "cut silently" if own else "up"
    if machine.name not in plan.lines:
        line = ""
    words = []
    for program in state.programs if state else []:
        if program.machine == machine.name:
            alive = program.process is not None and program.process.lives
            how = "stopped" if program.paused else "runs" if program.wanted else "ends"
            how = how if alive else "down"
            again = f", {program.restarts} restarts" if program.restarts else ""
            words.append(f"{program.name} {how}{again}")
    address = machine.ipv4 if machine.kind is not Kind.EXCHANGE else ""
    own_lost = losses.get(machine.name)
    counted = NOT_KNOWN if own_lost is None else str(own_lost.all)
    if own_lost is not None and own_lost.relay:
        counted += f" ({own_lost.relay} in the relay)"
    return machine.name, machine.kind.value, address, line, counted, "; ".join(words)


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """Return columns of text."""
    every = [tuple(heads), *(tuple(row) for row in rows)]
    widths = [max(len(row[at]) for row in every) for at in range(len(heads))]
    return [
        "  ".join(cell.ljust(widths[at]) for at, cell in enumerate(row)).rstrip() for row in every
    ]
