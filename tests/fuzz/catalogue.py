"""Which targets there are, and where their corpus is."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CORPUS = Path(__file__).resolve().parent / "corpus"
TARGETS = Path(__file__).resolve().parent / "targets"


def names() -> list[str]:
    """Every target, by name."""
    return sorted(file.stem for file in TARGETS.glob("[a-z]*.py"))


def checks(target: str) -> Callable[[bytes], None]:
    """The target's check."""
    found: Callable[[bytes], None] = importlib.import_module(f"tests.fuzz.targets.{target}").check
    return found


def words(target: str) -> tuple[bytes, ...]:
    """What the target's inputs are likely made of: its `WORDS`."""
    found: tuple[bytes, ...] = importlib.import_module(f"tests.fuzz.targets.{target}").WORDS
    return found
