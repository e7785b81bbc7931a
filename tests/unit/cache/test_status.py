"""Writing Cache-Status (RFC 9211)."""

from __future__ import annotations

from typing import TypedDict

import pytest
from hypothesis import given

from headrace.cache.status import cache_status
from tests.unit.cache.values import field_values


class Dealt(TypedDict, total=False):
    hit: bool
    fwd: bytes | None
    fwd_status: int | None
    stored: bool
    collapsed: bool
    ttl: int | None
    key: bytes | None
    detail: bytes | None


WRITTEN: list[tuple[Dealt, bytes]] = [
    ({"hit": True}, b"edge; hit"),
    ({"hit": True, "ttl": 42}, b"edge; hit; ttl=42"),
    ({"hit": True, "ttl": -3}, b"edge; hit; ttl=-3"),
    ({"hit": False, "fwd": b"uri-miss", "stored": True}, b"edge; fwd=uri-miss; stored"),
    (
        {"hit": False, "fwd": b"stale", "fwd_status": 304, "collapsed": True},
        b"edge; fwd=stale; fwd-status=304; collapsed",
    ),
    ({"hit": True, "fwd": b"miss"}, b"edge; hit"),
    ({"hit": True, "key": b"a\nb"}, b'edge; hit; key="a%0Ab"'),
    ({"hit": True, "detail": b'a"b\\c'}, rb'edge; hit; detail="a\"b\\c"'),
    ({"hit": True, "detail": b""}, b"edge; hit"),
    ({"hit": False}, b"edge"),
]


@pytest.mark.parametrize(("dealt", "text"), WRITTEN)
def test_a_member_is_written(dealt: Dealt, text: bytes) -> None:
    assert cache_status(b"edge", **dealt) == text


@given(field_values)
def test_text_never_breaks_out_of_its_string(text: bytes) -> None:
    written = cache_status(b"edge", hit=True, detail=b"x" + text)
    inner = written.removeprefix(b'edge; hit; detail="').removesuffix(b'"')
    bare = inner.replace(b"\\\\", b"").replace(b'\\"', b"")
    assert b'"' not in bare
    assert b"\\" not in bare
    assert all(0x20 <= code < 0x7F for code in written)
