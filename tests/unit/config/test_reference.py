from __future__ import annotations

from pathlib import Path

from headrace.config.edge import EDGE
from headrace.config.reference import page
from headrace.config.schema import keys_of, nested_model, tables

ROOT = Path(__file__).parents[3]


def test_the_page_is_current() -> None:
    assert EDGE.page is not None
    written = (ROOT / EDGE.page.path).read_text(encoding="utf-8")
    assert written == page(EDGE), "run: python -m headrace.config.reference"


def test_every_key_is_described() -> None:
    silent = [
        f"{name}.{key}"
        for name, model, _repeats in tables(EDGE.model)
        for key, field in keys_of(model).items()
        if not field.description and nested_model(field.annotation) is None
    ]
    assert silent == []
