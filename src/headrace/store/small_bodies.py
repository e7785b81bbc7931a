"""Small bodies as rows of the index: no file, no inode, one look-up.

A body is cut into pieces that fill one page of the index each: LMDB finds a single free page at
once, and would have to search for several in a row. The first piece begins with the checksum of
them all and of the slice's key: a row that names another body's place is found out. Rows are
numbered in the order of arrival: what came together leaves together, and pages come free whole.
"""

from __future__ import annotations

from typing import Any

import xxhash

from headrace.store.layout import PAGE_BYTES

CHECKSUM_BYTES = 8
PIECE_BYTES = PAGE_BYTES - 16
"""What one overflow page of the index holds of a row."""

MOST = 256
"""Pieces at most: a row that says more is damaged."""

LEAST_CHARGE_BYTES = 2048
"""What the smallest is charged. The index's own bound admits no more of them, for their other rows
take more than a quarter of that there; charged by their few bytes, one large slice would drive out
hundreds of thousands, which takes seconds.
"""

_NODE_BYTES = 8 + 9 + 2  # a row's header and key, and its place in the page's list
_LARGEST_NODE_BYTES = (PAGE_BYTES - 16) // 2 - 2  # LMDB keeps two rows in a page at least
_POINTER_BYTES = _NODE_BYTES + 8  # a row whose value is in a page of its own


def key_of(place: int, piece: int) -> bytes:
    """Return the key of one piece of the body at `place`."""
    return place.to_bytes(8, "big") + bytes((piece,))


def checksum_of(key: bytes, body: bytes) -> bytes:
    """Return the checksum of a body as that of this slice, and of no other."""
    return xxhash.xxh3_64_digest(body, seed=xxhash.xxh3_64_intdigest(key))


def pieces_of(key: bytes, body: bytes) -> list[bytes]:
    """Return the rows that hold the body of the slice `key`."""
    whole = checksum_of(key, body) + body
    return [whole[at : at + PIECE_BYTES] for at in range(0, len(whole), PIECE_BYTES)]


def piece_count(body_bytes: int) -> int:
    """Return how many rows hold a body of this size."""
    return -(-(CHECKSUM_BYTES + body_bytes) // PIECE_BYTES)


def charge_bytes(body_bytes: int) -> int:
    """Return what a body is charged: what it takes of the index's pages, and at least
    LEAST_CHARGE_BYTES.
    """
    return max(LEAST_CHARGE_BYTES, _taken_bytes(body_bytes))


def _taken_bytes(body_bytes: int) -> int:
    """Return what a body takes of pages: its last piece by how many of that size a page holds."""
    full, rest = divmod(CHECKSUM_BYTES + body_bytes, PIECE_BYTES)
    charge = full * (PAGE_BYTES + _POINTER_BYTES)
    if not rest:
        return charge
    node = _NODE_BYTES + rest
    if node > _LARGEST_NODE_BYTES:
        return charge + PAGE_BYTES + _POINTER_BYTES
    return charge + PAGE_BYTES // ((PAGE_BYTES - 16) // node)


def read(transaction: Any, table: Any, key: bytes, place: int, body_bytes: int) -> bytes | None:
    """Return the body at `place`, its checksum verified; None when it is not the one that was
    stored for the slice `key`.
    """
    return read_sound(transaction, table, xxhash.xxh3_64_intdigest(key), place, body_bytes)


def read_sound(
    transaction: Any, table: Any, mark: int, place: int, body_bytes: int
) -> bytes | None:
    """Do as `read` does for the slice whose key has this hash."""
    if CHECKSUM_BYTES + body_bytes <= PIECE_BYTES:
        whole = transaction.get(b"%b\0" % place.to_bytes(8, "big"), None, table)
        if whole is None:
            return None
    else:
        count = piece_count(body_bytes)
        if count > MOST:
            return None
        pieces = [transaction.get(key_of(place, piece), None, table) for piece in range(count)]
        if None in pieces:
            return None
        whole = b"".join(pieces)
    body = bytes(whole[CHECKSUM_BYTES:])
    sound = len(body) == body_bytes and (
        xxhash.xxh3_64_digest(body, seed=mark) == whole[:CHECKSUM_BYTES]
    )
    return body if sound else None
