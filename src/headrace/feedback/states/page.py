"""The tables of the page about states, written from the program's own: run
`python -m headrace.feedback.states.page`.

Each table stands between `<!-- NAME -->` and `<!-- end -->`. A test compares them with the page, so
that it cannot fall behind.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from headrace.feedback.states.meanings import ALARMS, REASONS, REMEDIES, STATES
from headrace.feedback.states.model import State
from headrace.feedback.states.table import TABLE, Signal

PAGE = Path("docs/feedback/states.md")
_END = "<!-- end -->"


def filled(text: str) -> str:
    """Return a page with its tables as they are now."""
    for name, table in _tables().items():
        begin = f"<!-- {name} -->"
        before, _, rest = text.partition(begin)
        if rest:
            text = f"{before}{begin}\n{table}\n{_END}{rest.partition(_END)[2]}"
    return text


def _tables() -> Mapping[str, str]:
    return {
        "states": _rows(("state", ""), ((f"`{one}`", STATES[one]) for one in State)),
        "transitions": _rows(
            ("", *(f"`{signal}`" for signal in Signal)),
            ((f"`{state}`", *(_after(state, signal) for signal in Signal)) for state in State),
        ),
        "reasons": _rows(("reason", ""), ((f"`{one}`", text) for one, text in REASONS.items())),
        "alarms": _rows(
            ("alarm", "", "what to do"),
            ((f"`{one}`", text, REMEDIES[one]) for one, text in ALARMS.items()),
        ),
    }


def _after(state: State, signal: Signal) -> str:
    after = TABLE[state, signal]
    return "·" if after is state else after.value


def _rows(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


if __name__ == "__main__":
    PAGE.write_text(filled(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
