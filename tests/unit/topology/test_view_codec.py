"""A view is taken as a whole, or refused as a whole with the kind of why."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.topology.view import NO_VIEW, ServerState, ServerView, View
from headrace.topology.view_codec import (
    LARGEST_BYTES,
    Refusal,
    ViewError,
    check_newer,
    decode_view,
    encode_view,
)

NAMES = st.text(min_size=1, max_size=20)
WEIGHTS = st.floats(0, 1e6)
VIEWS = st.builds(
    View,
    st.integers(1, 2**53),
    st.floats(0, 1e10),
    st.dictionaries(NAMES, st.builds(ServerView, st.sampled_from(ServerState), WEIGHTS)),
    st.dictionaries(NAMES, st.dictionaries(NAMES, WEIGHTS)),
    st.dictionaries(NAMES, st.dictionaries(NAMES, st.floats(0, 1))),
    st.dictionaries(NAMES, st.dictionaries(NAMES, st.integers(1, 1000))),
    st.dictionaries(NAMES, st.dictionaries(NAMES, st.dictionaries(NAMES, WEIGHTS))),
)


@given(VIEWS)
def test_what_is_written_is_read(view: View) -> None:
    data = encode_view(view)
    assert b"\n" not in data
    assert decode_view(data) == view


@given(st.one_of(st.binary(), st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
).map(lambda value: json.dumps(value).encode())))  # fmt: skip
def test_anything_else_is_malformed(data: bytes) -> None:
    with pytest.raises(ViewError) as refused:
        decode_view(data)
    assert refused.value.kind is Refusal.MALFORMED


WRONG = {
    "no version": {"made_at": 1.0},
    "no time": {"version": 1},
    "version of 0": {"version": 0, "made_at": 1.0},
    "huge version": {"version": 2**63, "made_at": 1.0},
    "version in letters": {"version": "1", "made_at": 1.0},
    "negative time": {"version": 1, "made_at": -1.0},
    "time that is not a number": {"version": 1, "made_at": math.nan},
    "time without an end": {"version": 1, "made_at": math.inf},
    "unknown key": {"version": 1, "made_at": 1.0, "server": {}},
    "unknown state": {"version": 1, "made_at": 1.0, "servers": {"a": {"state": "dead"}}},
    "unknown key of a server": {"version": 1, "made_at": 1.0, "servers": {"a": {"load": 1}}},
    "negative weight": {"version": 1, "made_at": 1.0, "servers": {"a": {"weight": -0.1}}},
    "weight that is not a number": {
        "version": 1, "made_at": 1.0, "servers": {"a": {"weight": math.nan}},
    },
    "huge weight": {"version": 1, "made_at": 1.0, "coverage": {"c": {"s": 1e7}}},
    "negative weight of a class": {
        "version": 1, "made_at": 1.0, "by_class": {"k": {"c": {"s": -1.0}}},
    },
    "class without coverage": {"version": 1, "made_at": 1.0, "by_class": {"k": {"c": 1.0}}},
    "empty name": {"version": 1, "made_at": 1.0, "servers": {"": {}}},
    "long name": {"version": 1, "made_at": 1.0, "servers": {"x" * 513: {}}},
    "share above 1": {"version": 1, "made_at": 1.0, "demand": {"c": {"s": 1.1}}},
    "width of 0": {"version": 1, "made_at": 1.0, "widths": {"c": {"s": 0}}},
    "broken width": {"version": 1, "made_at": 1.0, "widths": {"c": {"s": 1.5}}},
}  # fmt: skip


@pytest.mark.parametrize("document", WRONG.values(), ids=WRONG.keys())
def test_nonsense_is_malformed(document: object) -> None:
    with pytest.raises(ViewError) as refused:
        decode_view(json.dumps(document).encode())
    assert refused.value.kind is Refusal.MALFORMED


@pytest.mark.parametrize("text", ['{"version":1,"made_at":1e999}', "[" * 100_000, "", "null"])
def test_what_only_text_can_say_is_malformed_too(text: str) -> None:
    with pytest.raises(ViewError) as refused:
        decode_view(text.encode())
    assert refused.value.kind is Refusal.MALFORMED


def test_one_that_is_too_large_is_not_even_read() -> None:
    with pytest.raises(ViewError) as refused:
        decode_view(b" " * (LARGEST_BYTES + 1))
    assert refused.value.kind is Refusal.TOO_LARGE


def test_nobody_writes_what_nobody_would_take() -> None:
    with pytest.raises(ViewError):
        encode_view(View(1, 1.0, {"a": ServerView(weight=-1.0)}))
    with pytest.raises(ViewError):
        encode_view(NO_VIEW)


@pytest.mark.parametrize(
    ("made_at", "version", "expected"),
    [
        (100.0, 5, False),
        (100.0, 6, True),
        (100.0, 4, Refusal.OLDER),
        (99.0, 9, Refusal.OLDER),
        (101.0, 1, True),
        (160.0, 1, True),
        (161.0, 1, Refusal.FROM_THE_FUTURE),
    ],
)
def test_the_later_made_counts(made_at: float, version: int, expected: bool | Refusal) -> None:
    in_force = View(5, 100.0)
    found: bool | Refusal
    try:
        found = check_newer(View(version, made_at), in_force, now=100.5)
    except ViewError as error:
        found = error.kind
    assert found is expected
