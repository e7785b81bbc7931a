"""Turns a schema's validation errors into problems that name a remedy.

Pure: pydantic's error details, the document and its root in, problems out.
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterable
from typing import Any

from pydantic import BaseModel
from pydantic_core import ErrorDetails

from headrace.config.base import toml_key
from headrace.config.former_words import FormerPaths
from headrace.config.locate import TomlPath
from headrace.config.problems import Problem
from headrace.config.root import Root
from headrace.config.schema import (
    field_at,
    header,
    is_array_of_tables,
    keys_of,
    model_at,
    tables_with,
)
from headrace.config.secrets import MASK, may_be_secret, without_user

_WIDEST_VALUE = 80
_TYPE_REMEDIES = {
    "string": 'write a text in quotes, such as "text"',
    "path": 'write a path in quotes, such as "/var/lib/headrace"',
    "int": "write a whole number without quotes",
    "float": "write a number without quotes",
    "bool": "write true or false without quotes",
}
_NAMES_OF_TYPES = {
    "string": "a text",
    "path": "a path",
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
}
_BOUNDS = {
    "greater_than": ("gt", "more than"),
    "greater_than_equal": ("ge", "at least"),
    "less_than": ("lt", "less than"),
    "less_than_equal": ("le", "at most"),
}


def explain(errors: Iterable[ErrorDetails], document: object, root: Root[Any]) -> list[Problem]:
    """Return one problem for each faulty path, in the order found."""
    problems: dict[TomlPath, Problem] = {}
    for error in errors:
        problem = _problem(error, document, root)
        problems.setdefault(problem.path, problem)
    return list(problems.values())


def explain_renamed(
    former: FormerPaths, document: dict[str, Any], root: Root[Any]
) -> list[Problem]:
    """Return a problem for each renamed key, by its path in the document as it was written."""
    problems = []
    for path, written in former.items():
        value: Any = document
        for part in written:
            value = value[part]
        text = None if isinstance(value, dict | list) else shown(value, path, root.model)
        problems.append(_renamed(written, str(path[-1]), text, model_at(root.model, path)))
    return problems


def _renamed(
    path: TomlPath, today: str, value: str | None, table: type[BaseModel] | None
) -> Problem:
    return Problem(
        path=path,
        value=value,
        message=f"`{path[-1]}` is called `{today}` now",
        remedy=f"write `{today}`" + (", also in the tables below it" if table else ""),
    )


def shown(value: object, path: TomlPath, root: type[BaseModel]) -> str:
    """Return a value as one short line, with secrets left out."""
    if may_be_secret(root, path):
        return f'"{MASK}"'
    text = without_user(json.dumps(value, ensure_ascii=False, default=str))
    return text if len(text) <= _WIDEST_VALUE else text[: _WIDEST_VALUE - 1] + "…"


def _problem(error: ErrorDetails, document: object, root: Root[Any]) -> Problem:
    kind, value = error["type"], None
    if kind == "missing":
        return _missing(error["loc"], root.model)
    path = _path_in(document, error["loc"])
    if not isinstance(error["input"], dict | list):
        value = shown(error["input"], path, root.model)
    if kind == "extra_forbidden":
        return _unknown_key(path, value, root)
    message, remedy = _message_and_remedy(error, path, root.model)
    return Problem(path=path, value=value, message=message, remedy=remedy)


def _path_in(document: object, location: tuple[int | str, ...]) -> TomlPath:
    """Return the part of pydantic's location that is in the document: it adds names of unions."""
    here = document
    path: TomlPath = ()
    for part in location:
        known = (isinstance(here, dict) and part in here) or (
            isinstance(here, list) and isinstance(part, int) and part < len(here)
        )
        if not known:
            return path
        here = here[part]  # type: ignore[index]  # a dict or a list, as just seen
        path = (*path, part)
    return path


def _missing(path: TomlPath, root: type[BaseModel]) -> Problem:
    field = field_at(root, path)
    key = str(path[-1])
    purpose = f" ({field.description})" if field is not None and field.description else ""
    if field is not None and is_array_of_tables(field):
        table = ".".join(part for part in path if isinstance(part, str))
        remedy = f"add at least one [[{table}]] table{purpose}"
    else:
        remedy = f"add `{key} = …`{purpose}"
    return Problem(path=path, message="required, but missing", remedy=remedy)


def _unknown_key(path: TomlPath, value: str | None, root: Root[Any]) -> Problem:
    key = str(path[-1])
    model = model_at(root.model, path[:-1])
    known = list(keys_of(model)) if model is not None else []
    nearest = difflib.get_close_matches(key.replace("-", "_").lower(), known, n=1)
    elsewhere = tables_with(root.model, key)
    renamed = root.renamed.get(key)
    if renamed is not None and renamed in known:
        return _renamed(path, renamed, value, model_at(root.model, (*path[:-1], renamed)))
    if toml_key(key) in known:
        remedy = f"write `{toml_key(key)}`"
    elif nearest:
        remedy = f"did you mean `{nearest[0]}`?"
    elif elsewhere:
        remedy = f"`{key}` belongs in {' or '.join(elsewhere)}"
    else:
        remedy = f"remove it; the keys known here are {', '.join(known)}"
    return Problem(path=path, value=value, message="unknown key", remedy=remedy)


def _message_and_remedy(
    error: ErrorDetails, path: TomlPath, root: type[BaseModel]
) -> tuple[str, str]:
    kind = error["type"]
    context = error.get("ctx", {})
    if kind == "value_error":
        message, _, remedy = str(context["error"]).partition(": ")
        return message, remedy or "correct the value"
    if kind == "literal_error":
        return _not_a_choice(str(context["expected"]), error["input"])
    if kind in _BOUNDS:
        name, words = _BOUNDS[kind]
        bound = (
            f"{words} {context[name]:g}"
            if isinstance(context[name], float)
            else (f"{words} {context[name]}")
        )
        return f"must be {bound}", f"write a value of {bound}"
    if kind in {"list_type", "model_type", "model_attributes_type", "dict_type"}:
        return _not_a_table(path, root)
    if kind == "string_pattern_mismatch":
        return "has characters that are not allowed", f"it must match {context['pattern']}"
    if kind in {"too_short", "string_too_short"}:
        return "is too short", f"{_lowered(error['msg'])}: add what is missing"
    base = re.sub(r"_(type|parsing|from_float)$", "", kind)
    if base in _NAMES_OF_TYPES:
        return f"must be {_NAMES_OF_TYPES[base]}", _TYPE_REMEDIES[base]
    return _lowered(error["msg"]), "correct the value"


def _lowered(message: str) -> str:
    return message[:1].lower() + message[1:]


def _not_a_choice(expected: str, value: object) -> tuple[str, str]:
    choices = re.findall(r"'([^']*)'", expected)
    remedy = "write " + " or ".join(f'"{choice}"' for choice in choices)
    nearest = difflib.get_close_matches(str(value), choices, n=1)
    if nearest:
        remedy = f'did you mean "{nearest[0]}"? {remedy[0].upper()}{remedy[1:]}'
    return "not one of the allowed values", remedy


def _not_a_table(path: TomlPath, root: type[BaseModel]) -> tuple[str, str]:
    names = ".".join(str(part) for part in path if isinstance(part, str))
    field = field_at(root, path)
    if model_at(root, path) is None or field is None:
        if field is not None and "dict" in str(field.annotation):
            return "must be a table", f"write it as [{names}] with one key a line"
        return "must be an array", f'write it in brackets: {path[-1]} = ["…"]'
    wanted = header(names, is_array_of_tables(field))
    return "must be a table", f"write it as {wanted}, with its keys on the lines below"
