"""What the commands of a lab ask of the process that keeps it: one JSON line each, and one back."""

from __future__ import annotations

import msgspec

from headrace.lab.network.state import LabState

MOST_BYTES = 1024 * 1024


class Kill(msgspec.Struct, frozen=True, tag="kill"):
    """Send a signal to a machine's programs, or to one of them."""

    target: str
    signal: str = "KILL"


class Start(msgspec.Struct, frozen=True, tag="start"):
    """Start programs that are down, and let those run that were stopped."""

    target: str


class MakeCut(msgspec.Struct, frozen=True, tag="cut"):
    """Cut a line, or between two."""

    one: str
    other: str | None = None
    silent: bool = False


class Heal(msgspec.Struct, frozen=True, tag="heal"):
    """Take back what was cut, and start what was killed: of one, between two, or all of it."""

    one: str | None = None
    other: str | None = None


class Ask(msgspec.Struct, frozen=True, tag="state"):
    """Return the state."""


Request = Kill | Start | MakeCut | Heal | Ask


class Reply(msgspec.Struct, frozen=True):
    """What was done, line by line; or why nothing was."""

    done: list[str] = []
    error: str = ""
    state: LabState | None = None
