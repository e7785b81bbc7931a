"""What parts and representations are called in the store. Pure; chance is an argument."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

from headrace.http.message import Headers
from headrace.http.validators import is_strong

VERSION_BYTES = 16


def part_name(key_hash: bytes, variant: bytes) -> bytes:
    """Return what the parts of one key's variant are called: one fill at a time for each slice."""
    return key_hash + variant


def version_of(
    key: bytes,
    variant: bytes,
    headers: Headers,
    generation: int,
    slice_bytes: int,
    random_bytes: Callable[[int], bytes],
) -> bytes:
    """Return the name of a representation's slices, 16 bytes.

    With a strong validator all fills of one representation agree on it, so that their slices
    combine (RFC 9110 section 15.3.7.3); a purge in between, or another size of slices, separates
    them all the same.
    """
    tag = headers.get(b"etag")
    if tag is None or not is_strong(tag):
        return random_bytes(VERSION_BYTES)
    text = b"\0".join((key, variant, tag, b"%d" % generation, b"%d" % slice_bytes))
    return hashlib.blake2b(text, digest_size=VERSION_BYTES).digest()
