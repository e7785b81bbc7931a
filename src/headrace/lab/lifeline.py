"""Programs that end with their parent, however it ended. Linux only."""

from __future__ import annotations

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1


def end_with_parent(parent: int) -> None:
    """Ask the kernel for SIGTERM when `parent`, which started this process, is gone.

    The wish outlives exec. Ends this process at once if the parent is gone already.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_PDEATHSIG, int(signal.SIGTERM), 0, 0, 0) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"prctl: {os.strerror(number)}")
    if os.getppid() != parent:
        sys.exit(1)


def main() -> None:
    """Become the command of `python -m headrace.lab.lifeline PARENT COMMAND…`, tied to PARENT."""
    parent, *command = sys.argv[1:]
    end_with_parent(int(parent))
    os.execv(command[0], command)


if __name__ == "__main__":
    main()
