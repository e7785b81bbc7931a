"""Entity tags (RFC 9110 section 8.8.3) and the request fields that ask about them. Pure.

Two questions, on purpose apart. `is_strong` is for whoever joins bytes of several responses: only
one well-formed strong tag may vouch for them, for a text that is no entity tag may be anything. The
comparisons are for a client's conditions, and for a 304 about the one response that was asked
about: there an origin's malformed tag, sent back as it was, still is that tag, and taking it for
one can mix nothing.
"""

from __future__ import annotations

import re
from typing import Final

from headrace.http.message import Headers

_WEAK: Final = b"W/"
_STRONG = re.compile(rb'"[\x21\x23-\x7e\x80-\xff]*"')

# The fields that make a request conditional (RFC 9110 section 13.1).
CONDITIONS: Final = frozenset(
    (b"if-match", b"if-modified-since", b"if-none-match", b"if-range", b"if-unmodified-since")
)


def is_strong(tag: bytes | None) -> bool:
    """Return whether this is one well-formed entity tag, and a strong one."""
    return tag is not None and _STRONG.fullmatch(tag) is not None


def is_weak(tag: bytes) -> bool:
    """Return whether this tag says of itself that it is weak; the mark's case counts."""
    return tag.startswith(_WEAK)


def strongly_equal(one: bytes, other: bytes) -> bool:
    """Compare two entity tags strongly: neither is weak, and they are the same text."""
    return one == other and not one.startswith(_WEAK)


def weakly_equal(one: bytes, other: bytes) -> bool:
    """Compare two entity tags weakly: but for the mark of weakness they are the same text."""
    return one.removeprefix(_WEAK) == other.removeprefix(_WEAK)


def same_representation(one: Headers, other: Headers) -> bool:
    """Return whether two responses carry the same strong entity tag, so that parts of them may be
    combined (RFC 9110 section 15.3.7.3, RFC 9111 section 3.4).

    A date is never taken for strong enough.
    """
    tag = one.get(b"etag")
    return is_strong(tag) and tag == other.get(b"etag")
