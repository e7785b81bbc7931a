"""What steps of a drill ask of a lab's keeper."""

from __future__ import annotations

import asyncio
import tomllib
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import pytest

from headrace.config.drill.model import StepTable
from headrace.config.network.schedule import WithdrawalTable
from headrace.lab.drill.hands import Hands, withdrawal
from headrace.lab.errors import LabError
from headrace.lab.network.control import Lab
from headrace.lab.network.plan import LabPlan
from headrace.lab.network.requests import Heal, Kill, MakeCut, Request, Start
from tests.unit.lab.network.plans import plan_of


class FakeLab:
    """Keeps what it is asked."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.asked: list[Request] = []
        self.plan: LabPlan | None = None

    def do(self, request: Request) -> None:
        """Take a request."""
        self.asked.append(request)

    def machine(self, name: str) -> Any:
        """Return a machine, by its name alone."""
        return type("Machine", (), {"name": name})


def taken(tmp_path: Path, **step: Any) -> list[Request]:
    lab = FakeLab(tmp_path)
    asyncio.run(Hands(cast(Lab, lab)).take(StepTable.model_validate({"on": ["oslo1"], **step})))
    return lab.asked


@pytest.mark.parametrize(
    ("step", "asked"),
    [
        ({"do": "kill"}, [Kill("oslo1:edge", "KILL")]),
        ({"do": "stop", "program": "vip"}, [Kill("oslo1:vip", "STOP")]),
        ({"do": "continue"}, [Kill("oslo1:edge", "CONT")]),
        ({"do": "start"}, [Start("oslo1:edge")]),
        ({"do": "power-off"}, [MakeCut("oslo1"), Kill("oslo1")]),
        ({"do": "power-on"}, [Heal("oslo1")]),
        ({"do": "cut"}, [MakeCut("oslo1")]),
        ({"do": "black-hole"}, [MakeCut("oslo1", None, True)]),
        ({"do": "split", "from": "rome"}, [MakeCut("oslo1", "rome", True)]),
        ({"do": "heal"}, [Heal("oslo1")]),
        ({"do": "heal", "on": []}, [Heal(None)]),
        ({"do": "nothing"}, []),
    ],
)
def test_steps(tmp_path: Path, step: dict[str, Any], asked: list[Request]) -> None:
    assert taken(tmp_path, **step) == asked


def test_several_at_once(tmp_path: Path) -> None:
    asked = taken(tmp_path, do="kill", on=["oslo1", "oslo2"])

    assert {cast(Kill, one).target for one in asked} == {"oslo1:edge", "oslo2:edge"}


def test_slow_ends_with_the_program_running(tmp_path: Path) -> None:
    asked = taken(tmp_path, do="slow", **{"for": 0.05, "still": 0.01, "period": 0.02})

    assert cast(Kill, asked[0]).signal == "STOP"
    assert cast(Kill, asked[-1]).signal == "CONT"


def test_a_configuration_is_changed_and_brought_back(tmp_path: Path) -> None:
    lab = FakeLab(tmp_path)
    hands = Hands(cast(Lab, lab))
    file = tmp_path / "oslo1" / "edge.toml"
    file.parent.mkdir()
    file.write_text('hosts = ["*"]\n')
    change = {"do": "configure", "on": ["oslo1"], "text": '"*"', "by": '"nobody"'}

    asyncio.run(hands.take(StepTable.model_validate(change)))
    assert file.read_text() == 'hosts = ["nobody"]\n'
    asyncio.run(hands.restore())
    assert file.read_text() == 'hosts = ["*"]\n'
    assert lab.asked == [Kill("oslo1:edge", "HUP"), Kill("oslo1:edge", "HUP"), Heal()]


def test_what_is_to_be_replaced_has_to_be_there(tmp_path: Path) -> None:
    file = tmp_path / "oslo1" / "edge.toml"
    file.parent.mkdir()
    file.write_text("workers = 1\n")

    with pytest.raises(LabError, match="is not there"):
        taken(tmp_path, do="configure", text="hosts", by="host")


def test_maintenance_of_a_site_is_as_a_description_has_it() -> None:
    now = datetime(2026, 11, 26, 12, 0, 0, tzinfo=UTC)

    (found,) = tomllib.loads(withdrawal("oslo", now, 18.0))["withdrawal"]

    table = WithdrawalTable.model_validate(found)
    assert (table.site, table.drain_s) == ("oslo", 6.0)
    assert table.from_ == now + timedelta(seconds=6)
    assert table.until == now + timedelta(seconds=18)


def test_a_server_that_is_still_drained_returns_in_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commands: list[tuple[str, ...]] = []
    looks = iter([["oslo1:vip"], []])

    async def no_process(*command: str, **_options: Any) -> Any:
        commands.append(command)

        async def communicate() -> tuple[bytes, None]:
            return b"", None

        return type("Process", (), {"returncode": 0, "communicate": staticmethod(communicate)})

    async def not_ready(_machines: list[str], *, alive: bool = False) -> list[str]:
        return next(looks)

    lab = FakeLab(tmp_path)
    lab.plan = plan_of("small", tmp_path)
    hands = Hands(cast(Lab, lab))
    monkeypatch.setattr(asyncio, "create_subprocess_exec", no_process)
    monkeypatch.setattr(hands, "not_ready", not_ready)

    async def drain_and_restore() -> None:
        await hands.take(StepTable.model_validate({"do": "drain", "on": ["oslo1"], "wait": 20}))
        await hands.restore()
        await hands.restore()

    asyncio.run(drain_and_restore())

    words = [command[command.index("vip") + 1 :][:3] for command in commands]
    assert words[0] == ("drain", "--wait", "20s")
    # Once its programs answer, and no second time.
    assert [one[0] for one in words[1:]] == ["return"]
