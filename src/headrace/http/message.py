"""Parsed HTTP messages as values: header fields, request heads and response heads.

Field names are lower-case bytes everywhere inside Headrace; the wire writer restores the
customary capitals (some set-top boxes still compare names with case). Values are bytes with
outer whitespace removed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Set
from dataclasses import dataclass

Field = tuple[bytes, bytes]


class Headers:
    """An ordered, immutable list of header fields (RFC 9110 section 5)."""

    __slots__ = ("_fields", "_index")

    def __init__(self, fields: Iterable[Field] = ()) -> None:
        self._fields: tuple[Field, ...] | None = tuple(fields)
        self._index: dict[bytes, bytes] | None = None

    @classmethod
    def of(cls, index: dict[bytes, bytes]) -> Headers:
        """Return fields of which each has one line. `index` is not to be changed any more."""
        made = cls.__new__(cls)
        made._fields = None
        made._index = index
        return made

    def and_line(self, name: bytes, value: bytes) -> Headers:
        """Return these fields with one line more behind them."""
        made = Headers.__new__(Headers)
        fields = self._fields
        made._fields = (*(self.fields if fields is None else fields), (name, value))
        made._index = None
        return made

    @property
    def fields(self) -> tuple[Field, ...]:
        """Every line in order."""
        fields = self._fields
        if fields is None:
            assert self._index is not None
            fields = self._fields = tuple(self._index.items())
        return fields

    def _indexed(self) -> dict[bytes, bytes]:
        index: dict[bytes, bytes] = {}
        for name, value in self.fields:
            known = index.get(name)
            index[name] = value if known is None else known + b", " + value
        self._index = index
        return index

    def get(self, name: bytes) -> bytes | None:
        """Return the field's value, its lines joined by a comma (RFC 9110 section 5.3), or None."""
        index = self._index
        return (self._indexed() if index is None else index).get(name)

    def all(self, name: bytes) -> list[bytes]:
        """Return every line of this field in order, for Set-Cookie and strict checks."""
        joined = (self._index or self._indexed()).get(name)
        if joined is None:
            return []
        if b", " not in joined:
            return [joined]
        return [value for field_name, value in self.fields if field_name == name]

    def without(self, names: Iterable[bytes]) -> Headers:
        """Return these fields less every line whose name is in `names`."""
        removed = frozenset(names)
        return Headers(field for field in self.fields if field[0] not in removed)

    def with_line(self, name: bytes, value: bytes) -> Headers:
        """Return these fields, of which each has one line, with one more of a new name."""
        return Headers.of({**(self._index or self._indexed()), name: value})

    def plus(self, fields: Iterable[Field]) -> Headers:
        """Return these fields with more lines appended."""
        return Headers((*self.fields, *fields))

    def names(self) -> Set[bytes]:
        """Return the names of all fields, each once."""
        index = self._index
        return (self._indexed() if index is None else index).keys()

    def __contains__(self, name: object) -> bool:
        index = self._index
        return name in (self._indexed() if index is None else index)

    def __iter__(self) -> Iterator[Field]:
        return iter(self.fields)

    def __len__(self) -> int:
        fields = self._fields
        return len(self._index or ()) if fields is None else len(fields)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Headers) and self.fields == other.fields

    def __hash__(self) -> int:
        return hash(self.fields)

    def __repr__(self) -> str:
        return f"Headers({list(self.fields)!r})"


@dataclass(slots=True)
class Request:
    """One request head as it came off the wire, already checked and normalised.

    `target` is the raw request target; `path` is normalised (dot segments resolved,
    percent-encoding canonical) and starts with `/`; `query` is the raw text after the first `?`,
    or None when there was no `?`. `authority` is the lower-case host with the port removed when
    it is the scheme's default.
    """

    method: bytes
    target: bytes
    scheme: bytes
    authority: bytes
    path: bytes
    query: bytes | None
    version: tuple[int, int]
    headers: Headers


@dataclass(slots=True)
class ResponseHead:
    """A response's status and header fields. `reason` is what the origin sent, possibly empty."""

    status: int
    headers: Headers
    reason: bytes = b""
    version: tuple[int, int] = (1, 1)
