"""The filter language of `headrace log`: an expression over the fields of an access log line.

    status >= 500 and service == "vod" and path ~ "^/live/"

Pure: text in, a function of a line out. Bounded in what it may cost, for it runs in a worker for
every request while somebody follows: LONGEST_FILTER characters, MOST_COMPARISONS comparisons,
DEEPEST levels, and patterns that cannot backtrack (see filter_words). It sees what the line shows
and nothing else: a client's address is compared as truncated as it is shown.
"""

from __future__ import annotations

import difflib
import operator
from collections.abc import Callable, Mapping
from typing import Any, get_args, get_type_hints

from headrace.telemetry.access_line import AccessLine
from headrace.telemetry.filter_words import FilterError, Word, pattern, words_of

MOST_COMPARISONS = 32
DEEPEST = 16

Predicate = Callable[[AccessLine], bool]

_ORDER: Mapping[str, Callable[[Any, Any], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_RESERVED = ("and", "or", "not", "in")


def _kinds() -> dict[str, type]:
    found: dict[str, type] = {}
    for name, hint in get_type_hints(AccessLine).items():
        kinds = set(get_args(hint) or (hint,)) - {type(None)}
        found[name] = str if kinds == {str} else float
    del found["query"]  # it is never shown here: it often holds tokens
    return found


FIELDS: dict[str, type] = _kinds()
"""Every field that a filter may name: `str` for texts, `float` for numbers."""


def parse_filter(text: str) -> Predicate:
    """Return what decides on a line; an empty filter wants all. Raises FilterError."""
    words = words_of(text)
    if len(words) == 1:
        return lambda _line: True
    return _Parser(words).whole()


class _Parser:
    """One filter, word by word: `or` binds least, then `and`, then `not`."""

    def __init__(self, words: list[Word]) -> None:
        self._words = words
        self._at = 0
        self._depth = 0
        self._comparisons = 0

    def whole(self) -> Predicate:
        found = self._any()
        word = self._words[self._at]
        if word.kind != "end":
            raise FilterError(
                word.position, f"{_shown(word)} is too much here: join conditions with and, or"
            )
        return found

    def _any(self) -> Predicate:
        parts = [self._all()]
        while self._took("or"):
            parts.append(self._all())
        return parts[0] if len(parts) == 1 else lambda line: any(part(line) for part in parts)

    def _all(self) -> Predicate:
        parts = [self._one()]
        while self._took("and"):
            parts.append(self._one())
        return parts[0] if len(parts) == 1 else lambda line: all(part(line) for part in parts)

    def _one(self) -> Predicate:
        word = self._next()
        if word.kind == "name" and word.value == "not":
            inner = self._deeper(word, self._one)
            return lambda line: not inner(line)
        if word.kind == "open":
            inner = self._deeper(word, self._any)
            self._close("this parenthesis", word)
            return inner
        return self._comparison(word)

    def _deeper(self, word: Word, parse: Callable[[], Predicate]) -> Predicate:
        self._depth += 1
        if self._depth > DEEPEST:
            raise FilterError(word.position, f"a filter nests at most {DEEPEST} levels deep")
        found = parse()
        self._depth -= 1
        return found

    def _comparison(self, field: Word) -> Predicate:
        if field.kind != "name" or field.value in _RESERVED:
            raise FilterError(field.position, f"a field's name is due here, not {_shown(field)}")
        if field.value not in FIELDS:
            raise FilterError(field.position, _unknown(field.value))
        self._comparisons += 1
        if self._comparisons > MOST_COMPARISONS:
            raise FilterError(
                field.position, f"a filter has at most {MOST_COMPARISONS} comparisons"
            )
        name, kind = field.value, FIELDS[field.value]
        operation = self._next()
        match operation.value:
            case "in" if operation.kind == "name":
                wanted = frozenset(self._values(field, kind))
                return lambda line: getattr(line, name) in wanted
            case "==" if operation.kind == "operator":
                value = self._value(field, kind)
                return lambda line: bool(getattr(line, name) == value)
            case "!=" if operation.kind == "operator":
                value = self._value(field, kind)
                return lambda line: bool(getattr(line, name) != value)
            case "~" | "!~" if operation.kind == "operator":
                return self._matching(field, kind, operation)
            case "<" | "<=" | ">" | ">=" if operation.kind == "operator":
                return self._ordered(field, kind, operation)
        raise FilterError(
            operation.position,
            f"after {name} comes one of == != < <= > >= ~ !~ in, not {_shown(operation)}",
        )

    def _matching(self, field: Word, kind: type, operation: Word) -> Predicate:
        name = field.value
        if kind is not str:
            raise FilterError(operation.position, f"{name} is a number: compare with == or <")
        word = self._words[self._at]
        has = pattern(str(self._value(field, kind)), word.position)
        if operation.value == "!~":
            return lambda line: not has(getattr(line, name) or "")
        return lambda line: has(getattr(line, name) or "")

    def _ordered(self, field: Word, kind: type, operation: Word) -> Predicate:
        name, compare = field.value, _ORDER[operation.value]
        if kind is str:
            raise FilterError(
                operation.position, f"{name} is a text, which {operation.value} cannot compare"
            )
        value = self._value(field, kind)

        def holds(line: AccessLine) -> bool:
            found = getattr(line, name)
            return found is not None and compare(found, value)

        return holds

    def _values(self, field: Word, kind: type) -> list[str | float]:
        opening = self._next()
        if opening.kind != "open":
            raise FilterError(opening.position, f"after `{field.value} in` comes a list: (…, …)")
        found = [self._value(field, kind)]
        while self._words[self._at].kind == "comma":
            self._at += 1
            found.append(self._value(field, kind))
        self._close("this list", opening)
        return found

    def _value(self, field: Word, kind: type) -> str | float:
        word = self._next()
        if kind is str and word.kind == "text":
            return word.value
        if kind is float and word.kind == "number":
            return float(word.value)
        if kind is str:
            wanted = f'{field.value} is a text: put it in quotes, as in {field.value} == "…"'
        else:
            wanted = f"{field.value} is a number"
        raise FilterError(word.position, f"{wanted}, not {_shown(word)}")

    def _close(self, what: str, opening: Word) -> None:
        word = self._next()
        if word.kind != "close":
            raise FilterError(
                word.position, f"{what} (opened at {opening.position}) wants ), not {_shown(word)}"
            )

    def _took(self, name: str) -> bool:
        word = self._words[self._at]
        if word.kind == "name" and word.value == name:
            self._at += 1
            return True
        return False

    def _next(self) -> Word:
        word = self._words[self._at]
        if word.kind != "end":
            self._at += 1
        return word


def _shown(word: Word) -> str:
    if word.kind == "end":
        return "the end"
    return repr(word.value)


def _unknown(name: str) -> str:
    close = difflib.get_close_matches(name.lower(), FIELDS, 1)
    if close:
        return f"there is no field {name!r}: did you mean {close[0]}?"
    return f"there is no field {name!r}: there are {', '.join(FIELDS)}"
