"""Finds the line on which each key and element of a TOML document stands.

tomllib returns values without positions. This scanner reads a document that tomllib has already
accepted, so it checks nothing: it only follows headers, keys and brackets.
"""

from __future__ import annotations

import re
from bisect import bisect_right

TomlPath = tuple[str | int, ...]

_BLANK = re.compile(r"[ \t]*")
_BLANK_LINES = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_STRING = re.compile(
    r'"""(?:[^\\]|\\.)*?"{3,5}'
    r"|'''.*?'{3,5}"
    r'|"(?:[^"\\\n]|\\.)*"'
    r"|'[^'\n]*'",
    re.DOTALL,
)
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_BARE_VALUE = re.compile(r"[^,\]}#\n]+")


class _Scanner:
    def __init__(self, text: str) -> None:
        self.text = text
        self.position = 0
        self.lines: dict[TomlPath, int] = {}
        self.table_counts: dict[TomlPath, int] = {}
        self.line_starts = [0, *(match.end() for match in re.finditer("\n", text))]

    def scan(self) -> dict[TomlPath, int]:
        table: TomlPath = ()
        while True:
            self._skip(_BLANK_LINES)
            if self.position >= len(self.text):
                return self.lines
            if self.text[self.position] == "[":
                table = self._header()
            else:
                self._key_and_value(table)

    def _skip(self, pattern: re.Pattern[str]) -> str:
        match = pattern.match(self.text, self.position)
        if match is None:  # a bare value or key is never empty in an accepted document
            raise AssertionError(f"unexpected text at offset {self.position}")
        self.position = match.end()
        return match[0]

    def _note(self, path: TomlPath) -> None:
        self.lines.setdefault(path, bisect_right(self.line_starts, self.position))

    def _header(self) -> TomlPath:
        brackets = 2 if self.text.startswith("[[", self.position) else 1
        self.position += brackets
        *parents, name = self._dotted_key()
        self.position += brackets
        path: TomlPath = ()
        for part in parents:
            path = self._current(path, part)
        if brackets == 1:
            path = self._current(path, name)
            self._note(path)
            return path
        index = self.table_counts.get((*path, name), 0)
        self.table_counts[(*path, name)] = index + 1
        self._note((*path, name))
        self._note((*path, name, index))
        return (*path, name, index)

    def _current(self, path: TomlPath, name: str) -> TomlPath:
        """Return the path of `name` in headers below it: in an array of tables, its last
        element.
        """
        count = self.table_counts.get((*path, name))
        return (*path, name) if count is None else (*path, name, count - 1)

    def _dotted_key(self) -> list[str]:
        parts = []
        while True:
            self._skip(_BLANK)
            if self.text[self.position] in "\"'":
                parts.append(_unquoted_key(self._skip(_STRING)))
            else:
                parts.append(self._skip(_BARE_KEY))
            self._skip(_BLANK)
            if self.text[self.position] != ".":
                return parts
            self.position += 1

    def _key_and_value(self, table: TomlPath) -> None:
        start = self.position
        path = table
        parts = self._dotted_key()
        end, self.position = self.position, start
        for part in parts:
            path = (*path, part)
            self._note(path)
        self.position = end + 1  # past the equals sign
        self._skip(_BLANK)
        self._value(path)

    def _value(self, path: TomlPath) -> None:
        match self.text[self.position]:
            case '"' | "'":
                self._skip(_STRING)
            case "[":
                self._array(path)
            case "{":
                self._inline_table(path)
            case _:
                self._skip(_BARE_VALUE)

    def _array(self, path: TomlPath) -> None:
        self.position += 1
        index = 0
        while True:
            self._skip(_BLANK_LINES)
            match self.text[self.position]:
                case "]":
                    self.position += 1
                    return
                case ",":
                    self.position += 1
                case _:
                    self._note((*path, index))
                    self._value((*path, index))
                    index += 1

    def _inline_table(self, path: TomlPath) -> None:
        self.position += 1
        while True:
            self._skip(_BLANK_LINES)
            match self.text[self.position]:
                case "}":
                    self.position += 1
                    return
                case ",":
                    self.position += 1
                case _:
                    self._key_and_value(path)


_ESCAPES = {"b": "\b", "t": "\t", "n": "\n", "f": "\f", "r": "\r", "e": "\x1b"}
_ESCAPE = re.compile(r"\\(?:u([0-9A-Fa-f]{4})|U([0-9A-Fa-f]{8})|x([0-9A-Fa-f]{2})|(.))")


def _unquoted_key(quoted: str) -> str:
    inner = quoted[1:-1]
    if quoted.startswith("'"):
        return inner

    def plain(match: re.Match[str]) -> str:
        code = match[1] or match[2] or match[3]
        return chr(int(code, 16)) if code else _ESCAPES.get(match[4], match[4])

    return _ESCAPE.sub(plain, inner)


def locate(text: str) -> dict[TomlPath, int]:
    """Return the line, counted from 1, of each key, table and array element of a valid TOML
    document.

    Paths hold keys and, for elements of arrays, indexes from 0: `("service", 1, "hosts", 0)`.
    """
    return _Scanner(text.replace("\r\n", "\n")).scan()


def line_of(path: TomlPath, lines: dict[TomlPath, int]) -> int:
    """Return the line of `path`, or of the nearest table around it; 1 for the document itself."""
    for length in range(len(path), 0, -1):
        line = lines.get(path[:length])
        if line is not None:
            return line
    return 1


def path_text(path: TomlPath) -> str:
    """Return a path as people write it: `service[1].hosts[0]`."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            name = part if _BARE_KEY.fullmatch(part) else repr(part)
            text += f".{name}" if text else name
    return text
