"""Does to a lab what the steps of a drill say."""

from __future__ import annotations

import asyncio
import contextlib
import sys
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from headrace.config.drill.model import StepTable
from headrace.lab.errors import LabError
from headrace.lab.namespaces.enter import inside
from headrace.lab.network.configuration import DESCRIPTION
from headrace.lab.network.control import Lab
from headrace.lab.network.programs import Program, programs
from headrace.lab.network.requests import Heal, Kill, MakeCut, Request, Start
from headrace.lab.network.runner import answers

_SIGNALS = {"kill": "KILL", "stop": "STOP", "continue": "CONT"}
_POLL_S = 0.02
_ENDS_S = 90.0
_COMMAND_S = 30.0


def withdrawal(site: str, now: datetime, for_s: float) -> str:
    """Return maintenance of a site as a description has it. Pure."""
    drain_s = for_s / 3
    begin, end = (now + timedelta(seconds=after_s) for after_s in (drain_s, for_s))
    return (
        f'\n[[withdrawal]]\nsite = "{site}"\nfrom = {begin.isoformat(timespec="milliseconds")}\n'
        f'until = {end.isoformat(timespec="milliseconds")}\ndrain = "{drain_s:.3g}s"\n'
        'reason = "a drill"\n'
    )


class Hands:
    """What is done to a lab, and taken back. All of it may be done to several at once."""

    def __init__(self, lab: Lab) -> None:
        self._lab = lab
        self._originals: dict[Path, str] = {}
        self._drained: set[str] = set()

    async def take(self, step: StepTable) -> None:
        """Take a step, to its end. Raises LabError, OSError."""
        await asyncio.gather(*(self._take(step, machine) for machine in step.on or [""]))

    async def restore(self) -> None:
        """Take back all that steps have left: cuts, what is down, what was configured, orders.
        Raises LabError, OSError.
        """
        for file in list(self._originals):
            await self._configure(file, lambda _text: "", back=True)
        await self._do(Heal())
        for machine in list(self._drained):
            await self._return(machine)

    async def _return(self, machine: str) -> None:
        """Let a server return whose programs may just be starting. Raises LabError."""
        until_s = time.monotonic() + _ENDS_S
        while await self.not_ready([machine], alive=True):
            if time.monotonic() > until_s:
                raise LabError(f"{machine} is drained, and does not answer within {_ENDS_S:g} s")
            await asyncio.sleep(_POLL_S)
        await self._order(machine, "return", 0.0)

    async def _take(self, step: StepTable, machine: str) -> None:
        target = f"{machine}:{step.program}"
        match step.do:
            case "kill" | "stop" | "continue":
                await self._do(Kill(target, _SIGNALS[step.do]))
            case "start":
                await self._do(Start(target))
            case "restart":
                await self._restart(machine, step.program)
            case "power-off":
                # The line first: what ends has no time to say goodbye.
                await self._do(MakeCut(machine))
                await self._do(Kill(machine))
            case "power-on":
                await self._do(Heal(machine))
            case "cut" | "black-hole":
                await self._do(MakeCut(machine, None, step.do == "black-hole"))
            case "split":
                await self._do(MakeCut(machine, step.from_, True))
            case "heal":
                await self._do(Heal(machine or None))
            case "drain" | "return":
                await self._order(machine, step.do, step.wait_s)
            case "configure" | "restore":
                file = (
                    self._lab.directory / self._lab.machine(machine).name / f"{step.program}.toml"
                )
                await self._configure(
                    file, lambda text: text.replace(step.text, step.by), step.do == "restore"
                )
            case "withdraw":
                await self._withdraw(machine, step.for_s)
            case "slow":
                await self._slow(target, step)
            case "nothing":
                pass

    async def _do(self, request: Request) -> None:
        await asyncio.to_thread(self._lab.do, request)

    async def _restart(self, machine: str, program: str) -> None:
        await self._do(Kill(f"{machine}:{program}", "TERM"))
        until_s = time.monotonic() + _ENDS_S
        while self._runs(machine, program):
            if time.monotonic() > until_s:
                raise LabError(f"{machine}:{program} does not end within {_ENDS_S:g} s")
            await asyncio.sleep(_POLL_S)
        await self._do(Start(f"{machine}:{program}"))

    def _runs(self, machine: str, program: str) -> bool:
        state = self._lab.state()
        found = state.programs if state is not None else []
        those = [one for one in found if (one.machine, one.name) == (machine, program)]
        return any(one.process is not None and one.process.lives for one in those)

    async def _slow(self, target: str, step: StepTable) -> None:
        """Let a program stand still for a part of each period."""
        until_s = time.monotonic() + step.for_s
        try:
            while time.monotonic() < until_s:
                await self._do(Kill(target, "STOP"))
                await asyncio.sleep(step.still_s)
                await self._do(Kill(target, "CONT"))
                await asyncio.sleep(step.period_s - step.still_s)
        finally:
            await self._do(Kill(target, "CONT"))

    async def _order(self, machine: str, word: str, wait_s: float) -> None:
        """Give an operator's order, as operators do. Raises LabError."""
        self._drained.add(machine)
        waits = ("--wait", f"{wait_s:g}s") if wait_s else ()
        config = self._lab.directory / self._lab.machine(machine).name / "vip.toml"
        headrace = str(Path(sys.executable).with_name("headrace"))
        process = await asyncio.create_subprocess_exec(
            *("ip", "netns", "exec", self._lab.plan.namespace(machine)),
            *(headrace, "vip", word, *waits, "--config", str(config)),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        within_s = wait_s + _COMMAND_S
        try:
            said, _ = await asyncio.wait_for(process.communicate(), within_s)
        except BaseException as error:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
            if not isinstance(error, TimeoutError):
                raise
            raise LabError(f"headrace vip {word} on {machine}: no end in {within_s:g} s") from None
        if process.returncode:
            raise LabError(f"headrace vip {word}: {said.decode(errors='replace').strip()[-500:]}")
        if word == "return":
            self._drained.discard(machine)

    async def _withdraw(self, site: str, for_s: float) -> None:
        """Write maintenance of a site into the description, and have it read by all. Raises
        LabError.
        """
        if site not in {one.name for one in self._lab.plan.config.sites}:
            raise LabError(f"{site} is no site: withdraw one of the lab's")
        text = withdrawal(site, datetime.now(UTC), for_s)
        file = self._lab.directory / DESCRIPTION
        await self._configure(file, lambda before: before + text, back=False)

    async def _configure(self, file: Path, change: Callable[[str], str], back: bool) -> None:
        """Change a configuration file, or take its change back, and have it read again."""
        if back:
            text = self._originals.pop(file, None)
        else:
            before = file.read_text()
            text = change(before)
            if text == before:
                raise LabError(f"{file}: what the drill wants to replace is not there")
            self._originals.setdefault(file, before)
        if text is not None:
            file.write_text(text)
            for key in self._readers(file):
                await self._do(Kill(key, "HUP"))

    def _readers(self, file: Path) -> list[str]:
        """Return the programs that read a file."""
        if file != self._lab.directory / DESCRIPTION:
            return [f"{file.parent.name}:{file.stem}"]
        return [one.key for one in programs(self._lab.plan, []) if one.reads_description]

    async def not_ready(self, machines: Sequence[str], *, alive: bool = False) -> list[str]:
        """Return the programs of machines that do not say that they are ready; with `alive`, one
        that drains is as good. Raises LabError.
        """
        wanted = [
            one for one in programs(self._lab.plan, []) if one.machine in machines and one.ready_url
        ]

        def asked(one: Program) -> bool:
            return inside(
                self._lab.plan.namespace(one.machine),
                lambda: answers(
                    # The supervisor lives before any worker does.
                    one.ready_url.replace("/live", "/ready") if alive else one.ready_url,
                    draining=alive,
                ),
            )

        said = await asyncio.gather(*(asyncio.to_thread(asked, one) for one in wanted))
        return [one.key for one, is_ready in zip(wanted, said, strict=True) if not is_ready]
