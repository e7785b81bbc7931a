"""The configuration reference, written from a root's schema.

`python -m headrace.config.reference` writes it.

A test compares the page with what this writes, so it cannot fall behind.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from headrace.config.base import Written
from headrace.config.drill import DRILL
from headrace.config.edge import EDGE
from headrace.config.feedback import FEEDBACK
from headrace.config.lab import LAB
from headrace.config.network import NETWORK
from headrace.config.root import Root
from headrace.config.router import ROUTER
from headrace.config.scenario import SCENARIO
from headrace.config.schema import header, keys_of, nested_model, tables
from headrace.config.units import format_bit_rate, format_size
from headrace.config.vip import VIP

ROOTS: tuple[Root[Any], ...] = (EDGE, ROUTER, FEEDBACK, VIP, NETWORK, SCENARIO, LAB, DRILL)
_TITLE = "# Configuration reference\n"
_NOTATION = """\
A file is [TOML](https://toml.io). Durations are seconds (`2.5`) or texts (`"250ms"`, `"10s"`,
`"5m"`, `"1h"`, `"1d"`). Sizes are bytes (`4096`) or texts (`"64MB"`, `"10GiB"`). Relative paths
start from the file's directory. Tables written `[[so]]` may be repeated.
"""
_KINDS: dict[object, str] = {
    str: "text",
    int: "whole number",
    float: "number",
    bool: "true or false",
    Path: "path",
}


def page(root: Root[Any]) -> str:
    """Return the whole page as Markdown."""
    parts = [_TITLE, _NOTATION]
    if root.page is not None:
        title = f"# {root.page.title}\n"
        parts = [title, root.page.introduction, _NOTATION, root.page.example]
    parts += [_table(name, model, repeats) for name, model, repeats in tables(root.model)]
    return "\n".join(parts)


def _table(name: str, model: type[BaseModel], repeats: bool) -> str:
    title = f"`{header(name, repeats)}`" if name else "Top of the file"
    rows = ["| key | type | default | meaning |", "|---|---|---|---|"]
    for key, field in keys_of(model).items():
        if nested_model(field.annotation) is not None:
            continue
        cells = (f"`{key}`", _kind(key, field, model), _default(key, field, model))
        rows.append(f"| {' | '.join(cells)} | {_cell(field.description or '')} |")
    summary = (model.__doc__ or "").strip().split("\n\n")[0].replace("\n    ", " ")
    if len(rows) == 2:  # it has tables alone
        return f"## {title}\n\n{summary}\n"
    return f"## {title}\n\n{summary}\n\n" + "\n".join(rows) + "\n"


def _attribute(key: str, model: type[BaseModel]) -> str:
    return next(name for name, field in model.model_fields.items() if (field.alias or name) == key)


def _kind(key: str, field: FieldInfo, model: type[BaseModel]) -> str:
    kind = _written(field.metadata) or _type_text(field.annotation)
    return f"{kind} per second" if _attribute(key, model).endswith("_per_s") else kind


def _written(metadata: Iterable[object]) -> str:
    return next((one.kind for one in metadata if isinstance(one, Written)), "")


def _type_text(annotation: Any) -> str:
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is list:
        return f"list of {_type_text(arguments[0])}s"
    if origin is dict:
        return f"table of {' to '.join(_type_text(argument) for argument in arguments)}"
    if annotation in _KINDS:
        return _KINDS[annotation]
    if origin is Literal:
        return " or ".join(f"`{_toml(argument)}`" for argument in arguments)
    texts = [_type_text(argument) for argument in arguments if argument is not type(None)]
    texts = [text for text in texts if text]
    if hasattr(annotation, "__metadata__"):
        return _written(annotation.__metadata__) or _type_text(arguments[0])
    return " or ".join(texts)


def _default(key: str, field: FieldInfo, model: type[BaseModel]) -> str:
    if field.is_required():
        return "required"
    if field.default is PydanticUndefined:
        return "see right"
    value = field.default
    if value is None:
        return "unset"
    if _kind(key, field, model) == "file mode":
        return f'`"{value:04o}"`'
    if _kind(key, field, model) == "bit rate":
        return f'`"{format_bit_rate(value)}"`'
    if _kind(key, field, model).startswith("size"):
        shown = format_size(value)
        return f"`{shown}`" if isinstance(shown, int) else f'`"{shown}"`'
    return f"`{_toml(value)}`"


def _toml(value: object) -> str:
    match value:
        case bool():
            return str(value).lower()
        case str():
            return f'"{value}"'
        case float():
            return f"{value:g}"
        case list():
            return "[" + ", ".join(_toml(item) for item in value) + "]"
        case dict() if not value:
            return "{}"
        case dict():
            return "{ " + ", ".join(f"{key} = {_toml(item)}" for key, item in value.items()) + " }"
        case _:
            return str(value)


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def main() -> None:
    """Write each root's page below the directory that the argument names, else the working one."""
    base = Path(sys.argv[1]) if len(sys.argv) > 1 else Path()
    for root in ROOTS:
        if root.page is not None:
            (base / root.page.path).write_text(page(root), encoding="utf-8")


if __name__ == "__main__":
    main()
