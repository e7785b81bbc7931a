"""The list of reasons is whole: no word stands in the code that is not on it."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from headrace.config.edge.pools import ALL_FAILURES
from headrace.reasons import Area, Reason, meaning_of, not_shared, of_status
from headrace.upstream.errors import Failure
from headrace.upstream.retry import Stop

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "headrace"
REFERENCE = (ROOT / "docs" / "reference" / "configuration.md").read_text(encoding="utf-8")
# Where a call takes a reason: the position of the argument.
ARGUMENTS: dict[str, tuple[int, ...]] = {
    "Failed": (1,),
    "Reuse": (1,),
    "SliceFailed": (0,),
    "Storing": (1,),
    "TlsBroken": (0,),
    "Uncacheable": (2,),
    "_broke_off": (0, 2),
    "_failing": (2,),
    "_passing": (2,),
    "abort": (0,),
    "error": (2,),
    "event": (1,),
    "fail": (0,),
    "origin_error": (1,),
    "timed_out": (0,),
}
KEYWORDS = frozenset(("detail", "failure", "problem", "reason"))
COUNTERS = frozenset(
    ("connections_refused", "not_stored", "origin_errors", "timeouts", "tls_failed")
)
NO_REASONS = frozenset(("disk", "full", "resumed"))  # of the events that count no failure
# Here `problem` and `detail` are sentences for an operator.
SENTENCES = ("cli", "config", "node", "edge/admin", "feedback/kept")


def modules() -> list[Path]:
    return [
        path
        for path in sorted(SOURCE.rglob("*.py"))
        if not path.relative_to(SOURCE).as_posix().startswith(SENTENCES)
    ]


def called(node: ast.Call) -> str:
    match node.func:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
    return ""


def positions(tree: ast.AST) -> Iterator[tuple[str, ast.expr]]:
    """Every expression that stands where a reason belongs, and what takes it."""
    for node in ast.walk(tree):
        match node:
            case ast.Call():
                name = called(node)
                for at in ARGUMENTS.get(name, ()):
                    if at < len(node.args):
                        yield name, node.args[at]
                for keyword in node.keywords:
                    if keyword.arg in KEYWORDS:
                        yield keyword.arg, keyword.value
            case ast.Subscript(value=ast.Attribute(attr=name)) if name in COUNTERS:
                yield name, node.slice


def words(expression: ast.expr) -> Iterator[object]:
    """The texts that are written out in an expression, but for what it calls."""
    match expression:
        case ast.Constant(value=str() | bytes() as word):
            yield word
        case ast.JoinedStr():
            yield ast.unparse(expression)
        case ast.IfExp(body=body, orelse=otherwise):
            yield from words(body)
            yield from words(otherwise)
        case ast.BoolOp(values=values):
            for each in values:
                yield from words(each)


def written_out(source: str) -> list[tuple[str, object]]:
    return [
        (name, word)
        for name, expression in positions(ast.parse(source))
        for word in words(expression)
        if word and word not in NO_REASONS
    ]


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(SOURCE)))
def test_no_reason_is_written_out_in_the_code(path: Path) -> None:
    assert written_out(path.read_text(encoding="utf-8")) == [], "add it to headrace/reasons.py"


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ('Storing(False, b"too-blue")', [("Storing", b"too-blue")]),
        ('edge.metrics.timeouts["head"] += 1', [("timeouts", "head")]),
        ('x.abort("gone" if x else reason)', [("abort", "gone")]),
        ('log.warning("fill_failed", failure="new")', [("failure", "new")]),
        ('CacheResult("pass", detail=detail or b"new")', [("detail", b"new")]),
        ('self.fail(f"status_{status}")', [("fail", "f'status_{status}'")]),
        ('x.event("tls", "resumed")', []),
        ("x.abort(Reason.STOPPED.word)", []),
    ],
)
def test_the_check_sees_a_word(source: str, found: list[tuple[str, object]]) -> None:
    assert written_out(source) == found


def test_the_check_knows_the_names_of_today() -> None:
    taken = {
        name
        for path in modules()
        for name, _expression in positions(ast.parse(path.read_text(encoding="utf-8")))
    }
    assert taken >= ARGUMENTS.keys() | {"detail", "failure", "reason"}


def test_every_reason_says_what_it_means() -> None:
    for reason in Reason:
        assert bool(reason) == (reason is not Reason.NONE)
        assert reason.word.encode() == reason
        if reason:
            assert re.fullmatch(r"[a-z][a-z_-]*", reason.word), reason
            assert re.fullmatch(r"[A-Z`].*\.", reason.meaning), reason


def test_a_word_has_one_meaning_where_it_is_seen() -> None:
    apart = {Area.TIMEOUT, Area.REFUSED, Area.TLS, Area.POSTING, Area.PEER}
    seen = [each.word for each in Reason if each and each.area not in apart]
    assert len(seen) == len(set(seen))
    assert meaning_of("head") == Reason.HEAD.meaning
    assert meaning_of("somebody's own") == ""


def test_two_spellings_of_one_word_are_not_on_the_list() -> None:
    spelled = [each.word.replace("-", "_") for each in Reason if each.area is not Area.TIMEOUT]
    assert len(spelled) == len(set(spelled))


def test_settings_that_meanings_name_exist() -> None:
    for reason in Reason:
        for table, key in re.findall(r"`(cache|limits|timeouts)\.(\w+)`", reason.meaning):
            section = REFERENCE.partition(f"{table}]`\n")[2].partition("\n## ")[0]
            assert f"\n| `{key}` |" in section, f"{reason!r} names {table}.{key}"


def test_what_fails_at_origins_is_on_the_list() -> None:
    known = {each.word for each in Reason if each.area in (Area.ORIGIN, Area.RETRY)}
    assert {each.value for each in Failure} <= known
    assert {each.value for each in Stop} <= known
    assert set(ALL_FAILURES) <= {each.value for each in Failure}


def test_words_that_hold_another_word() -> None:
    assert of_status(503) == "status_503"
    assert not_shared(Reason.NO_STORE) == "not_shared_no-store"
