"""The process that keeps a lab: it builds it, runs its programs, does what commands ask of it, and
removes everything at its end. `python -m headrace.lab.network.keeper ROOT NAME TOPOLOGY`.

However it ends, its programs end with it, by the kernel's doing. What then is left, the next `up`
or `down` of that name removes.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import shutil
import signal
import sys
import time
from pathlib import Path

import msgspec

from headrace.errors import HeadraceError
from headrace.lab.network.bird import bird_conf
from headrace.lab.network.build import build, demolish, relayed
from headrace.lab.network.certificates import write_certificates
from headrace.lab.network.configuration import files, observers_secret_file, secret_file, token_file
from headrace.lab.network.home import locked, make_home, remove_home
from headrace.lab.network.operations import Operations
from headrace.lab.network.plan import LabPlan
from headrace.lab.network.programs import programs
from headrace.lab.network.requests import MOST_BYTES, Reply, Request
from headrace.lab.network.routes import ask_routers, goes, settled
from headrace.lab.network.runner import Runner
from headrace.lab.network.state import (
    CONTROL_SOCKET,
    TOPOLOGY_FILE,
    LabState,
    ProcessId,
    boot_id,
    process_id,
    write_state,
)
from headrace.lab.network.topology import load_plan

READY = "ready"
FAILED = "failed: "
LATE = "not as it should be: "
ROUTES_WITHIN_S = 60.0
_ROUTES_POLL_S = 0.2
_MOST_NAMED = 6
_TRIM_S = 5.0


class Keeper:
    """A lab that runs."""

    def __init__(self, plan: LabPlan) -> None:
        self.plan = plan
        self.ready = False
        me = process_id(os.getpid())
        self._me = me if me is not None else ProcessId(os.getpid(), 0)
        self.runners = {
            program.key: Runner(
                program,
                plan.namespace(program.machine),
                self._log(program.machine, program.name),
                self.save,
            )
            for program in programs(plan, relayed(plan))
        }
        self.operations = Operations(plan, self.runners)

    def _log(self, machine: str, name: str) -> Path:
        home = self.plan.directory / machine
        home.mkdir(exist_ok=True)
        return home / f"{name}.log"

    @property
    def state(self) -> LabState:
        """Return what is kept of it."""
        return LabState(
            self.plan.name,
            self._me,
            boot_id(),
            self.ready,
            [runner.state for runner in self.runners.values()],
            sorted(self.operations.cuts),
        )

    def save(self) -> None:
        """Write the state to its file. On a disk that is full it stays as it was: whoever asks the
        keeper is told what is true.
        """
        with contextlib.suppress(OSError):
            write_state(self.plan.directory, self.state)

    async def run(self) -> None:
        """Start everything, report it, and keep it until a signal. Raises LabError."""
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            loop.add_signal_handler(number, stop.set)
        server = await asyncio.start_unix_server(
            self._serve, self.plan.directory / CONTROL_SOCKET, limit=MOST_BYTES
        )
        life = asyncio.create_task(self._live())
        stopped = asyncio.create_task(stop.wait())
        try:
            await asyncio.wait({life, stopped}, return_when=asyncio.FIRST_COMPLETED)
            if life.done():
                await life
        finally:
            server.close()
            for task in (life, stopped):
                task.cancel()
            await asyncio.gather(life, stopped, return_exceptions=True)
            await asyncio.gather(*(runner.end() for runner in self.runners.values()))

    async def _live(self) -> None:
        runners = list(self.runners.values())
        for stage in sorted({runner.program.stage for runner in runners}):
            own = [runner for runner in runners if runner.program.stage == stage]
            say(f"starting {', '.join(dict.fromkeys(one.program.name for one in own))} …")
            for runner in own:
                await runner.start()
            await asyncio.gather(*(runner.until_ready() for runner in own))
        say("waiting for routes …")
        await self._until_routed()
        self.ready = True
        self.save()
        say(READY)
        with contextlib.suppress(OSError):  # whoever started this has gone: nobody else listens
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        while True:
            await asyncio.sleep(_TRIM_S)
            for runner in runners:
                runner.trim_log()

    async def _until_routed(self) -> None:
        """Wait until every VIP is where it is to be. A lab in which that does not come about runs
        all the same: it shows why.
        """
        until_s = time.monotonic() + ROUTES_WITHIN_S
        while True:
            routers = await asyncio.to_thread(ask_routers, self.plan)
            if settled(self.plan, routers):
                return
            if time.monotonic() > until_s:
                late = [one for one in goes(self.plan, routers) if one.via != one.owner]
                names = ", ".join(one.vip for one in late[:_MOST_NAMED])
                more = f" and {len(late) - _MOST_NAMED} more" if len(late) > _MOST_NAMED else ""
                what = f"with its owner: {names}{more}" if late else "announced by all neighbours"
                say(f"{LATE}not every VIP is {what} ({ROUTES_WITHIN_S:g} s)")
                return
            await asyncio.sleep(_ROUTES_POLL_S)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            line = await asyncio.wait_for(reader.readline(), 5.0)
            reply = await self._answer(line)
            writer.write(msgspec.json.encode(reply) + b"\n")
            await asyncio.wait_for(writer.drain(), 5.0)
        except (OSError, ValueError, TimeoutError):
            pass  # it does not wait for an answer
        finally:
            writer.close()

    async def _answer(self, line: bytes) -> Reply:
        try:
            request = msgspec.json.decode(line, type=Request)
            done = await self.operations.do(request)
        except (HeadraceError, msgspec.MsgspecError, OSError) as error:
            return Reply(error=str(error) or repr(error), state=self.state)
        self.save()
        return Reply(done, state=self.state)


def write_files(plan: LabPlan) -> None:
    """Write everything that the programs read. Raises OSError."""
    for secret in (secret_file(plan), observers_secret_file(plan), token_file(plan)):
        secret.touch(mode=0o600)
        secret.write_text(secrets.token_hex(32) + "\n")
    if plan.config.tls:
        write_certificates(plan)
    for path, text in files(plan):
        target = plan.directory / path
        target.parent.mkdir(exist_ok=True)
        target.write_text(text)
    for isp in plan.config.isps:
        home = plan.directory / isp.name
        home.mkdir(exist_ok=True)
        (home / "bird.conf").write_text(bird_conf(plan, isp))


def say(line: str) -> None:
    """Report to whoever started this."""
    with contextlib.suppress(OSError):
        print(line, flush=True)


class _Stopped(Exception):
    """A signal came while the lab was built."""


def _stop(_number: int, _frame: object) -> None:
    raise _Stopped


def keep(root: Path, name: str, topology: Path) -> None:
    """Keep a lab until a signal. Raises LabError, OSError."""
    with locked(root, name):
        directory = root / name
        try:
            demolish(name)
            make_home(directory)
            shutil.copyfile(topology, directory / TOPOLOGY_FILE)
            plan = load_plan(directory)
            write_files(plan)
            say(f"building {len(plan.machines)} namespaces …")
            build(plan)
            asyncio.run(Keeper(plan).run())
        finally:
            for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
                signal.signal(number, signal.SIG_IGN)
            demolish(name)
            remove_home(directory)


def main() -> None:
    """Keep a lab; report on standard output what happens until it is ready, or why it cannot be."""
    root, name, topology = sys.argv[1:]
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, _stop)
    try:
        keep(Path(root), name, Path(topology))
    except _Stopped:
        say(f"{FAILED}it was stopped")
    except (HeadraceError, OSError) as error:
        say(f"{FAILED}{error}")
        sys.exit(1)


if __name__ == "__main__":
    main()
