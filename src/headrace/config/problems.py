"""Problems found in a configuration, as values and as text for people."""

from __future__ import annotations

import enum
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from headrace.config.locate import TomlPath, path_text
from headrace.errors import HeadraceError

Where = Callable[[TomlPath], str]
"""Names the place where a path was written: `edge.toml:12`, or `--listen`."""

MOST_LISTED = 200


class Severity(enum.StrEnum):
    """Whether an edge can run in spite of a problem."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong: at which TOML path, what, and what to do about it.

    `value` is the offending value as text, None where showing it would not help.
    `concerns` are the other paths that took part in the judgement; one without indexes means all
    elements of the arrays on it. `place` is where it stands if
    not in the document itself, such as a line of a file that the document names.
    """

    path: TomlPath
    message: str
    remedy: str
    value: str | None = None
    severity: Severity = Severity.ERROR
    concerns: tuple[TomlPath, ...] = ()
    place: str | None = None

    def text(self, where: Where) -> str:
        """Return two lines: place, path, value and complaint; then the remedy."""
        name = path_text(self.path)
        subject = f"{name} = {self.value}" if self.value is not None else name
        place = self.place or where(self.path)
        complaint = f"{subject}: {self.message}" if subject else self.message
        return f"{place}: {self.severity}: {complaint}\n    {self.remedy}"


class ConfigError(HeadraceError):
    """A configuration that cannot be used. Its text lists every problem, each with its remedy; of
    hundreds only the first, since logs keep it too.
    """

    def __init__(self, problems: Sequence[Problem], where: Where) -> None:
        self.problems = list(problems)
        lines = [problem.text(where) for problem in self.problems[:MOST_LISTED]]
        if len(self.problems) > MOST_LISTED:
            lines.append(f"{len(self.problems) - MOST_LISTED:,} more problems: correct these first")
        super().__init__("\n".join(lines))


def has_errors(problems: Sequence[Problem]) -> bool:
    """Return whether any of them is more than a warning."""
    return any(problem.severity is Severity.ERROR for problem in problems)
