"""Read a document in today's words though it was written in older ones.

What an older file calls otherwise is a problem, but not the only one there may be: in today's words
the tables below it are checked as well, and everything is reported at once. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

from headrace.config.locate import TomlPath
from headrace.config.root import Root
from headrace.config.schema import keys_of, nested_model

FormerPaths = Mapping[TomlPath, TomlPath]
"""For each renamed key, by its path in today's words, the path as it was written."""


def in_todays_words(
    document: dict[str, Any], root: Root[Any]
) -> tuple[dict[str, Any], FormerPaths]:
    """Return a document with every former key under its name of today, and what was renamed.

    A former key beside the one of today stays what it is: unknown.
    """
    former: dict[TomlPath, TomlPath] = {}
    return _renamed(document, root.model, root.renamed, (), (), former), former


def as_written(path: TomlPath, former: FormerPaths) -> TomlPath:
    """Return the path in the document as it was written."""
    for length in range(len(path), 0, -1):
        written = former.get(path[:length])
        if written is not None:
            return (*written, *path[length:])
    return path


def _renamed(
    value: Any,
    model: type[BaseModel] | None,
    names: Mapping[str, str],
    path: TomlPath,
    written: TomlPath,
    former: dict[TomlPath, TomlPath],
) -> Any:
    if isinstance(value, list):
        return [
            _renamed(item, model, names, (*path, n), (*written, n), former)
            for n, item in enumerate(value)
        ]
    if not isinstance(value, dict) or model is None:
        return value
    known = keys_of(model)
    table: dict[str, Any] = {}
    for key, below in value.items():
        today = names.get(key, key)
        if key in known or today not in known or today in value:
            today = key
        if today != key:
            former[(*path, today)] = (*written, key)
        inner = nested_model(known[today].annotation) if today in known else None
        table[today] = _renamed(below, inner, names, (*path, today), (*written, key), former)
    return table
