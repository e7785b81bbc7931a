"""Which networks a request has come through, and when that is a loop."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.http.cdn_loop import LONGEST, is_loop, passes, with_own


def test_our_name_stands_behind_those_that_are_there() -> None:
    assert with_own(None, b"ours") == b"ours"
    assert with_own(b"", b"ours") == b"ours"
    assert with_own(b"other.example:80; p=1", b"ours") == b"other.example:80; p=1, ours"


@pytest.mark.parametrize(
    "value",
    [b"ours", b"OURS", b"ours;a=b", b" ours ;a=b,other", b'other; a="x", ours', b"a,,ours"],
)
def test_our_name_is_found_however_it_is_written(value: bytes) -> None:
    assert is_loop(value, b"ours", 0)
    assert not is_loop(value, b"ours", 1)


@pytest.mark.parametrize("value", [b"", b"yours", b'other; a="ours"', b'other; a="b, ours, c"'])
def test_what_is_not_our_name_is_no_loop(value: bytes) -> None:
    assert not is_loop(value, b"ours", 0)


def test_a_chain_that_is_too_long_ends() -> None:
    assert not is_loop(b"a" * LONGEST, b"ours", 4)
    assert is_loop(b"a" * (LONGEST + 1), b"ours", 4)


@given(st.binary(max_size=100), st.integers(0, 5))
def test_each_time_that_we_pass_a_request_on_is_counted(before: bytes, times: int) -> None:
    value: bytes | None = before.replace(b'"', b"")
    counted = passes(value)
    for _ in range(times):
        value = with_own(value, b"ours")
    assert passes(value) == counted + times
    if b"ours" not in before.lower():
        assert not is_loop(value, b"ours", times)
        assert times == 0 or is_loop(value, b"ours", times - 1)
