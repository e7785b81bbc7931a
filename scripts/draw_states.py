"""Draw the states of servers from their table: `python scripts/draw_states.py`.

Writes `docs/images/states.svg`. Each state is a box with what it means and the signals that lead
out of it; what operators want leads from every state to the same one, and is left out. With
`--check` nothing is written, and a picture out of date is an error.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass
from pathlib import Path

from headrace.feedback.states.meanings import STATES
from headrace.feedback.states.model import State
from headrace.feedback.states.table import TABLE, Signal

ROOT = Path(__file__).resolve().parent.parent
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))
IMAGE = ROOT / "docs" / "images" / "states.svg"
OF_OPERATORS = {Signal.WITHDRAW, Signal.DRAIN, Signal.PIN}
ORDER = (
    State.WITHDRAWN,
    State.DRAINING,
    State.RECOVERING,
    State.ONLINE,
    State.FULL,
    State.SUSPECT,
    State.FAILED,
)


@dataclass(frozen=True)
class Row:
    """A state as a row of the picture."""

    step: State
    does: str
    where: str
    next: tuple[State, ...]


def rows() -> list[Row]:
    """Return the states, each with what follows from it by observation."""
    return [_row(state) for state in ORDER]


def _row(state: State) -> Row:
    leads: dict[State, list[str]] = {}
    for signal in Signal:
        after = TABLE[state, signal]
        if signal not in OF_OPERATORS and after is not state:
            leads.setdefault(after, []).append(signal.value)
    most = max(leads, key=lambda after: len(leads[after]))
    if len(leads[most]) > 3:
        leads[most] = ["else"]
    ways = sorted(leads.items(), key=lambda way: way[1] == ["else"])
    text = ", ".join(f"{' '.join(signals)}→{after}" for after, signals in ways)
    return Row(state, STATES[state], text, tuple(leads))


def main() -> int:
    """Write the picture, or say that it is out of date."""
    line = argparse.ArgumentParser(description=__doc__)
    line.add_argument("--check", action="store_true", help="write nothing")
    asked = line.parse_args()
    from scripts.draw_steps import draw

    text = draw(rows(), "The states of a server, and which may follow which")
    if not asked.check:
        IMAGE.write_text(text)
    elif not IMAGE.exists() or IMAGE.read_text() != text:
        print(f"{IMAGE.relative_to(ROOT)} is out of date: run make pictures")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
