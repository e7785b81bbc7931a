"""Which variant of a stored response a request selects (RFC 9111 section 4.1). Pure.

Accept-Encoding is reduced to the best coding that the site tells apart, so that the many ways in
which browsers write it select few variants; other fields have their white space and the case of
their list elements left as they are, and only the space around commas removed.
"""

from __future__ import annotations

from functools import lru_cache

from headrace.cache.rules import CacheRules
from headrace.http.fields import is_token, split_list
from headrace.http.message import Field, Headers

_IDENTITY = b"identity"


def vary_names(headers: Headers) -> tuple[bytes, ...] | None:
    """The names in Vary, sorted and each once; None for `*`, which nothing matches."""
    value = headers.get(b"vary")
    if value is None:
        return ()
    names = {item.lower() for item in split_list(value)}
    if b"*" in names or not all(is_token(name) for name in names):
        return None
    return tuple(sorted(names))


def variant_text(vary: tuple[bytes, ...], headers: Headers, rules: CacheRules) -> bytes:
    """What tells the variants apart: the normalised values of the fields in `vary`, as one text.

    Empty when `vary` is. Absent and empty fields differ.
    """
    lines = []
    for name in vary:
        value = headers.get(name)
        if name == b"accept-encoding":
            lines.append(name + b":" + best_encoding(value, rules.accept_encodings))
        elif value is None:
            lines.append(name)
        else:
            lines.append(name + b":" + b",".join(split_list(value)))
    return b"\n".join(lines)


# Longer ones are read each time, so that nobody fills the memory of a cache with them.
REMEMBERED_BYTES = 256


def best_encoding(value: bytes | None, known: tuple[bytes, ...]) -> bytes:
    """The one of `known` that an Accept-Encoding likes best, the first among equals; `identity`
    when it accepts none of them (RFC 9110 section 12.5.3).
    """
    if not value:
        return _IDENTITY
    return (_remembered if len(value) <= REMEMBERED_BYTES else _best)(value, known)


def _best(value: bytes, known: tuple[bytes, ...]) -> bytes:
    weights: dict[bytes, float] = {}
    for item in split_list(value.lower()):
        coding, _semicolon, parameters = item.partition(b";")
        weights[coding.strip()] = _weight(parameters)
    best, best_weight = _IDENTITY, 0.0
    for coding in known:
        weight = weights.get(coding, weights.get(b"*", 0.0))
        if weight > best_weight:
            best, best_weight = coding, weight
    return best


_remembered = lru_cache(4096)(_best)


def _weight(parameters: bytes) -> float:
    name, equals, value = parameters.strip().partition(b"=")
    if not equals or name.strip() != b"q":
        return 1.0
    try:
        return float(value)
    except ValueError:
        return 0.0


def for_the_origin(fields: list[Field], rules: CacheRules) -> list[Field]:
    """A request's fields with Accept-Encoding as the variants know it.

    The origin then chooses by no more than what tells the stored variants apart.
    """
    value = next((value for name, value in fields if name == b"accept-encoding"), None)
    if value is None:
        return fields
    best = best_encoding(Headers(fields).get(b"accept-encoding"), rules.accept_encodings)
    others = [field for field in fields if field[0] != b"accept-encoding"]
    return [*others, (b"accept-encoding", best)]
