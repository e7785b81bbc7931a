"""What Linux says of a machine, read from files like its own."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from headrace.telemetry.machine import DiskUse, Machine, default_interface

ROUTES = (
    "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n"
    "eth1\t00000000\t0100000A\t0003\t0\t0\t200\t00000000\t0\t0\t0\n"
    "eth0\t00000000\t0100000A\t0003\t0\t0\t100\t00000000\t0\t0\t0\n"
    "eth2\t0000000A\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0\n"
)
ROUTES_V6 = (
    "00000000000000000000000000000000 00 00000000000000000000000000000000 00 "
    "fe800000000000000000000000000001 00000400 00000001 00000000 00000003 eth6\n"
    "00000000000000000000000000000000 00 00000000000000000000000000000000 00 "
    "00000000000000000000000000000000 00000001 00000001 00000000 00200200 lo\n"
)


def test_the_interface_is_that_of_the_preferred_default_route() -> None:
    assert default_interface(ROUTES, ROUTES_V6) == "eth0"
    assert default_interface("", ROUTES_V6) == "eth6"
    assert default_interface("", "") is None
    assert default_interface("garbage\nmore", "garbage") is None


@pytest.fixture
def machine(tmp_path: Path) -> tuple[Path, Path]:
    proc, sys = tmp_path / "proc", tmp_path / "sys"
    (proc / "net").mkdir(parents=True)
    (proc / "stat").write_text("cpu  100 0 50 800 50 0 10 0 7 7\ncpu0 1 1 1 1\n")
    (proc / "net" / "route").write_text(ROUTES)
    eth0 = sys / "class" / "net" / "eth0"
    (eth0 / "statistics").mkdir(parents=True)
    (eth0 / "statistics" / "tx_bytes").write_text("123456\n")
    (eth0 / "speed").write_text("10000\n")
    device = os.stat(tmp_path).st_dev
    disk = sys / "dev" / "block" / f"{os.major(device)}:{os.minor(device)}"
    disk.mkdir(parents=True)
    (disk / "stat").write_text("1 2 3 4 5 6 7 8 9 1000 2500 0 0 0 0\n")
    return proc, sys


def test_all_is_read(machine: tuple[Path, Path], tmp_path: Path) -> None:
    proc, sys = machine
    use = Machine(tmp_path, proc=proc, sys=sys).use()
    assert (use.busy_ticks, use.all_ticks) == (160, 1010)
    assert (use.sent_bytes, use.speed_bps) == (123456, 10_000_000_000)
    assert use.disk == DiskUse(1000, 2500)


def test_another_interface_may_be_named(machine: tuple[Path, Path]) -> None:
    proc, sys = machine
    bond = sys / "class" / "net" / "bond0"
    (bond / "statistics").mkdir(parents=True)
    (bond / "statistics" / "tx_bytes").write_text("7\n")
    (bond / "speed").write_text("20000\n")
    use = Machine(interface="bond0", proc=proc, sys=sys).use()
    assert (use.sent_bytes, use.speed_bps) == (7, 20_000_000_000)


def test_what_a_machine_does_not_say_is_not_known(
    machine: tuple[Path, Path], tmp_path: Path
) -> None:
    proc, sys = machine
    (sys / "class" / "net" / "eth0" / "speed").write_text("-1\n")
    assert Machine(proc=proc, sys=sys).use().speed_bps is None
    assert Machine(tmp_path / "missing", proc=proc, sys=sys).use().disk is None
    use = Machine(tmp_path, proc=tmp_path / "no", sys=tmp_path / "no").use()
    assert (use.all_ticks, use.sent_bytes, use.disk) == (0, None, None)


def test_this_machine_is_read_without_an_error(tmp_path: Path) -> None:
    use = Machine(tmp_path).use()
    assert use.all_ticks >= use.busy_ticks > 0
