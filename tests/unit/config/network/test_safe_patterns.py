"""A pattern is accepted only if no text can keep a matcher that backtracks busy."""

from __future__ import annotations

import re
from collections.abc import Sequence
from re import _constants as words  # type: ignore[attr-defined]
from re import _parser as parser  # type: ignore[attr-defined]
from typing import Any

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from headrace.config.network.safe_patterns import Walk, characters_of, check_pattern

SAFE = [
    "/(?P<programme>[^/]+)/(?P<version>[^/]+)/",
    r"(.*)/[^/]*\.mp4",
    "(?:/[^/]+){2}",
    r"^/v(\d+)/x$",
    "[a-z]+[0-9]+[a-z]+x",
    "a{1000}",
    "/vod/(?P<title>[^/]+?)(?:_[0-9]+)?/",
    "/(?:live|catchup)/(?P<channel>[^/]+)/",
    "a{0,4000}b",
    "[^/]++/.*+",
    "/(a|b|)/[^_]*_[^_]*_",
]
UNSAFE = [
    ("(a+)+b", "a group is repeated without a bound"),
    ("(a|b|ab)*c", "a group is repeated without a bound"),
    (".*.*x", "two repetitions may match the same text"),
    (".*a[^/]+/", "two repetitions may match the same text"),
    ("[^/]*x?[^/]*y", "two repetitions may match the same text"),
    ("(.*)_(?P<a>.*)_", "two repetitions may match the same text"),
    ("(?:.*,){11}P", "two repetitions may match the same text"),
    ("(?:ab|cd|e.)(?:ab|cd|e.)(?:ab|cd|e.)(?:ab|cd|e.)", "more than 64 combinations"),
    ("(?:a?){16}", "more than 64 combinations"),
    ("((((a{2}b){16}c){16}d){16}e){16}", "too long once its repeated groups are written out"),
    (r"(.)\1", "refers back to a group"),
    ("(?=a)a", "looks ahead or behind"),
    ("(?<!a)b", "looks ahead or behind"),
    ("(?>a+)b", "has an atomic group"),
    ("(a)?(?(1)b|c)", "asks whether a group has matched"),
    (r"a\b", r"\b and \B are not known here"),
    ("(?i)a", "flags such as (?i)"),
    ("(?i:a)", "flags such as (?i:…)"),
    ("[[a]", "not a regular expression (Possible nested set"),
    ("(?P<a>", "not a regular expression"),
    ("é", "a pattern is ASCII"),
    ("a{99999999999999999999}", "not a regular expression"),
]


@pytest.mark.parametrize("pattern", SAFE)
def test_a_pattern_that_cannot_be_kept_busy_is_compiled(pattern: str) -> None:
    assert check_pattern(pattern) == re.compile(pattern, re.ASCII)


@pytest.mark.parametrize(("pattern", "complaint"), UNSAFE)
def test_a_pattern_that_can_be_kept_busy_is_refused(pattern: str, complaint: str) -> None:
    with pytest.raises(ValueError, match=re.escape(complaint)) as raised:
        check_pattern(pattern)
    message, colon, remedy = str(raised.value).partition(": ")
    assert message
    assert (colon, bool(remedy)) == (": ", True)


