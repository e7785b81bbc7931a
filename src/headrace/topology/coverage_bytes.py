"""The ranges of all coverage as bytes, so that one process compiles them and all map one file.

    magic · version · byte order · counts of ranges · hash of the names · hash of the rest
    starts of IPv6 · both indexes · starts and values of IPv4 · values of IPv6

Numbers are as this machine writes them: the file is for processes on it, not for others.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence
from struct import Struct
from typing import Literal

from xxhash import xxh3_64_intdigest

from headrace.errors import HeadraceError
from headrace.topology.prefixes import INDEX_SIZE, Column, V4Ranges, V6Ranges

_HEADER = Struct("=8sIIQQQQ")
_MAGIC = b"HRCOVER\0"
_VERSION = 1
_BYTE_ORDER = 0x01020304
_Code = Literal["I", "Q"]
_SMALL: _Code = "I"
_LARGE: _Code = "Q"
_SIZES = {_SMALL: 4, _LARGE: 8}


class BadTable(HeadraceError):
    """The bytes are no table of this coverage."""


def written(names: Sequence[str], v4: V4Ranges, v6: V6Ranges) -> bytes:
    """Return ranges as bytes. `names` are those of the coverage that their values number."""
    columns = (
        _bytes(_LARGE, v6.upper),
        _bytes(_LARGE, v6.lower),
        _bytes(_SMALL, v6.index),
        _bytes(_SMALL, v4.index),
        _bytes(_SMALL, v4.starts),
        _bytes(_SMALL, v4.values),
        _bytes(_SMALL, v6.values),
    )
    body = b"".join(columns)
    header = _HEADER.pack(
        _MAGIC,
        _VERSION,
        _BYTE_ORDER,
        len(v4.values),
        len(v6.values),
        _names_hash(names),
        xxh3_64_intdigest(body),
    )
    return header + body


def read(names: Sequence[str], buffer: bytes | memoryview) -> tuple[V4Ranges, V6Ranges]:
    """Return the ranges in a buffer, which they keep. Raises BadTable."""
    view = memoryview(buffer).toreadonly().cast("B")
    if len(view) < _HEADER.size:
        raise BadTable("it ends within the header")
    magic, version, byte_order, v4_count, v6_count, hash_of_names, hash_of_body = (
        _HEADER.unpack_from(view)
    )
    if (magic, version, byte_order) != (_MAGIC, _VERSION, _BYTE_ORDER):
        raise BadTable("it is no table of coverage, or one of another version or machine")
    if hash_of_names != _names_hash(names):
        raise BadTable("it belongs to another description of the network")
    body = view[_HEADER.size :]
    layout = _layout(v4_count, v6_count)
    if not (v4_count and v6_count) or len(body) != sum(
        count * _SIZES[code] for code, count in layout
    ):
        raise BadTable("its length is not what its header says")
    if xxh3_64_intdigest(body) != hash_of_body:
        raise BadTable("its bytes are damaged")
    columns: list[Column] = []
    start = 0
    for code, count in layout:
        end = start + count * _SIZES[code]
        columns.append(body[start:end].cast(code))
        start = end
    upper, lower, v6_index, v4_index, starts, v4_values, v6_values = columns
    return V4Ranges(starts, v4_values, v4_index), V6Ranges(upper, lower, v6_values, v6_index)


def _layout(v4_count: int, v6_count: int) -> tuple[tuple[_Code, int], ...]:
    """Return the columns in their order: size and count of their numbers."""
    return (
        (_LARGE, v6_count),
        (_LARGE, v6_count),
        (_SMALL, INDEX_SIZE),
        (_SMALL, INDEX_SIZE),
        (_SMALL, v4_count),
        (_SMALL, v4_count),
        (_SMALL, v6_count),
    )


def _bytes(code: _Code, column: Iterable[int]) -> bytes:
    return array(code, column).tobytes()


def _names_hash(names: Sequence[str]) -> int:
    return xxh3_64_intdigest("\0".join(names).encode())
