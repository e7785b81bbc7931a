"""What runs ExaBGP keeps no right that it does not need."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from headrace.bgp.exabgp import program
from headrace.bgp.exabgp.program import HEARD, INTAKE_BPS, INTAKE_BURST_BYTES, Intake
from headrace.bgp.exabgp.text import configuration
from headrace.bgp.session import Intake as Taken
from tests.unit.bgp.test_session import session

CODE = """
import ctypes, runpy, sys
found = runpy.run_path(sys.argv[1])
found["drop_capabilities"](ctypes.CDLL(None, use_errno=True))
print(open("/proc/self/status").read())
"""
NET_BIND_SERVICE = 1 << 10


def test_it_gives_up_all_capabilities_but_a_low_port() -> None:
    file = str(Path(program.__file__))
    done = subprocess.run(
        [sys.executable, "-c", CODE, file], capture_output=True, text=True, check=True
    )
    found = dict(line.split(":\t", 1) for line in done.stdout.splitlines() if ":\t" in line)
    assert int(found["CapInh"], 16) == 0
    for name in ("CapEff", "CapPrm", "CapAmb"):
        assert int(found[name], 16) & ~NET_BIND_SERVICE == 0


def test_a_router_that_floods_waits_and_no_other_does() -> None:
    intake = Intake()
    assert intake.may_go_on("a", 0.0)
    intake.took("a", INTAKE_BURST_BYTES, 0.0)
    assert intake.may_go_on("a", 0.0)
    intake.took("a", INTAKE_BPS // 8, 0.0)
    assert not intake.may_go_on("a", 0.9)
    assert intake.may_go_on("a", 1.0)
    assert intake.may_go_on("b", 0.0)


def test_several_that_flood_say_little_more_than_one() -> None:
    for routers, waits_s in ((0, 1.0), (1, 1.0), (2, 2.0), (4, 4.0), (32, 4.0)):
        intake = Intake(routers)
        intake.took("a", INTAKE_BURST_BYTES + INTAKE_BPS // 8, 0.0)
        assert not intake.may_go_on("a", waits_s - 0.1)
        assert intake.may_go_on("a", waits_s)


def test_routers_whose_announcements_are_taken_are_counted() -> None:
    taken, not_taken = (session(intake=Taken(most)) for most in (5, 0))
    assert configuration([taken], {}, [], "helper").count(HEARD) == 1
    assert configuration([not_taken], {}, [], "helper").count(HEARD) == 0
