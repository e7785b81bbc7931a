"""The CDN-Loop field: through which content delivery networks a request has come (RFC 8586). Pure.

Unlike Via, no one on the way may remove or change what it says, so it is also what finds loops
through networks that hide their Via. A client may send one too, and name whom it likes.
"""

from __future__ import annotations

from typing import Final

from headrace.http.fields import split_list

FIELD: Final = b"cdn-loop"
LONGEST: Final = 2048
"""It may not be cut short, so a longer one ends the request."""


def with_own(before: bytes | None, own: bytes) -> bytes:
    """Return a request's field with our own name behind those that are there."""
    return before + b", " + own if before else own


def passes(value: bytes | None) -> int:
    """Return how many networks, or servers of one, a request says it has come through."""
    return 0 if value is None else len(split_list(value))


def is_loop(value: bytes | None, own: bytes, most: int) -> bool:
    """Return whether a request has come through us more than `most` times, or through so many
    others that no one could say.
    """
    if value is None:
        return False
    if len(value) > LONGEST:
        return True
    wanted = own.lower()
    # A member is a name and, if anything more, parameters.
    names = (member.partition(b";")[0].strip().lower() for member in split_list(value))
    return sum(name == wanted for name in names) > most
