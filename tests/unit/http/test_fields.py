from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.http.fields import (
    HOP_BY_HOP,
    hop_by_hop,
    is_token,
    parse_content_length,
    persists,
    split_list,
)
from headrace.http.message import Headers
from headrace.http.serializer import customary, field_lines


@pytest.mark.parametrize(
    ("value", "items"),
    [
        (b"a, b,c", [b"a", b"b", b"c"]),
        (b",, a ,", [b"a"]),
        (b'"a,b", c', [b'"a,b"', b"c"]),
        (b'W/"a", "b\\",c"', [b'W/"a"', b'"b\\",c"']),
        (b"", []),
    ],
)
def test_lists_are_split(value: bytes, items: list[bytes]) -> None:
    assert split_list(value) == items


@given(st.lists(st.from_regex(rb"[a-z]{1,5}", fullmatch=True)))
def test_a_list_of_tokens_splits_into_them(tokens: list[bytes]) -> None:
    assert split_list(b" , ".join(tokens)) == tokens


def test_connection_nominates_fields() -> None:
    headers = Headers([(b"connection", b"close, X-Private")])
    assert hop_by_hop(headers) == HOP_BY_HOP | {b"close", b"x-private"}


@pytest.mark.parametrize(
    ("lines", "old", "new"),
    [
        ([], False, True),
        ([b""], False, True),
        ([b"close"], False, False),
        ([b"Keep-Alive"], True, True),
        ([b"keep-alive, CLOSE"], False, False),
        ([b"keep-alive", b"close"], False, False),
        ([b"x-close"], False, True),
        ([b"upgrade ,keep-alive"], True, True),
    ],
)
def test_a_connection_stays_open_by_its_version_and_options(
    lines: list[bytes], old: bool, new: bool
) -> None:
    assert (persists(lines, (1, 0)), persists(lines, (1, 1))) == (old, new)


@given(
    st.lists(st.sampled_from([b"close", b"keep-alive", b"Close", b"x", b""]), min_size=1),
    st.sampled_from([(1, 0), (1, 1)]),
    st.randoms(use_true_random=False),
)
def test_how_options_are_spread_over_lines_does_not_matter(
    options: list[bytes], version: tuple[int, int], random: Random
) -> None:
    lines = [options[0]]
    for option in options[1:]:
        if random.random() < 0.5:
            lines.append(option)
        else:
            lines[-1] += b" , " + option
    assert persists(lines, version) is persists([b",".join(options)], version)


@pytest.mark.parametrize(
    ("value", "length"), [(b"0", 0), (b"12", 12), (b"+1", None), (b"", None), (b"9" * 30, None)]
)
def test_content_length(value: bytes, length: int | None) -> None:
    assert parse_content_length(value) == length


@pytest.mark.parametrize(("text", "token"), [(b"abc", True), (b"", False), (b"a b", False)])
def test_tokens(text: bytes, token: bool) -> None:
    assert is_token(text) is token


@pytest.mark.parametrize(
    ("name", "written"),
    [(b"content-length", b"Content-Length"), (b"etag", b"ETag"), (b"x-a", b"X-A")],
)
def test_names_are_written_as_is_customary(name: bytes, written: bytes) -> None:
    assert customary(name) == written


def test_fields_are_written_in_order() -> None:
    assert field_lines([(b"a", b"1"), (b"b", b"2")]) == b"A: 1\r\nB: 2\r\n"
