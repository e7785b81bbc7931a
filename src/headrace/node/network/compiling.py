"""Has a description compiled by a child process, and holds what it made."""

from __future__ import annotations

import asyncio
import fcntl
import os
import sys
from dataclasses import dataclass
from pathlib import Path

import msgspec

from headrace.errors import HeadraceError
from headrace.node.network.mapped import mapped
from headrace.node.network.outcome import LAST_GOOD, Outcome
from headrace.topology.snapshot import NetworkSnapshot

TIMEOUT_S = 300.0
_OUTCOME_BYTES = 16 * 1024 * 1024
_COMMAND = (sys.executable, "-m", "headrace.node.network.compile")
_SEALS = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE | fcntl.F_SEAL_SEAL


class CompileError(HeadraceError):
    """The child process ended without an answer."""


class SealedFile:
    """A snapshot in memory that nobody can change any more; closed with its last user."""

    def __init__(self) -> None:
        self.descriptor = os.memfd_create("network", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)

    def seal(self) -> None:
        """Let nobody change it."""
        fcntl.fcntl(self.descriptor, fcntl.F_ADD_SEALS, _SEALS)

    def __del__(self) -> None:
        os.close(self.descriptor)


@dataclass(frozen=True, slots=True)
class Compiled:
    """What came of it: `file` and `network` are None where there is a `problem`.

    `network` is without its prefixes. For `files` and `torn` see `Outcome`.
    """

    outcome: Outcome
    file: SealedFile | None = None
    network: NetworkSnapshot | None = None


async def compiled(path: Path, *, last_good: bool = False) -> Compiled:
    """Return what comes of a description, or of one that was kept. Raises HeadraceError, OSError.

    It takes what it takes: a few seconds for a million prefixes.
    """
    file = SealedFile()
    options = [LAST_GOOD] if last_good else []
    process = await asyncio.create_subprocess_exec(
        *_COMMAND,
        *options,
        str(path),
        str(file.descriptor),
        pass_fds=[file.descriptor],
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        limit=_OUTCOME_BYTES,
        start_new_session=True,
    )
    try:
        async with asyncio.timeout(TIMEOUT_S):
            assert process.stdout is not None
            said = await process.stdout.read()
            code = await process.wait()
    except TimeoutError:
        raise CompileError(f"{path} was not compiled within {TIMEOUT_S:.0f} s") from None
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    try:
        outcome = msgspec.json.decode(said, type=Outcome)
    except msgspec.DecodeError:
        raise CompileError(f"{path} was not compiled: the process ended with {code}") from None
    if outcome.problem:
        return Compiled(outcome)
    file.seal()
    return Compiled(outcome, file, mapped(file.descriptor))
