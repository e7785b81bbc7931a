"""What is kept of a lab that runs, for its commands and for whoever cleans up after it."""

from __future__ import annotations

import contextlib
import os
import signal
from pathlib import Path

import msgspec

from headrace.lab.errors import LabError
from headrace.lab.network.cuts import Cut

STATE_FILE = "state.json"
CONTROL_SOCKET = "control"
TOPOLOGY_FILE = "lab.toml"
_VERSION = 1
_MOST_BYTES = 4 * 1024 * 1024


class ProcessId(msgspec.Struct, frozen=True):
    """A process: its number, and when it started, in the kernel's ticks since its own start. Both
    together are never another process's.
    """

    pid: int
    start: int

    @property
    def lives(self) -> bool:
        """Return whether it is still there."""
        return self.pid > 0 and start_of(self.pid) == self.start


class ProgramState(msgspec.Struct, frozen=True):
    """A program of the lab. `wanted`: it is to run; `paused`: it was stopped by SIGSTOP."""

    machine: str
    name: str
    process: ProcessId | None
    wanted: bool = True
    paused: bool = False
    restarts: int = 0


class LabState(msgspec.Struct, frozen=True):
    """The lab. `boot` is the start of the machine that its processes are of."""

    name: str
    keeper: ProcessId
    boot: str
    ready: bool = False
    programs: list[ProgramState] = []
    cuts: list[Cut] = []
    version: int = _VERSION


def start_of(pid: int) -> int | None:
    """Return when a process started; None if there is none."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    fields = text.rpartition(")")[2].split()
    return None if fields[0] == "Z" else int(fields[19])


def process_id(pid: int) -> ProcessId | None:
    """Return a process by its number; None if there is none."""
    start = start_of(pid)
    return None if start is None else ProcessId(pid, start)


def boot_id() -> str:
    """Return what tells this start of the machine from every other."""
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def write_state(directory: Path, state: LabState) -> None:
    """Write it, whole or not at all. Raises OSError."""
    new = directory / f"{STATE_FILE}.new"
    new.write_bytes(msgspec.json.format(msgspec.json.encode(state)))
    new.replace(directory / STATE_FILE)


def read_state(directory: Path) -> LabState | None:
    """Return what is kept there; None if that is nothing. Raises LabError."""
    path = directory / STATE_FILE
    with contextlib.suppress(FileNotFoundError):
        if path.stat().st_size > _MOST_BYTES:
            raise LabError(f"{path} is no state of a lab: remove the directory")
        try:
            state = msgspec.json.decode(path.read_bytes(), type=LabState)
        except msgspec.MsgspecError as error:
            raise LabError(f"{path}: {error}: remove the directory") from None
        if state.version != _VERSION:
            raise LabError(f"{path} is of another version of Headrace: use that for it")
        return state
    return None


def kill_keeper(state: LabState, number: int) -> bool:
    """Send a signal to the process that keeps the lab, if it is still that one; return whether."""
    if state.boot != boot_id():
        return False
    try:
        handle = os.pidfd_open(state.keeper.pid)
    except OSError:
        return False
    try:
        # Checked after the handle is there: it stays with the process that was checked.
        if not state.keeper.lives:
            return False
        signal.pidfd_send_signal(handle, number)
    except ProcessLookupError:
        return False
    finally:
        os.close(handle)
    return True
