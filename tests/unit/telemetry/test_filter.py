"""The filter language: what it takes, what it refuses and where, and that it cannot run away."""

from __future__ import annotations

import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.telemetry.access_line import AccessLine
from headrace.telemetry.filter import DEEPEST, FIELDS, MOST_COMPARISONS, parse_filter
from headrace.telemetry.filter_words import LONGEST_FILTER, LONGEST_PATTERN, FilterError, pattern


def line(**changed: Any) -> AccessLine:
    given: dict[str, Any] = {
        "time": "2026-01-02T03:04:05.678Z",
        "request_id": "a-1",
        "service": "vod",
        "client": "192.0.2.0",
        "method": "GET",
        "host": "video.example",
        "path": "/live/a.ts",
        "status": 200,
        "bytes": 1000,
        "duration_s": 0.25,
        "first_byte_s": 0.1,
        "cache": "miss",
        "protocol": "HTTP/1.1",
    }
    return AccessLine(**{**given, **changed})


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("", True),
        ("  ", True),
        ("status == 200", True),
        ("status >= 500", False),
        ('status >= 500 and service == "vod" and path ~ "^/live/"', False),
        ('status < 500 and service == "vod" and path ~ "^/live/"', True),
        ('service == "vod" or status == 1 and status == 2', True),
        ('(service == "vod" or status == 1) and status == 2', False),
        ("not status == 200", False),
        ("not (status == 200) or duration_s > 0.2", True),
        ('cache in ("hit", "miss")', True),
        ("status in (404, 410)", False),
        ("service != 'live'", True),
        ('path ~ "*.ts$"', True),
        ('path !~ "^/live/?.ts$"', False),
        ("age_s == 0", False),
        ("age_s < 10", False),  # there is none
        ("age_s != 0", True),
        ('user_agent ~ "curl"', False),
        ('user_agent !~ "curl"', True),
        ("origin_tries > 1", False),
        ("duration_s < -1", False),
    ],
)
def test_a_filter_holds_or_not(text: str, holds: bool) -> None:
    assert parse_filter(text)(line()) is holds


@pytest.mark.parametrize(
    ("text", "position", "told"),
    [
        ("status >> 500", 9, "status is a number"),
        ("statsu == 4", 1, "did you mean status?"),
        ("status = 5", 8, "write =="),
        ('status == "500"', 11, "status is a number"),
        ("service == vod", 12, "put it in quotes"),
        ("path == /x", 9, "in quotes"),
        ("bytes > 10k", 9, "digits alone"),
        ("status == 500 path", 15, "too much"),
        ("(status == 1", 13, "opened at 1"),
        ("status == 1)", 12, "too much"),
        ("status == 1 or", 15, "a field's name"),
        ("status", 7, "the end"),
        ('path < "a"', 6, "a text"),
        ("status ~ 5", 8, "a number"),
        ("cache in hit", 10, "a list"),
        ('cache in ("hit"', 16, "opened at 10"),
        ('path ~ "a.*b"', 8, "any run is * alone"),
        ('path ~ "(a"', 8, "no regular expression"),
        ("path == 'a", 9, "has no end"),
        ('path ~ "a\\', 8, "has no end"),
        ("status == 1 && status == 2", 13, "`and`"),
        ("nothing == 1", 1, "there are time, request_id"),
    ],
)
def test_a_bad_filter_names_the_place(text: str, position: int, told: str) -> None:
    with pytest.raises(FilterError) as refused:
        parse_filter(text)
    assert (refused.value.position, told in str(refused.value)) == (position, True), refused.value


def test_length_depth_and_number_of_comparisons_are_bounded() -> None:
    deep = "(" * DEEPEST + "status == 1" + ")" * DEEPEST
    many = " or ".join(["status == 1"] * MOST_COMPARISONS)
    parse_filter(deep)
    parse_filter(many)
    for text in ("(" + deep + ")", "not " + deep, many + " or status == 1", "x" * 1025):
        with pytest.raises(FilterError, match="at most"):
            parse_filter(text)
    assert LONGEST_FILTER == 1024


def test_a_text_may_hold_quotes_and_a_pattern_any_character() -> None:
    assert parse_filter('path == "a\\"b"')(line(path='a"b'))
    assert parse_filter("path ~ '^a\\\\(b\\\\*$'".replace("\\\\", "\\"))(line(path="a(b*"))


@given(st.text(max_size=40))
def test_anything_is_a_filter_or_refused_with_a_place(text: str) -> None:
    try:
        parse_filter(text)(line())
    except FilterError as error:
        assert 1 <= error.position <= len(text) + 1


WORDS = st.sampled_from(
    ["status", "path", "service", "age_s", "==", "!=", "<", "~", "in", "(", ")", ",", "and", "or",
     "not", '"a*"', '"^b$"', "5", "-1.5"]
)  # fmt: skip


@given(st.lists(WORDS, max_size=25))
def test_any_run_of_words_is_a_filter_or_refused_with_a_place(words: list[str]) -> None:
    text = " ".join(words)
    try:
        parse_filter(text)(line())
    except FilterError as error:
        assert 1 <= error.position <= len(text) + 1


def holds(given: str, text: str) -> bool:
    """The slow and plain meaning of a pattern without anchors and escapes."""
    if not given:
        return True
    if given[0] == "*":
        return any(holds(given[1:], text[at:]) for at in range(len(text) + 1))
    return bool(text) and given[0] in ("?", text[0]) and holds(given[1:], text[1:])


def holds_to_the_end(given: str, text: str) -> bool:
    if not given:
        return not text
    if given[0] == "*":
        return any(holds_to_the_end(given[1:], text[at:]) for at in range(len(text) + 1))
    return bool(text) and given[0] in ("?", text[0]) and holds_to_the_end(given[1:], text[1:])


@given(st.text("ab*?", max_size=7), st.text("abc", max_size=9), st.booleans(), st.booleans())
def test_a_pattern_means_what_the_plain_definition_says(
    given: str, text: str, begins: bool, ends: bool
) -> None:
    plain = holds_to_the_end if ends else holds
    starts = [0] if begins else range(len(text) + 1)
    wanted = any(plain(given, text[at:]) for at in starts)
    asked = ("^" if begins else "") + given + ("$" if ends else "")
    assert pattern(asked, 1)(text) is wanted


def test_no_pattern_takes_long_for_a_hostile_text() -> None:
    """A backtracking engine would need ages: this is the difference of kind, not of speed."""
    for hostile in ("a*" * 127 + "b", "a?" * 127 + "b$", "*" * LONGEST_PATTERN, "?*" * 128):
        began = time.process_time()
        pattern(hostile, 1)("a" * 2048)
        assert time.process_time() - began < 5


def test_every_field_of_a_line_can_be_asked_for() -> None:
    for name, kind in FIELDS.items():
        value = '"x"' if kind is str else "1"
        parse_filter(f"{name} == {value}")(line())
    assert set(FIELDS) == set(AccessLine.__struct_fields__) - {"query"}
