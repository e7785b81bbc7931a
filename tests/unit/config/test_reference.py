from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from headrace.config.reference import ROOTS, page
from headrace.config.root import Root
from headrace.config.schema import keys_of, nested_model, tables

ROOT = Path(__file__).parents[3]
EACH = pytest.mark.parametrize("root", ROOTS, ids=lambda root: root.model.__module__)


@EACH
def test_the_page_is_current(root: Root[Any]) -> None:
    assert root.page is not None
    written = (ROOT / root.page.path).read_text(encoding="utf-8")
    assert written == page(root), "run: python -m headrace.config.reference"


@EACH
def test_every_key_is_described(root: Root[Any]) -> None:
    silent = [
        f"{name}.{key}"
        for name, model, _repeats in tables(root.model)
        for key, field in keys_of(model).items()
        if not field.description and nested_model(field.annotation) is None
    ]
    assert silent == []
