"""What commands do to a lab that runs: kill, start, cut, heal."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Iterator, Mapping

from headrace.lab.errors import LabError
from headrace.lab.network.build import apply_cuts
from headrace.lab.network.cuts import Cut, make_cut
from headrace.lab.network.plan import LabPlan
from headrace.lab.network.processes import descendants, named, send
from headrace.lab.network.programs import SPEAKER, SPEAKER_COMMAND, VIP
from headrace.lab.network.requests import Ask, Heal, Kill, MakeCut, Request, Start
from headrace.lab.network.runner import Runner


class Operations:
    """What was done to a lab, and how it is done."""

    def __init__(self, plan: LabPlan, runners: Mapping[str, Runner]) -> None:
        self._plan = plan
        self._runners = runners
        self._busy = asyncio.Lock()
        self.cuts: set[Cut] = set()

    async def do(self, request: Request) -> list[str]:
        """Do what is asked for, and return what was done. Raises LabError, OSError."""
        async with self._busy:
            match request:
                case Kill():
                    return self._kill(request.target, signal_of(request.signal))
                case Start():
                    return await self._start(self._targets(request.target))
                case MakeCut():
                    cut = make_cut(self._plan, request.one, request.other, silent=request.silent)
                    return self._cut(cut)
                case Heal():
                    return await self._heal(request.one, request.other)
                case Ask():
                    return []

    def _targets(self, target: str) -> list[Runner]:
        """Return the runners that a target means: NAME, or NAME:PROCESS. Raises LabError."""
        name, _, process = target.partition(":")
        machines = [machine.name for machine in self._plan.group(name)]
        if not machines:
            known = ", ".join(self._plan.names)
            raise LabError(f"{name} is no machine, site or ISP: name one of {known}")
        found = [one for one in self._runners.values() if one.program.machine in machines]
        wanted = [one for one in found if process in ("", one.program.name)]
        if not wanted:
            own = dict.fromkeys(one.program.name for one in found)
            names = ", ".join([*own, *([SPEAKER] if VIP in own else [])])
            has = f"it has {names}" if names else "nothing runs in it"
            raise LabError(f"{name} has no process {process or 'at all'}: {has}")
        return wanted

    def _kill(self, target: str, number: signal.Signals) -> list[str]:
        name, _, process = target.partition(":")
        if process == SPEAKER:
            return list(self._kill_speakers(name, number))
        targets = self._targets(target)
        for runner in targets:
            # Where all of a machine is meant, nothing is spared.
            runner.signal(number, sparing=bool(process))
        return [f"{runner.program.key}: {number.name}" for runner in targets]

    def _kill_speakers(self, name: str, number: signal.Signals) -> Iterator[str]:
        runners = [one for one in self._targets(f"{name}:{VIP}") if one.pid]
        pids = [pid for one in runners for pid in named(descendants(one.pid), SPEAKER_COMMAND)]
        if not pids:
            raise LabError(f"no speaker runs in {name}")
        for pid in pids:
            send(pid, number)
        yield f"{name}:{SPEAKER}: {number.name}"

    async def _start(self, runners: list[Runner]) -> list[str]:
        done = []
        for runner in runners:
            if runner.paused:
                runner.signal(signal.SIGCONT)
                done.append(f"{runner.program.key}: continued")
            elif runner.ending and runner.pid:
                await runner.start()
                done.append(f"{runner.program.key}: starts when it has ended")
            elif not runner.pid:
                await runner.start()
                done.append(f"{runner.program.key}: started")
        return done

    def _cut(self, cut: Cut) -> list[str]:
        for old in [one for one in self.cuts if one.place == cut.place]:
            self._mend(old)
        self.cuts.add(cut)
        apply_cuts(self._plan, self.cuts, cut)
        return [f"cut: {cut}"]

    def _mend(self, cut: Cut) -> list[str]:
        self.cuts.discard(cut)
        apply_cuts(self._plan, self.cuts, cut)
        return [f"healed: {cut}"]

    async def _heal(self, one: str | None, other: str | None) -> list[str]:
        if one is None:
            healed = [line for cut in sorted(self.cuts) for line in self._mend(cut)]
            return healed + await self._start(list(self._runners.values()))
        machine = one.partition(":")[0]
        if other is not None:
            place = make_cut(self._plan, one, other, silent=False).place
            return [
                line for cut in sorted(self.cuts) if cut.place == place for line in self._mend(cut)
            ]
        names = {machine, *(each.name for each in self._plan.group(machine))}
        cuts = [cut for cut in sorted(self.cuts) if names & {cut.one, cut.other}]
        healed = [line for cut in cuts for line in self._mend(cut)] if machine == one else []
        with contextlib.suppress(LabError):  # a machine without programs has a line all the same
            return healed + await self._start(self._targets(one))
        if machine not in self._plan.names:
            known = ", ".join(self._plan.names)
            raise LabError(f"{machine} is no machine, site or ISP: name one of {known}")
        return healed


def signal_of(name: str) -> signal.Signals:
    """Return a signal by its name or number: KILL, SIGKILL, 9. Raises LabError."""
    word = name.upper().removeprefix("SIG")
    with contextlib.suppress(KeyError, ValueError):
        return signal.Signals(int(word)) if word.isdecimal() else signal.Signals[f"SIG{word}"]
    raise LabError(f"{name} is no signal: write KILL, TERM, STOP or CONT")
