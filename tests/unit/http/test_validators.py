"""Comparing entity tags (RFC 9110 section 8.8.3)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.http.message import Headers
from headrace.http.validators import (
    is_strong,
    is_weak,
    same_representation,
    strongly_equal,
    weakly_equal,
)

CHARACTERS = [bytes((code,)) for code in (0x21, *range(0x23, 0x7F), *range(0x80, 0x100))]
OPAQUE = st.lists(st.sampled_from(CHARACTERS), max_size=8).map(lambda c: b'"%s"' % b"".join(c))
TAGS = st.builds(lambda weak, opaque: (b"W/" if weak else b"") + opaque, st.booleans(), OPAQUE)
FEW_TAGS = st.sampled_from([b'"a"', b'W/"a"', b'"b"', b'W/"b"', b"a", b'w/"a"', b""])


@pytest.mark.parametrize(
    ("tag", "strong"),
    [
        (b'"a"', True), (b'""', True), (b'"\xfc"', True), (b'W/"a"', False), (b"a", False),
        (b'"', False), (b'"a", "b"', False), (b'"a""b"', False), (b'"a b"', False), (b"", False),
        (b'"a', False), (b'w/"a"', False), (b'"\x7f"', False), (b'"\t"', False), (None, False),
    ],
)  # fmt: skip
def test_a_strong_tag(tag: bytes | None, strong: bool) -> None:
    assert is_strong(tag) is strong


@given(TAGS)
def test_a_well_formed_tag_is_either_strong_or_weak(tag: bytes) -> None:
    assert is_strong(tag) is not is_weak(tag)


# RFC 9110 section 8.8.3.2, its table.
@pytest.mark.parametrize(
    ("one", "other", "strongly", "weakly"),
    [
        (b'W/"1"', b'W/"1"', False, True),
        (b'W/"1"', b'W/"2"', False, False),
        (b'W/"1"', b'"1"', False, True),
        (b'"1"', b'"1"', True, True),
    ],
)
def test_comparisons(one: bytes, other: bytes, strongly: bool, weakly: bool) -> None:
    assert (strongly_equal(one, other), weakly_equal(one, other)) == (strongly, weakly)


@given(FEW_TAGS, FEW_TAGS)
def test_comparisons_are_symmetric_and_the_strong_one_implies_the_weak(
    one: bytes, other: bytes
) -> None:
    assert strongly_equal(one, other) is strongly_equal(other, one)
    assert weakly_equal(one, other) is weakly_equal(other, one)
    assert weakly_equal(one, other) or not strongly_equal(one, other)


@given(FEW_TAGS, FEW_TAGS)
def test_what_may_be_combined_is_strongly_equal(one: bytes, other: bytes) -> None:
    if same_representation(Headers([(b"etag", one)]), Headers([(b"etag", other)])):
        assert strongly_equal(one, other)
        assert is_strong(one)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ([(b"etag", b'"a"')], [(b"etag", b'"a"')], True),
        ([(b"etag", b'"a"')], [(b"etag", b'"b"')], False),
        ([(b"etag", b'W/"a"')], [(b"etag", b'W/"a"')], False),
        ([(b"etag", b'"a"')], [(b"etag", b'W/"a"')], False),
        ([(b"etag", b'"a"')], [], False),
        ([], [], False),
        ([(b"last-modified", b"x")], [(b"last-modified", b"x")], False),
        ([(b"etag", b'"a"')] * 2, [(b"etag", b'"a"')] * 2, False),
        ([(b"etag", b"a")], [(b"etag", b"a")], False),
    ],
)
def test_parts_are_combined_by_one_strong_tag_alone(
    one: list[tuple[bytes, bytes]], other: list[tuple[bytes, bytes]], same: bool
) -> None:
    assert same_representation(Headers(one), Headers(other)) is same
