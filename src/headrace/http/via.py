"""The Via field: which hops a message has come through (RFC 9110 section 7.6.3). Pure."""

from __future__ import annotations

import functools
import re
from typing import Final

from headrace.http.fields import split_list
from headrace.http.message import Field

MOST_HOPS: Final = 32
_HOP = re.compile(rb"(?:[A-Za-z]+/)?[0-9.]{1,3} [!#$%&'*+.^_`|~0-9A-Za-z:-]{1,64}")


@functools.lru_cache(maxsize=64)
def hop(version: tuple[int, int], node: bytes) -> bytes:
    """Return a hop's entry: the version in which the message came to it, and its name."""
    return b"%d.%d %s" % (*version, node)


def request_via(before: bytes | None, own: bytes) -> bytes:
    """Return a request's Via with our own hop added.

    Of what was there only hops are kept, the last `MOST_HOPS`: it is how loops are found, and no
    place for a client's words.
    """
    if not before:
        return own
    hops = [found for found in split_list(before) if _HOP.fullmatch(found)]
    return b", ".join([*hops[-MOST_HOPS:], own])


def add_to_response(fields: list[Field], own: bytes) -> None:
    """Add our own hop behind those that a response's fields name, whatever the origin wrote."""
    for index in range(len(fields) - 1, -1, -1):
        name, value = fields[index]
        if name == b"via":
            fields[index] = (name, value + b", " + own if value else own)
            return
    fields.append((b"via", own))


def names(value: bytes | None, node: bytes) -> bool:
    """Return whether a Via says that the message has come through this node."""
    if value is None:
        return False
    # A hop is a protocol, a name and, if anything more, a comment.
    return any(found.split()[1:2] == [node] for found in split_list(value))
