"""Writing Cache-Status (RFC 9211)."""

from __future__ import annotations

import re
from typing import TypedDict

import pytest
from hypothesis import given
from hypothesis import strategies as st

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
    ({"hit": False, "fwd": b"partial", "ttl": 9}, b"edge; fwd=partial; ttl=9"),
    ({"hit": True, "ttl": 10**20}, b"edge; hit; ttl=999999999999999"),
    ({"hit": True, "key": b"k" * 9999}, b'edge; hit; key="' + b"k" * 512 + b'"'),
]


@pytest.mark.parametrize(("dealt", "text"), WRITTEN)
def test_a_member_is_written(dealt: Dealt, text: bytes) -> None:
    assert cache_status(b"edge", **dealt) == text


@pytest.mark.parametrize(
    ("name", "written"),
    [
        (b"edge-1.example", b"edge-1.example"), (b"1edge", b'"1edge"'), (b"my edge", b'"my edge"'),
        (b'a"b', rb'"a\"b"'), (b"", b'""'), (b"a,b; hit", b'"a,b; hit"'), (b"\xff", b'"%FF"'),
    ],
)  # fmt: skip
def test_the_servers_name_is_a_token_or_else_a_string(name: bytes, written: bytes) -> None:
    assert cache_status(name, hit=True) == written + b"; hit"


@given(st.binary(max_size=1000))
def test_a_key_of_any_bytes_reads_back_as_one_string(key: bytes) -> None:
    written = cache_status(b"edge", hit=True, key=key).removeprefix(b"edge; hit; key=")
    match = re.fullmatch(rb'"((?:[\x20-\x21\x23-\x5b\x5d-\x7e]|\\["\\])*)"', written)
    assert match is not None
    text = re.sub(rb'\\(["\\])', rb"\1", match[1])
    printable = range(0x20, 0x7F)
    assert text == b"".join(
        bytes([code]) if code in printable else b"%%%02X" % code for code in key[:512]
    )


@given(field_values)
def test_text_never_breaks_out_of_its_string(text: bytes) -> None:
    written = cache_status(b"edge", hit=True, detail=b"x" + text)
    inner = written.removeprefix(b'edge; hit; detail="').removesuffix(b'"')
    bare = inner.replace(b"\\\\", b"").replace(b'\\"', b"")
    assert b'"' not in bare
    assert b"\\" not in bare
    assert all(0x20 <= code < 0x7F for code in written)
