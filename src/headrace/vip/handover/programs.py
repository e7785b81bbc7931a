"""Runs the programs that change the kernel's network: `ip`, `bridge` and `nft`."""

from __future__ import annotations

import shutil

from headrace.errors import HeadraceError
from headrace.vip.addresses.ip_program import PATH
from headrace.vip.children import run_child

WITHIN_S = 5.0
PACKAGES = {"ip": "iproute2", "bridge": "iproute2", "ss": "iproute2", "nft": "nftables"}
_SHOWN = 200
_NEEDS = "VXLAN or nftables' dup, socket, fib and jhash"


class ProgramError(HeadraceError):
    """A program is missing, or could not do what it was told."""


class ProgramUnclearError(ProgramError):
    """One did not end in order, or was not even started: what it was to do may be done or not, and
    what it was to read is not known.
    """


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
        ended = await run_child(path, *words, within_s=WITHIN_S, text=lines)
    except TimeoutError:
        raise ProgramUnclearError(
            f"{program} did not end within {WITHIN_S:.0f} s: see by hand what holds it, or whether "
            "the machine is too busy; it is tried again and again"
        ) from None
    except OSError as error:
        raise ProgramUnclearError(f"{program} cannot be started: {error.strerror}") from error
    if ended.code < 0:
        raise ProgramUnclearError(
            f"{program} was ended by signal {-ended.code}: see whether the machine lacks memory; "
            "it is tried again and again"
        )
    if ended.code:
        raise ProgramError(_told(program, ended.errors.decode(errors="replace"), ended.code, needs))
    return ended.output


def _told(program: str, errors: str, code: int, needs: str) -> str:
    lines = [line for line in errors.splitlines() if line.strip()]
    shown = f"{program}: {(lines[0] if lines else f'exit code {code}')[:_SHOWN]}"
    if "not permitted" in shown:
        shown += "; this process needs CAP_NET_ADMIN, or set handover.enabled = false"
    elif "not supported" in shown or "No such file" in shown or "Unknown device type" in shown:
        shown += f"; this kernel may lack {needs}"
    return shown
