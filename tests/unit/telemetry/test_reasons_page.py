"""The page about reasons says what the program's list says."""

from __future__ import annotations

from pathlib import Path

from headrace.reasons import Reason
from headrace.telemetry.reasons_page import PAGE, page

ROOT = Path(__file__).parents[3]


def test_the_page_is_current() -> None:
    written = (ROOT / PAGE).read_text(encoding="utf-8")
    assert written == page(), "run: python -m headrace.telemetry.reasons_page"


def test_the_page_lists_every_reason() -> None:
    written = page()
    assert all(f"| `{each.word}` | {each.meaning} |" in written for each in Reason if each)
