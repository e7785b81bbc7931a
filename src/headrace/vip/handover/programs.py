"""Runs the programs that change the kernel's network: `ip`, `bridge` and `nft`."""

from __future__ import annotations

import asyncio
import os
import shutil

from headrace.errors import HeadraceError
from headrace.vip.addresses.ip_program import PATH

WITHIN_S = 5.0
PACKAGES = {"ip": "iproute2", "bridge": "iproute2", "ss": "iproute2", "nft": "nftables"}
_SHOWN = 200
_NEEDS = "VXLAN or nftables' dup, socket, fib and jhash"


class ProgramError(HeadraceError):
    """A program is missing, or could not do what it was told."""


class ProgramSlowError(ProgramError):
    """One did not end in time: what it was to do may be done or not."""


async def run(program: str, *words: str, lines: str | None = None, needs: str = _NEEDS) -> bytes:
    """Run one with `lines` as its input; return what it printed. `needs` is what the kernel may
    lack if it refuses. Raises ProgramError.
    """
    path = shutil.which(program, path=PATH)
    if path is None:
        raise ProgramError(
            f"there is no program {program}: install the package {PACKAGES[program]}"
        )
    try:
        child = await asyncio.create_subprocess_exec(
            *(path, *words),
            stdin=asyncio.subprocess.DEVNULL if lines is None else asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env={"PATH": os.defpath, "LC_ALL": "C"},
        )
    except OSError as error:
        raise ProgramError(f"{program} cannot be started: {error.strerror}") from error
    try:
        async with asyncio.timeout(WITHIN_S):
            output, errors = await child.communicate(None if lines is None else lines.encode())
    except (TimeoutError, asyncio.CancelledError) as error:
        child.kill()
        await child.wait()
        if isinstance(error, asyncio.CancelledError):
            raise
        raise ProgramSlowError(
            f"{program} did not end within {WITHIN_S:.0f} s: see by hand what holds it, or whether "
            "the machine is too busy; it is tried again and again"
        ) from None
    if child.returncode:
        raise ProgramError(_told(program, errors.decode(errors="replace"), child.returncode, needs))
    return output


def _told(program: str, errors: str, code: int, needs: str) -> str:
    lines = [line for line in errors.splitlines() if line.strip()]
    shown = f"{program}: {(lines[0] if lines else f'exit code {code}')[:_SHOWN]}"
    if "not permitted" in shown:
        shown += "; this process needs CAP_NET_ADMIN, or set handover.enabled = false"
    elif "not supported" in shown or "No such file" in shown or "Unknown device type" in shown:
        shown += f"; this kernel may lack {needs}"
    return shown