class Backtracker:
    """Matches as `re` does, but without any of its shortcuts, and counts its steps.

    A pattern becomes a program: `char` matches one of some characters, `split` tries one place and
    then another, `jump` continues elsewhere, `at` holds at the start or at the end.
    """

    def __init__(self, pattern: str) -> None:
        self.program: list[tuple[str, int, int]] = []
        self._compile(list(parser.parse(pattern, re.ASCII)))

    def matches(self, text: str, most_steps: int) -> bool:
        """Return whether a text begins so. Raises AssertionError after too many steps."""
        to_try = [(0, 0)]
        steps = 0
        while to_try:
            place, at = to_try.pop()
            steps += 1
            assert steps <= most_steps, f"busy with {text!r}"
            if place == len(self.program):
                return True
            word, one, other = self.program[place]
            if word == "split":
                to_try += [(other, at), (one, at)]
            elif word == "jump":
                to_try.append((one, at))
            elif word == "at":
                if at == (len(text) if one else 0):
                    to_try.append((place + 1, at))
            elif at < len(text) and one >> ord(text[at]) & 1:
                to_try.append((place + 1, at + 1))
        return False

    def _emit(self, word: str, one: int = 0, other: int = 0) -> int:
        self.program.append((word, one, other))
        return len(self.program) - 1

    def _compile(self, items: Sequence[Any]) -> None:
        for kind, details in items:
            if kind is words.SUBPATTERN:
                self._compile(list(details[3]))
            elif kind is words.BRANCH:
                self._branch([list(branch) for branch in details[1]])
            elif kind in (words.MAX_REPEAT, words.MIN_REPEAT):
                self._repeat(*details, lazy=kind is words.MIN_REPEAT)
            elif kind is words.AT:
                self._emit("at", details in (words.AT_END, words.AT_END_STRING))
            else:
                self._emit("char", characters_of(kind, details))

    def _branch(self, branches: Sequence[Sequence[Any]]) -> None:
        ends = []
        for branch in branches:
            split = self._emit("split")
            self._compile(branch)
            ends.append(self._emit("jump"))
            self.program[split] = ("split", split + 1, len(self.program))
        never = self._emit("char")  # the last branch has failed too
        for end in ends:
            self.program[end] = ("jump", never + 1, 0)

    def _repeat(self, least: int, most: Any, body: Any, *, lazy: bool) -> None:
        for _ in range(least):
            self._compile(list(body))
        optional = 1 if most is words.MAXREPEAT else most - least
        splits = []
        for _ in range(optional):
            splits.append(self._emit("split"))
            self._compile(list(body))
        if most is words.MAXREPEAT:
            self._emit("jump", splits[0])
        end = len(self.program)
        for split in splits:
            ways = (end, split + 1) if lazy else (split + 1, end)
            self.program[split] = ("split", *ways)


CHARACTERS = st.sampled_from(["a", "b", "/", "[ab]", "[^/]", "[^a]", ".", r"[b/]"])
REPEATED = st.builds(
    lambda one, times: one + times,
    CHARACTERS,
    st.sampled_from(["", "", "*", "+", "?", "*?", "+?", "{2}", "{0,3}", "{20}"]),
)
PATTERNS = st.recursive(
    st.lists(REPEATED, min_size=1, max_size=6).map("".join),
    lambda inner: st.one_of(
        st.builds("({}|{})".format, inner, inner),
        st.builds("({})?{}".format, inner, inner),
        st.builds("({}){{2}}{}".format, inner, inner),
        st.builds("{}({})*{}".format, inner, inner, inner),
    ),
    max_leaves=4,
)
TEXTS = st.one_of(
    st.text("ab/", max_size=120),
    st.builds(
        lambda part, times, end: part * times + end,
        st.text("ab/", min_size=1, max_size=3),
        st.integers(1, 50),
        st.text("ab/", max_size=2),
    ),
)


@given(PATTERNS, TEXTS)
@example("(.*)/[^/]*b", "/" * 300)
@example("[^/]*b", "a" * 300)
@example(".*/[^/]*a/[^/]*/b", "/a" * 150)
def test_no_text_keeps_an_accepted_pattern_busy(pattern: str, text: str) -> None:
    try:
        compiled = check_pattern(pattern)
    except ValueError:
        assume(False)
    found = Backtracker(pattern).matches(text, most_steps(pattern, text))
    assert found == bool(compiled.match(text))


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        (".*.*x", "a" * 300),
        (".*a[^/]+/", "a" * 300),
        ("[^/]*a?[^/]*y", "a" * 300),
        ("(a+)+b", "a" * 30),
    ],
)
def test_the_count_of_steps_finds_those_that_are_refused(pattern: str, text: str) -> None:
    with pytest.raises(ValueError, match="can keep a server busy"):
        check_pattern(pattern)
    with pytest.raises(AssertionError, match="busy with"):
        Backtracker(pattern).matches(text, 8 * len(pattern) * (len(text) + 2))


def most_steps(pattern: str, text: str) -> int:
    """Return what an accepted pattern may cost: for each choice each place meets each character a
    few times at most.
    """
    walk = Walk()
    walk.sequence(list(parser.parse(pattern, re.ASCII)), ())
    return 4 * walk.choices * (walk.steps + 2) * (len(text) + 2)


@given(st.text(st.characters(max_codepoint=0x7F), max_size=40))
@example("[[")
@example("[a--b]")
def test_any_text_is_a_safe_pattern_or_refused(text: str) -> None:
    try:
        check_pattern(text)
    except ValueError as error:
        assert ": " in str(error)
