"""A lab as its commands see it: started, asked, told what to do, ended. For scripts too:

lab = open_lab(DEFAULT_ROOT, None)
lab.do(MakeCut("oslo1", silent=True))
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from headrace.lab.errors import LabError
from headrace.lab.namespaces.enter import settle
from headrace.lab.network.build import demolish, left_of
from headrace.lab.network.home import labs, locked, options, remove_home
from headrace.lab.network.keeper import FAILED, READY
from headrace.lab.network.plan import LabPlan, Machine
from headrace.lab.network.requests import MOST_BYTES, Reply, Request
from headrace.lab.network.state import (
    CONTROL_SOCKET,
    LabState,
    kill_keeper,
    read_state,
)
from headrace.lab.network.topology import load_plan

_ANSWER_S = 30.0
_ENDS_S = 60.0
_POLL_S = 0.05
_LONGEST_SOCKET_PATH = 100


class Lab:
    """One that runs, or did. `plan` says what it consists of, and where everything is."""

    def __init__(self, plan: LabPlan) -> None:
        self.plan = plan

    @property
    def directory(self) -> Path:
        """Return where its files are."""
        return self.plan.directory

    def do(self, request: Request) -> Reply:
        """Let the lab's keeper do something, and return what it did. Raises LabError."""
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(_ANSWER_S)
            try:
                connection.connect(str(self.directory / CONTROL_SOCKET))
                connection.sendall(msgspec.json.encode(request) + b"\n")
                with connection.makefile("rb") as file:
                    line = file.readline(MOST_BYTES)
                reply = msgspec.json.decode(line, type=Reply)
            except (OSError, msgspec.MsgspecError):
                name = self.plan.name
                raise LabError(
                    f"nothing keeps the lab {name}: headrace lab up makes it again, and headrace "
                    f"lab down {options(self.directory.parent, name)} removes what is left"
                ) from None
        if reply.error:
            raise LabError(reply.error)
        return reply

    def state(self) -> LabState | None:
        """Return what is kept of it on disk; None if that is nothing. Raises LabError."""
        return read_state(self.directory)

    def machine(self, name: str) -> Machine:
        """Return a machine. Raises LabError."""
        if name not in self.plan.machines:
            raise LabError(
                f"there is no machine {name}: name one of {', '.join(self.plan.machines)}"
            )
        return self.plan.machines[name]

    def execute(self, name: str, command: Sequence[str]) -> None:
        """Become a command in a machine, with the name servers that it has. Raises LabError."""
        if not command:
            raise LabError("say what to run: headrace lab exec MACHINE -- COMMAND")
        machine = self.machine(name)
        resolver = self.directory / machine.name / "resolv.conf"
        settle(self.plan.namespace(machine.name), resolver if resolver.exists() else None)
        # Behind all others: where `headrace` is called by its path, it is found there as well.
        path = os.environ.get("PATH", os.defpath)
        os.environ["PATH"] = os.pathsep.join((path, str(Path(sys.executable).parent)))
        try:
            os.execvp(command[0], list(command))
        except OSError as error:
            raise LabError(f"{command[0]}: {error.strerror}") from None


def open_lab(root: Path, name: str | None) -> Lab:
    """Return a lab by its name, or the only one that there is. Raises LabError."""
    known = labs(root)
    if name is None:
        if len(known) > 1:
            raise LabError(f"several labs run: say which by --name: {', '.join(known)}")
        if not known:
            raise LabError("no lab runs: headrace lab up starts one")
        name = known[0]
    elif name not in known:
        runs = f"there is {', '.join(known)}" if known else "none runs"
        raise LabError(f"no lab {name} runs: {runs}")
    return Lab(load_plan(root / name))


def start_lab(root: Path, name: str, topology: Path, say: Callable[[str], None]) -> Lab:
    """Start a lab, and wait until it is ready. Raises LabError; then nothing of it is left."""
    directory = root / name
    if len(str(directory)) > _LONGEST_SOCKET_PATH - 40:
        raise LabError(f"{directory}: too long for sockets in it: name a shorter --state-dir")
    keeper = subprocess.Popen(
        [
            *(sys.executable, "-m", "headrace.lab.network.keeper"),
            *(str(root), name, str(topology.absolute())),
        ],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    said: list[str] = []
    try:
        assert keeper.stdout is not None  # a pipe, as asked for
        for line in keeper.stdout:
            word = line.rstrip("\n")
            if word == READY:
                return Lab(load_plan(directory))
            said.append(word)
            if not word.startswith(FAILED) and not said[0].startswith(FAILED):
                say(word)
    except BaseException:  # whoever started it was told to end
        keeper.send_signal(signal.SIGTERM)
        keeper.wait(_ENDS_S)
        raise
    keeper.wait()
    failed = [at for at, word in enumerate(said) if word.startswith(FAILED)]
    reason = "\n".join(said[failed[0] :]).removeprefix(FAILED) if failed else "\n".join(said)
    raise LabError(reason or "the process that keeps the lab ended")


def end_lab(root: Path, name: str) -> bool:
    """End a lab, and remove whatever is left of it; return whether there was any. Raises LabError,
    OSError.
    """
    directory = root / name
    state = read_state(directory)
    if state is None and not left_of(name) and not directory.exists():
        return False
    if state is not None and kill_keeper(state, signal.SIGTERM):
        until = time.monotonic() + _ENDS_S
        while state.keeper.lives and time.monotonic() < until:
            time.sleep(_POLL_S)
        if state.keeper.lives:
            kill_keeper(state, signal.SIGKILL)
    with locked(root, name, wait_s=_ENDS_S):
        demolish(name)
        remove_home(directory)
    return True


def end_known_lab(root: Path, name: str) -> None:
    """End a lab as `end_lab` does. Raises LabError when there is none, too; OSError."""
    if not end_lab(root, name):
        raise LabError(f"there is nothing of a lab {name}")
