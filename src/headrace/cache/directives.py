"""Cache directives: Cache-Control (RFC 9111 section 5.2), targeted fields (RFC 9213). Pure.

What fits the grammar of Cache-Control is taken as it is. What does not (white space around `=`, a
semicolon for a comma, a quote that is never closed) is read word by word, and each word may only
restrict: it forbids storing, or it makes stale; it never adds a lifetime or a leave. A targeted
field is a Structured Field (RFC 9651): one that does not parse counts as absent.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from headrace.http.fields import is_token, split_list

# RFC 9111 section 1.2.2: what does not fit is as good as for ever.
MOST_SECONDS: Final = 2**31
ANY: Final = MOST_SECONDS


@dataclass(frozen=True, slots=True)
class CacheControl:
    """Directives of a request or response. Seconds are None where a directive is absent.

    `max_stale` is ANY when the directive has no argument. A directive with an unreadable number
    reads as 0 where that is the careful side.
    """

    max_age: int | None = None
    s_maxage: int | None = None
    no_store: bool = False
    no_cache: bool = False
    no_cache_fields: tuple[bytes, ...] = ()
    private: bool = False
    private_fields: tuple[bytes, ...] = ()
    public: bool = False
    must_revalidate: bool = False
    proxy_revalidate: bool = False
    must_understand: bool = False
    immutable: bool = False
    only_if_cached: bool = False
    stale_while_revalidate: int | None = None
    stale_if_error: int | None = None
    max_stale: int | None = None
    min_fresh: int | None = None


NO_DIRECTIVES: Final = CacheControl()

# Longer values are read each time, so that no client fills the memory of a cache with them.
REMEMBERED_BYTES: Final = 256


def parse_cache_control(value: bytes | None) -> CacheControl:
    """Read a Cache-Control field, all its lines joined (RFC 9111 section 5.2). Never raises.

    Of a directive that is repeated the most restrictive counts (RFC 9111 section 4.2.1).
    """
    if not value:
        return NO_DIRECTIVES
    return _remembered(value) if len(value) <= REMEMBERED_BYTES else _cache_control(value)


def _cache_control(value: bytes) -> CacheControl:
    reader = _Reader()
    position = 0
    # Each way through the loop takes what it has read: the time is proportional to the length.
    while (position := _skip(_SEPARATORS, value, position)) < len(value):
        match = _ELEMENT.match(value, position)
        if match is not None:
            name, token, quoted = match.groups()
            reader.take(name.lower(), token, quoted)
            position = match.end()
            continue
        # A quote out of its place may hide anything that follows, so all of it is in doubt.
        stray = _UP_TO_COMMA.match(value, position)
        end = len(value) if stray is None else stray.end()
        for word in _WORD.findall(value, position, end):
            reader.doubt(word.lower())
        position = end
    return reader.result()


_remembered = lru_cache(2048)(_cache_control)
_TOKEN = rb"[!#$%&'*+.^_`|~0-9A-Za-z-]++"
# Between elements, empty ones too. Apart from an element, or a run of commas before what is none
# would be searched again for each of them.
_SEPARATORS: Final = re.compile(rb"[ \t,]*+")
# One element of the list and its comma; both groups of the argument are None without one. What is
# matched is not given back (`++`).
_ELEMENT: Final = re.compile(
    rb"(" + _TOKEN + rb")(?:=(?:(" + _TOKEN + rb')|"((?:[^"\\]|\\.)*+)"))?'
    rb"[ \t]*+(?:,|\Z)",
    re.DOTALL,
)
_UP_TO_COMMA: Final = re.compile(rb'[^,"]*,')
_WORD: Final = re.compile(_TOKEN)
_WITH_FIELDS: Final = (b"no-cache", b"private")
_WITH_SECONDS: Final = (b"max-age", b"s-maxage", b"stale-while-revalidate", b"stale-if-error")
_RESTRICTIVE: Final = (b"no-store", b"must-revalidate", b"proxy-revalidate")


class _Reader:
    """Collects directives one by one."""

    def __init__(self) -> None:
        self._seconds: dict[bytes, int] = {}
        self._flags: set[bytes] = set()
        self._fields: dict[bytes, list[bytes]] = {}

    def take(self, name: bytes, token: bytes | None, quoted: bytes | None) -> None:
        """Take in one directive that fits the grammar, and its argument in either form."""
        argument = token if quoted is None else _unescaped(quoted)
        if name in _WITH_SECONDS:
            self._least(name, _seconds(argument))
        elif name == b"min-fresh":
            # The larger demand is the more careful one.
            seconds = _seconds(argument)
            self._seconds[name] = max(seconds, self._seconds.get(name, 0))
        elif name == b"max-stale":
            self._least(name, ANY if argument is None else _seconds(argument))
        elif name in _WITH_FIELDS:
            self._with_fields(name, argument)
        elif argument is None or name in _RESTRICTIVE:
            self._flags.add(name)

    def doubt(self, name: bytes) -> None:
        """Take in a word that may have been meant as a directive: only what restricts counts."""
        if name in _WITH_SECONDS:
            self._seconds[name] = 0
        elif name in _WITH_FIELDS or name in _RESTRICTIVE:
            self._flags.add(name)

    def _least(self, name: bytes, seconds: int) -> None:
        known = self._seconds.get(name)
        self._seconds[name] = seconds if known is None else min(known, seconds)

    def _with_fields(self, name: bytes, argument: bytes | None) -> None:
        names = [] if argument is None else [item.lower() for item in split_list(argument)]
        if not names or not all(is_token(item) for item in names):
            self._flags.add(name)  # without a readable argument: all of the response
        else:
            self._fields.setdefault(name, []).extend(names)

    def result(self) -> CacheControl:
        """Return the directives that were taken in."""
        seconds, flags = self._seconds, self._flags
        return CacheControl(
            max_age=seconds.get(b"max-age"),
            s_maxage=seconds.get(b"s-maxage"),
            no_store=b"no-store" in flags,
            no_cache=b"no-cache" in flags,
            no_cache_fields=tuple(self._fields.get(b"no-cache", ())),
            private=b"private" in flags,
            private_fields=tuple(self._fields.get(b"private", ())),
            public=b"public" in flags,
            must_revalidate=b"must-revalidate" in flags,
            proxy_revalidate=b"proxy-revalidate" in flags,
            must_understand=b"must-understand" in flags,
            immutable=b"immutable" in flags,
            only_if_cached=b"only-if-cached" in flags,
            stale_while_revalidate=seconds.get(b"stale-while-revalidate"),
            stale_if_error=seconds.get(b"stale-if-error"),
            max_stale=seconds.get(b"max-stale"),
            min_fresh=seconds.get(b"min-fresh"),
        )


def _unescaped(quoted: bytes) -> bytes:
    return _ESCAPED.sub(rb"\1", quoted) if b"\\" in quoted else quoted


_ESCAPED = re.compile(rb"\\(.)", re.DOTALL)


def delta_seconds(digits: bytes) -> int | None:
    """Return delta-seconds (RFC 9111 section 1.2.2), cut to what fits; None for anything else."""
    if not digits.isdigit():
        return None
    significant = digits.lstrip(b"0")
    return min(int(significant or b"0"), MOST_SECONDS) if len(significant) <= 18 else MOST_SECONDS


def _seconds(argument: bytes | None) -> int:
    """Return seconds; 0 for anything that is no number, the careful side."""
    return (delta_seconds(argument) or 0) if argument is not None else 0


# Structured Fields (RFC 9651): as much of a Dictionary as RFC 9213 needs.

_KEY = re.compile(rb"[a-z*][a-z0-9_.*-]*")
_BARE = re.compile(
    rb"\?[01]"  # Boolean
    rb"|-?[0-9]{1,12}\.[0-9]{1,3}"  # Decimal
    rb"|-?[0-9]{1,15}"  # Integer
    rb'|"(?:[\x20-\x21\x23-\x5b\x5d-\x7e]|\\["\\])*"'  # String
    rb"|:[A-Za-z0-9+/=]*:"  # Byte Sequence
    rb"|[A-Za-z*][!#$%&'*+.^_`|~0-9A-Za-z:/-]*"  # Token
    rb"|@-?[0-9]{1,15}"  # Date
    rb'|%"(?:[\x20-\x21\x23-\x24\x26-\x7e]|%[0-9a-f]{2})*"'  # Display String
)
_SPACES = re.compile(rb" *")
_OWS = re.compile(rb"[ \t]*")


class _Malformed(Exception):
    pass


def parse_targeted(value: bytes) -> CacheControl | None:
    """Read a targeted field (RFC 9213 section 2.1); None when it is no Dictionary or empty.

    A value of the wrong type makes its directive count as absent, unless the directive only ever
    restricts.
    """
    return _remembered_targeted(value) if len(value) <= REMEMBERED_BYTES else _targeted(value)


def _targeted(value: bytes) -> CacheControl | None:
    try:
        members = _dictionary(value)
    except _Malformed:
        return None
    if not members:
        return None
    reader = _Reader()
    for name, item in members.items():
        _take_member(reader, name, item)
    return reader.result()


_remembered_targeted = lru_cache(2048)(_targeted)


def _take_member(reader: _Reader, name: bytes, item: bytes | None) -> None:
    """Hand one member over. `item` None stands for Boolean true without a value."""
    if item is None or item == b"?1":
        if name not in _WITH_SECONDS:
            reader.take(name, None, None)
    elif item == b"?0":
        return
    elif name in _RESTRICTIVE:
        reader.take(name, None, None)
    elif name in _WITH_FIELDS:
        # A value of another type is ignored, but the directive itself stands.
        reader.take(name, None, item[1:-1] if item.startswith(b'"') else None)
    elif item.isdigit():
        reader.take(name, item, None)
    elif item.startswith(b"-") and item[1:].isdigit():
        reader.take(name, b"0", None)


def _dictionary(text: bytes) -> dict[bytes, bytes | None]:
    """Return members by key, the last of a repeated key; inner lists count as no value of use."""
    position = _skip(_SPACES, text, 0)
    members: dict[bytes, bytes | None] = {}
    while position < len(text):
        key, position = _match(_KEY, text, position)
        item: bytes | None = None
        if text[position : position + 1] == b"=":
            item, position = _item(text, position + 1)
        position = _parameters(text, position)
        members.pop(key, None)
        members[key] = item
        position = _skip(_OWS, text, position)
        if position == len(text):
            break
        if text[position : position + 1] != b",":
            raise _Malformed
        position = _skip(_OWS, text, position + 1)
        if position == len(text):
            raise _Malformed
    return members


def _item(text: bytes, position: int) -> tuple[bytes, int]:
    if text[position : position + 1] != b"(":
        return _match(_BARE, text, position)
    start = position
    position += 1
    while True:
        position = _skip(_SPACES, text, position)
        if text[position : position + 1] == b")":
            return text[start : position + 1], position + 1
        _value, position = _match(_BARE, text, position)
        position = _parameters(text, position)
        if text[position : position + 1] not in (b" ", b")"):
            raise _Malformed


def _parameters(text: bytes, position: int) -> int:
    while text[position : position + 1] == b";":
        position = _skip(_SPACES, text, position + 1)
        _key, position = _match(_KEY, text, position)
        if text[position : position + 1] == b"=":
            _value, position = _match(_BARE, text, position + 1)
    return position


def _match(pattern: re.Pattern[bytes], text: bytes, position: int) -> tuple[bytes, int]:
    match = pattern.match(text, position)
    if match is None:
        raise _Malformed
    return match[0], match.end()


def _skip(pattern: re.Pattern[bytes], text: bytes, position: int) -> int:
    match = pattern.match(text, position)
    return match.end() if match is not None else position
