"""Which regular expressions may be matched against what clients send.

Python's `re` tries alternatives one after the other: a careless pattern keeps it busy for minutes
on a path of some hundred bytes. A pattern is accepted when no text makes it try more than a
bounded number of ways per character, which follows from its form:

- Only single characters and classes of them are repeated without a bound, never groups.
- After a repetition that may end at several places (because what follows it may also be what it
  repeats), every further one stands right after a character that it cannot repeat itself. So it
  begins only where that character is, and two attempts never walk over the same text.

Then each place of the pattern meets each place of the text at most once for each choice among
alternatives and bounded repetitions; the number of those choices is bounded too. Pure.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from re import _constants as words  # type: ignore[attr-defined]  # private, but the very parser
from re import _parser as parser  # type: ignore[attr-defined]
from typing import Any

MOST_CHOICES = 64
_MOST_STEPS = 2000
_FEW = 16
_ALL = (1 << 256) - 1
_CATEGORIES = {
    words.CATEGORY_DIGIT: r"\d",
    words.CATEGORY_NOT_DIGIT: r"\D",
    words.CATEGORY_SPACE: r"\s",
    words.CATEGORY_NOT_SPACE: r"\S",
    words.CATEGORY_WORD: r"\w",
    words.CATEGORY_NOT_WORD: r"\W",
}
_ANCHORS = (words.AT_BEGINNING, words.AT_BEGINNING_STRING, words.AT_END, words.AT_END_STRING)
_NEVER = {
    words.GROUPREF: "refers back to a group",
    words.GROUPREF_EXISTS: "asks whether a group has matched",
    words.ASSERT: "looks ahead or behind",
    words.ASSERT_NOT: "looks ahead or behind",
    words.ATOMIC_GROUP: "has an atomic group",
}
_Item = tuple[Any, Any]


def check_pattern(pattern: str) -> re.Pattern[str]:
    """Return a pattern, compiled for texts in which each character is a byte, if no text can keep
    it busy.

    Raises ValueError, with the remedy, otherwise.
    """
    if not pattern.isascii():
        raise ValueError("a pattern is ASCII: write other characters as %XX, as URLs have them")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", FutureWarning)  # of what later Pythons read otherwise
            compiled = re.compile(pattern, re.ASCII)
            parsed = parser.parse(pattern, re.ASCII)
    except (re.error, OverflowError, RecursionError, FutureWarning) as error:
        raise ValueError(f"not a regular expression ({error}): correct it") from None
    if compiled.flags != re.ASCII:
        raise ValueError("flags such as (?i) are not known here: write [Aa] for both cases")
    Walk().sequence(list(parsed), ())
    return compiled


@dataclass(slots=True)
class Walk:
    """What is known at a place of the pattern, walking from its start.

    `is_open`: whether it can be reached at several places of the text. `before`: the characters
    that may stand right before it in the text (None: perhaps none). `choices`: how many ways to
    the end there are at most, repetitions without a bound left aside. `steps`: the places seen.
    """

    is_open: bool = False
    before: int | None = None
    choices: int = 1
    steps: int = 0

    def sequence(self, items: Sequence[_Item], after: Sequence[_Item]) -> None:
        """Walk along items that stand one after the other; `after` is what follows them.

        Raises ValueError, with the remedy, where they may keep a server busy.
        """
        for at, (kind, details) in enumerate(items):
            self._item(kind, details, [*items[at + 1 :], *after])

    def _item(self, kind: Any, details: Any, after: Sequence[_Item]) -> None:
        self.steps += 1
        if self.steps > _MOST_STEPS:
            raise ValueError(
                "it is too long once its repeated groups are written out: make it shorter"
            )
        if kind in _NEVER:
            raise ValueError(
                f"a pattern that {_NEVER[kind]} can keep a server busy: write it with classes "
                "such as [^/]+"
            )
        if kind in _REPEATS:
            self._repeat(kind, details, after)
        elif kind is words.SUBPATTERN:
            if details[1] or details[2]:
                raise ValueError("flags such as (?i:…) are not known here: write [Aa]")
            self.sequence(list(details[3]), after)
        elif kind is words.BRANCH:
            self._branches([list(branch) for branch in details[1]], after)
        elif kind is words.AT:
            if details not in _ANCHORS:
                raise ValueError("\\b and \\B are not known here: write the character itself")
        else:
            self.before = characters_of(kind, details)

    def _branches(self, branches: Sequence[Sequence[_Item]], after: Sequence[_Item]) -> None:
        is_open, before = self.is_open, 0
        perhaps_none = False
        self._choose(len(branches))
        started, ended_open = self.before, False
        for branch in branches:
            self.is_open, self.before = is_open, started
            self.sequence(branch, after)
            ended_open |= self.is_open
            perhaps_none |= self.before is None
            before |= self.before or 0
        self.is_open, self.before = ended_open, None if perhaps_none else before

    def _repeat(self, kind: Any, details: Any, after: Sequence[_Item]) -> None:
        least, most, repeated = details
        body = list(repeated)
        characters = _one_character(body)
        if characters is not None and most > 1 and least != most:
            self._run(characters, least, most, after, possessive=kind is words.POSSESSIVE_REPEAT)
            return
        if most > _FEW and characters is None:
            raise ValueError(
                "a group is repeated without a bound, which can keep a server busy: repeat a class "
                f"instead, such as [^/]+, or write a bound up to {{0,{_FEW}}}"
            )
        if characters is not None:  # exactly so many, or perhaps one
            self._choose(most - least + 1)
            self.before = characters if least else _either(self.before, characters)
            return
        for number in range(int(most)):
            before = self.before
            if number >= least:
                self._choose(2)
            left = [(kind, (max(least - number - 1, 0), most - number - 1, repeated)), *after]
            self.sequence(body, left if number + 1 < most else after)
            if number >= least:
                self.before = _either(before, self.before)

    def _run(
        self, characters: int, least: int, most: Any, after: Sequence[_Item], *, possessive: bool
    ) -> None:
        """Take the repetition of one class of characters."""
        delimited = self.before is not None and not self.before & characters
        if self.is_open and not delimited:
            raise ValueError(
                "two repetitions may match the same text, which can keep a server busy: begin the "
                "later one after a character that it does not repeat, such as /[^/]+"
            )
        follows, may_end = first_of(after)
        if not possessive and (may_end or follows & characters):
            self.is_open = True
        self.before = characters if least else _either(self.before, characters)

    def _choose(self, ways: int) -> None:
        self.choices *= ways
        if self.choices > MOST_CHOICES:
            raise ValueError(
                f"it has more than {MOST_CHOICES} combinations of alternatives and optional parts: "
                "make it simpler, or make two classes of it"
            )


_REPEATS = (words.MAX_REPEAT, words.MIN_REPEAT, words.POSSESSIVE_REPEAT)


def _either(before: int | None, characters: int | None) -> int | None:
    return None if before is None or characters is None else before | characters


def _one_character(items: Sequence[_Item]) -> int | None:
    """Return the characters that may stand where these items do, if they are one; else None."""
    if len(items) != 1:
        return None
    kind, details = items[0]
    if kind is words.SUBPATTERN and not details[1] and not details[2]:
        return _one_character(list(details[3]))
    known = (words.LITERAL, words.NOT_LITERAL, words.ANY, words.IN)
    return characters_of(kind, details) if kind in known else None


def characters_of(kind: Any, details: Any) -> int:
    """Return the characters that one item matches, as the bits of a number. Raises ValueError."""
    if kind is words.LITERAL:
        return 1 << details if details < 256 else 0
    if kind is words.NOT_LITERAL:
        return _ALL & ~(1 << details if details < 256 else 0)
    if kind is words.ANY:
        return _ALL & ~(1 << ord("\n"))
    if kind is words.IN:
        return _class(details)
    raise ValueError(f"it uses {str(kind).lower()}, which is not known here: write it plainly")


def _class(members: Sequence[_Item]) -> int:
    negated = bool(members) and members[0][0] is words.NEGATE
    bits = 0
    for kind, details in members[1:] if negated else members:
        if kind is words.RANGE:
            low, high = details[0], min(details[1], 255)
            bits |= sum(1 << code for code in range(low, high + 1))
        elif kind is words.CATEGORY:
            bits |= _category(details)
        else:
            bits |= characters_of(kind, details)
    return _ALL & ~bits if negated else bits


def _category(name: Any) -> int:
    category = re.compile(_CATEGORIES[name], re.ASCII)
    return sum(1 << code for code in range(256) if category.match(chr(code)))


def first_of(items: Sequence[_Item]) -> tuple[int, bool]:
    """Return the characters that a text matching these items may begin with, and whether it may
    be empty.
    """
    bits = 0
    for kind, details in items:
        more, may_be_empty = _first_of_item(kind, details)
        bits |= more
        if not may_be_empty:
            return bits, False
    return bits, True


def _first_of_item(kind: Any, details: Any) -> tuple[int, bool]:
    if kind in _REPEATS:
        bits, may_be_empty = first_of(list(details[2]))
        return bits, may_be_empty or details[0] == 0
    if kind is words.SUBPATTERN:
        return first_of(list(details[3]))
    if kind is words.BRANCH:
        found = [first_of(list(branch)) for branch in details[1]]
        bits = 0
        for more, _ in found:
            bits |= more
        return bits, any(may_be_empty for _, may_be_empty in found)
    if kind is words.AT:
        return 0, True
    return characters_of(kind, details), False
