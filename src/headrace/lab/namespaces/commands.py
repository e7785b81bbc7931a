"""Commands that must succeed."""

from __future__ import annotations

import subprocess

from headrace.lab.errors import LabError

COMMAND_S = 20.0
_SHOWN_LETTERS = 500


def run(*command: str, text: str | None = None) -> str:
    """Run a command with `text` as its input, and return what it writes. Raises LabError."""
    try:
        done = subprocess.run(
            command, input=text, capture_output=True, text=True, check=False, timeout=COMMAND_S
        )
    except FileNotFoundError:
        raise LabError(f"{command[0]} is not installed") from None
    except subprocess.TimeoutExpired:
        raise LabError(f"{' '.join(command)}: no end after {COMMAND_S:g} s") from None
    if done.returncode:
        said = (done.stderr or done.stdout).strip()[-_SHOWN_LETTERS:]
        raise LabError(f"{' '.join(command)}: {said}")
    return done.stdout
