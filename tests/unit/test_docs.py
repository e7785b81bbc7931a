"""The documentation speaks of files that are there, and its pages are in the navigation."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = sorted((ROOT / "docs").rglob("*.md"))
TEXTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *PAGES]
_PATH = re.compile(r"`((?:src|tests|scripts|bench|docs|packaging|requirements)/[\w./-]*\w)/?`")


@pytest.mark.parametrize("page", TEXTS, ids=lambda page: str(page.relative_to(ROOT)))
def test_a_path_that_a_page_names_exists(page: Path) -> None:
    named = set(_PATH.findall(page.read_text()))
    assert [path for path in sorted(named) if not (ROOT / path).exists()] == []


def test_every_page_is_in_the_navigation() -> None:
    nav = (ROOT / "mkdocs.yml").read_text()
    pages = [str(page.relative_to(ROOT / "docs")) for page in PAGES]
    assert [page for page in pages if not re.search(rf"\b{re.escape(page)}$", nav, re.M)] == []


_ALARMING = ("warning", "error", "exception", "critical")


def _alarming_events() -> Iterator[str]:
    """Yield the events that the code logs as warnings or errors."""
    source = ROOT / "src" / "headrace"
    for path in source.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            match node:
                case ast.Call(
                    func=ast.Attribute(attr=level), args=[ast.Constant(value=str(event)), *_]
                ) if level in _ALARMING and event.isidentifier():
                    yield event


def test_every_event_that_may_wake_somebody_is_explained() -> None:
    events, text = set(_alarming_events()), "".join(page.read_text() for page in PAGES)
    assert "origin_ejected" in events
    assert sorted(event for event in events if f"`{event}`" not in text) == []
