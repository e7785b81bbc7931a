"""Programs that a bench starts, and that are not to outlive it."""

from __future__ import annotations

from collections.abc import Iterable


def tied(command: Iterable[str]) -> list[str]:
    """Return a command that the system ends when this process is gone, however it ended. Its number
    is that of the program.
    """
    return ["setpriv", "--pdeathsig", "TERM", *command]
