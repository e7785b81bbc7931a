"""The programs of a lab: on which machine each runs, by which command, when it is ready. Pure."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from headrace.lab.network.build import RELAY, RELAY_LOWER, RELAY_UPPER
from headrace.lab.network.configuration import (
    EDGE_ADMIN,
    FEEDBACK_ADMIN,
    ORIGIN_PORT,
    ROUTER_ADMIN,
    VIP_ADMIN,
)
from headrace.lab.network.plan import Kind, LabPlan, Line, Machine

BIRD_SOCKET = "bird.ctl"
VIP = "vip"
SPEAKER = "speaker"
"""The process that a server's `vip` starts for BGP; not a program of its own."""
SPEAKER_COMMAND = "exabgp/program.py"


@dataclass(frozen=True, slots=True)
class Program:
    """A program. It is ready when `ready_url` answers with 200, or `ready_file` is there.

    Programs of a lower stage start first. A signal to one is for all that it has started as well,
    but for those whose command has the word `spares` in it.
    """

    machine: str
    name: str
    command: tuple[str, ...]
    stage: int
    ready_url: str = ""
    ready_file: Path | None = None
    spares: str = ""
    reads_description: bool = False

    @property
    def key(self) -> str:
        """Return what it is called: machine:name."""
        return f"{self.machine}:{self.name}"


def programs(plan: LabPlan, relays: list[Line]) -> list[Program]:
    """Return all programs, in the order of their start."""
    found = [_relay(plan, line) for line in relays]
    for machine in plan.machines.values():
        found += _of(plan, machine)
    return sorted(found, key=lambda program: program.stage)


def relay_counts(plan: LabPlan, machine: str) -> Path:
    """Return the file in which the relay of a line says what was lost."""
    return plan.directory / f"{RELAY}{machine}" / "counts.json"


def _relay(plan: LabPlan, line: Line) -> Program:
    command = (
        *(sys.executable, "-m", "headrace.lab.network.relay", RELAY_LOWER, RELAY_UPPER),
        *("--delay", f"{line.table.delay_s:g}", "--loss", f"{line.table.loss:g}"),
        *("--counts", str(relay_counts(plan, line.machine))),
    )
    return Program(RELAY + line.machine, "relay", command, 0)


def _of(plan: LabPlan, machine: Machine) -> Iterator[Program]:
    home = plan.directory / machine.name
    match machine.kind:
        case Kind.ISP:
            control = home / BIRD_SOCKET
            command = ("bird", "-f", "-c", str(home / "bird.conf"), "-s", str(control))
            yield Program(machine.name, "bird", command, 0, ready_file=control)
        case Kind.ORIGIN:
            yield Program(
                machine.name,
                "origin",
                (
                    *(sys.executable, "-m", "headrace.lab.origin"),
                    *("--host", machine.ipv4, "--port", str(ORIGIN_PORT)),
                ),
                0,
                f"http://{machine.ipv4}:{ORIGIN_PORT}/media/master.m3u8",
            )
        case Kind.MID | Kind.SERVER:
            yield _role(home, machine, "edge", EDGE_ADMIN, 1)
            if machine.kind is Kind.SERVER:
                yield Program(
                    machine.name,
                    VIP,
                    (_headrace(), "vip", "run", "--config", str(home / "vip.toml")),
                    2,
                    f"http://{machine.ipv4}:{VIP_ADMIN}/live",
                    spares=SPEAKER_COMMAND,
                    reads_description=True,
                )
        case Kind.ROUTER:
            yield _role(home, machine, "router", ROUTER_ADMIN, 2)
        case Kind.OBSERVER:  # last: what has not started yet has not failed
            yield _role(home, machine, "feedback", FEEDBACK_ADMIN, 3)


def _role(home: Path, machine: Machine, role: str, admin: int, stage: int) -> Program:
    command = (_headrace(), role, "--config", str(home / f"{role}.toml"))
    url = f"http://{machine.ipv4}:{admin}/ready"
    return Program(machine.name, role, command, stage, url, reads_description=True)


def _headrace() -> str:
    return str(Path(sys.executable).with_name("headrace"))
