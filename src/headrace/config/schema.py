"""Questions about a root's schema: which model describes a TOML path, and which keys it knows."""

from __future__ import annotations

import typing
from collections.abc import Iterator

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from headrace.config.locate import TomlPath


def nested_model(annotation: object) -> type[BaseModel] | None:
    """Return the model inside `Model`, `list[Model]` or `Model | None`; None for plain values."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    for argument in typing.get_args(annotation):
        model = nested_model(argument)
        if model is not None:
            return model
    return None


def is_array_of_tables(field: FieldInfo) -> bool:
    """Return whether the field is written as repeated `[[tables]]`."""
    return (
        typing.get_origin(field.annotation) is list and nested_model(field.annotation) is not None
    )


def keys_of(model: type[BaseModel]) -> dict[str, FieldInfo]:
    """Return a model's fields by TOML key, in the order they were declared."""
    return {field.alias or name: field for name, field in model.model_fields.items()}


def field_at(root: type[BaseModel], path: TomlPath) -> FieldInfo | None:
    """Return the field that a TOML path names, indexes left aside; None where there is none."""
    model: type[BaseModel] | None = root
    field: FieldInfo | None = None
    for part in path:
        if isinstance(part, int):
            continue
        field = keys_of(model).get(part) if model is not None else None
        if field is None:
            return None
        model = nested_model(field.annotation)
    return field


def model_at(root: type[BaseModel], path: TomlPath) -> type[BaseModel] | None:
    """Return the model of the table at a TOML path; None where it is no table of the schema."""
    if not any(isinstance(part, str) for part in path):
        return root
    field = field_at(root, path)
    return nested_model(field.annotation) if field is not None else None


def tables(root: type[BaseModel]) -> Iterator[tuple[str, type[BaseModel], bool]]:
    """Yield every table: its dotted name ("" for the top), its model, and whether it repeats."""
    yield "", root, False
    yield from _tables_below("", root)


def _tables_below(
    prefix: str, model: type[BaseModel]
) -> Iterator[tuple[str, type[BaseModel], bool]]:
    for key, field in keys_of(model).items():
        below = nested_model(field.annotation)
        if below is not None:
            yield prefix + key, below, is_array_of_tables(field)
            yield from _tables_below(f"{prefix}{key}.", below)


def header(name: str, repeats: bool) -> str:
    """Return a table's header as written: `[store]`, `[[service]]`."""
    return f"[[{name}]]" if repeats else f"[{name}]"


def tables_with(root: type[BaseModel], key: str) -> list[str]:
    """Return the headers of the tables below the top that know `key`."""
    return [
        header(name, repeats)
        for name, model, repeats in tables(root)
        if name and key in keys_of(model)
    ]
