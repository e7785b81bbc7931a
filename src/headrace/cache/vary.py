"""Which variant of a stored response a request selects (RFC 9111 section 4.1). Pure.

Accept-Encoding is reduced to the best coding that the service distinguishes, Accept-Language to its
languages, so that the many ways in which browsers write them select few variants; other fields
count as they are. What an origin sees of them is the same: see `presenting`.
"""

from __future__ import annotations

from headrace.cache.presented_fields import best_encoding, may_be_presented, presented
from headrace.cache.rules import CacheRules
from headrace.http.fields import is_token, split_list
from headrace.http.message import Headers

# A response that varies by who asks is for no one else.
_FOR_ONE = frozenset((b"*", b"x-forwarded-for"))


def vary_names(headers: Headers) -> tuple[bytes, ...] | None:
    """Return the names in Vary, sorted and each once; None for `*`, which nothing matches.

    Less those of which an origin never sees a client's value: they select nothing.
    """
    value = headers.get(b"vary")
    if value is None:
        return ()
    names = {item.lower() for item in split_list(value)}
    if names & _FOR_ONE or not all(is_token(name) for name in names):
        return None
    return tuple(sorted(name for name in names if may_be_presented(name)))


def with_keyed(vary: tuple[bytes, ...], keyed: tuple[bytes, ...]) -> tuple[bytes, ...]:
    """Return what selects variants, with the fields that the service names in any case."""
    if not keyed or set(keyed) <= set(vary):
        return vary
    return tuple(sorted({*vary, *keyed}))


def variant_text(vary: tuple[bytes, ...], headers: Headers, rules: CacheRules) -> bytes:
    """Return what separates variants: the normalised values of the fields in `vary`, as a text.

    Empty when `vary` is. Absent and empty fields differ.
    """
    lines = []
    for name in vary:
        if name == b"accept-encoding":  # nearly always the only one
            best = best_encoding(headers.get(name), rules.accept_encodings)
            lines.append(name + b":" + best)
            continue
        value = presented(name, headers, rules)
        lines.append(name if value is None else name + b":" + value)
    return b"\n".join(lines)
