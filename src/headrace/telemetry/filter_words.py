"""A filter expression cut into words, and patterns of text. Pure; what words mean is `filter`'s.

A pattern is not a regular expression, on purpose: with `*` and `?` alone no pattern can make a
match take more than (length of the pattern) x (length of the text) steps, so that an operator's
slip cannot hold a worker up. What only a regular expression could mean is refused, not guessed.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from headrace.errors import HeadraceError

LONGEST_FILTER = 1024
LONGEST_PATTERN = 256

WordKind = Literal["name", "text", "number", "operator", "open", "close", "comma", "end"]

_WORDS = re.compile(
    r"""(?P<name>[A-Za-z_][A-Za-z0-9_]*)
      | (?P<number>-?[0-9]+(?:\.[0-9]+)?)(?![A-Za-z0-9_.])
      | (?P<operator>==|!=|<=|>=|<|>|!~|~)
      | (?P<open>\()
      | (?P<close>\))
      | (?P<comma>,)""",
    re.VERBOSE,
)
_HINTS = {
    "=": "write == to compare",
    "&": "write `and`",
    "|": "write `or`",
    "!": "write `not`, or != between a field and a value",
    "/": 'a text is put in quotes: "/path"',
}
_ONLY_IN_REGULAR_EXPRESSIONS = "()[]{}|+"


class FilterError(HeadraceError):
    """A filter that cannot be read. `position` counts characters from 1."""

    def __init__(self, position: int, problem: str) -> None:
        super().__init__(f"at character {position}: {problem}")
        self.position = position
        self.problem = problem


@dataclass(frozen=True, slots=True)
class Word:
    """One word of a filter: `value` is a text without its quotes. `position` counts from 1."""

    kind: WordKind
    value: str
    position: int


def words_of(text: str) -> list[Word]:
    """Return all words of a filter, the last of kind "end". Raises FilterError."""
    if len(text) > LONGEST_FILTER:
        raise FilterError(LONGEST_FILTER + 1, f"a filter has at most {LONGEST_FILTER} characters")
    found: list[Word] = []
    at = 0
    while at < len(text):
        if text[at].isspace():
            at += 1
            continue
        if text[at] in "\"'":
            value, end = _quoted(text, at)
            found.append(Word("text", value, at + 1))
            at = end
            continue
        match = _WORDS.match(text, at)
        if match is None or match.lastgroup is None:
            hint = _HINTS.get(text[at], "this fits nowhere in a filter")
            if text[at].isdigit():
                hint = "a number is digits alone, without a unit"
            raise FilterError(at + 1, f"unexpected {text[at]!r}: {hint}")
        kind: WordKind = match.lastgroup  # type: ignore[assignment]
        found.append(Word(kind, match.group(), at + 1))
        at = match.end()
    found.append(Word("end", "", len(text) + 1))
    return found


def _quoted(text: str, start: int) -> tuple[str, int]:
    """Return the text whose opening quote is at `start`, and where it ends.

    A backslash goes before a quote or a backslash; before anything else it stands for itself, so
    that a pattern may use its own.
    """
    quote, at, value = text[start], start + 1, ""
    while at < len(text):
        if text[at] == quote:
            return value, at + 1
        if text[at] == "\\" and text[at + 1 : at + 2] == quote:
            at += 1
        value += text[at]
        at += 1
    raise FilterError(start + 1, f"this text has no end: close it with {quote}")


def pattern(text: str, position: int) -> Callable[[str], bool]:
    """Return what decides whether a text has this pattern somewhere in it. Raises FilterError.

    `*` is any run of characters, `?` any one, `^` at the beginning and `$` at the end hold the
    pattern to the text's ends, a backslash takes the next character as it is.
    """
    if len(text) > LONGEST_PATTERN:
        raise FilterError(position, f"a pattern has at most {LONGEST_PATTERN} characters")
    begins, ends, pieces = _pieces(text, position)
    # Every piece has a fixed length and no repetition: a search for it cannot backtrack.
    searches = [re.compile(piece, re.DOTALL) for piece in pieces]
    first = searches[0] if begins else None
    middle = searches[1 if begins else 0 : -1 if ends else None]
    last = re.compile(f"(?:{pieces[-1]})\\Z", re.DOTALL) if ends else None
    if begins and ends and len(pieces) == 1:
        whole = searches[0]
        return lambda value: whole.fullmatch(value) is not None
    last_length = _length(pieces[-1])

    def found(value: str) -> bool:
        at = 0
        if first is not None:
            match = first.match(value)
            if match is None:
                return False
            at = match.end()
        for search in middle:
            match = search.search(value, at)
            if match is None:
                return False
            at = match.end()
        if last is None:
            return True
        return len(value) - last_length >= at and (
            last.match(value, len(value) - last_length) is not None
        )

    return found


def _pieces(text: str, position: int) -> tuple[bool, bool, list[str]]:
    """Return whether the pattern is held to the beginning and the end, and what is between its
    stars, as regular expressions of fixed length.
    """
    begins = text.startswith("^")
    pieces, ends, at = [""], False, 1 if begins else 0
    while at < len(text):
        character = text[at]
        if character == "\\":
            if at + 1 == len(text):
                raise FilterError(position, "the pattern ends with a lone backslash")
            at += 1
            pieces[-1] += re.escape(text[at])
        elif character == "*":
            if at and text[at - 1] == "." and (at < 2 or text[at - 2] != "\\"):
                raise FilterError(position, _not_regular(".*", "any run is * alone"))
            pieces.append("")
        elif character == "?":
            pieces[-1] += "."
        elif character == "$" and at + 1 == len(text):
            ends = True
        elif character in _ONLY_IN_REGULAR_EXPRESSIONS:
            raise FilterError(
                position, _not_regular(character, f"write \\{character} for the character itself")
            )
        else:
            pieces[-1] += re.escape(character)
        at += 1
    return begins, ends, pieces


def _not_regular(what: str, remedy: str) -> str:
    return f"{what} in a pattern, which is no regular expression: {remedy}"


def _length(piece: str) -> int:
    return len(re.sub(r"\\(.)", r"\1", piece, flags=re.DOTALL))
