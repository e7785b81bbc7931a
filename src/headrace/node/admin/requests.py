"""Reads what a client of the admin API sends into the model of the operation.

The models are the one place that knows names, types, bounds and defaults. A model that forbids
unknown fields has the first of them refused. Pure; every refusal names the field and the remedy.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any, TypeVar, get_type_hints

import msgspec
from msgspec import inspect
from msgspec.structs import fields

from headrace.node.admin.problem import ProblemError

Model = TypeVar("Model", bound=msgspec.Struct)
MOST_DIGITS = 9


def read_query(model: type[Model], query: Mapping[str, str]) -> Model:
    """Return the model of a request's parameters; of a repeated one the first counts.

    Raises ProblemError.
    """
    given = {name: query[name] for name in query}
    _check_names(model, given, "parameter")
    hints = get_type_hints(model, include_extras=True)
    values: dict[str, Any] = {}
    for field in fields(model):
        name = field.encode_name
        if field.required and not given.get(name):
            raise ProblemError(422, _missing(name, hints[field.name]), field=name)
        if name in given:
            values[field.name] = _from_text(given[name], hints[field.name], name)
    return model(**values)


def read_body(model: type[Model], body: bytes) -> Model:
    """Return the model of a JSON body. Raises ProblemError."""
    given = _json_object(body)
    _check_names(model, given, "field")
    hints = get_type_hints(model, include_extras=True)
    values: dict[str, Any] = {}
    for field in fields(model):
        name = field.encode_name
        if name in given:
            values[field.name] = _from_json(given[name], hints[field.name], name)
        elif field.required:
            raise ProblemError(422, f"{name} is missing: add it", field=name)
    return model(**values)


def known_names(model: type[msgspec.Struct]) -> list[str]:
    """Return the names that a request of this model may have."""
    return [field.encode_name for field in fields(model)]


def _check_names(model: type[msgspec.Struct], given: Mapping[str, object], kind: str) -> None:
    known = known_names(model)
    unknown = sorted(set(given) - set(known))
    if unknown and model.__struct_config__.forbid_unknown_fields:
        raise ProblemError(
            422, f"unknown {kind} {unknown[0]!r}: use {_listed(known)}", field=unknown[0]
        )


def _listed(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _missing(name: str, hint: object) -> str:
    kind = inspect.type_info(hint)
    examples = (kind.extra_json_schema or {}) if isinstance(kind, inspect.Metadata) else {}
    example = next(iter(examples.get("examples", ())), "…")
    return f"{name} is missing: add ?{name}={example}"


def _kind(hint: object) -> inspect.Type:
    """Return the type that a value must have: without metadata, and without None."""
    kind = inspect.type_info(hint)
    while isinstance(kind, inspect.Metadata | inspect.UnionType):
        kind = (
            kind.type
            if isinstance(kind, inspect.Metadata)
            else next(one for one in kind.types if not isinstance(one, inspect.NoneType))
        )
    return kind


def _from_text(text: str, hint: object, name: str) -> object:
    """Return a parameter's value. Raises ProblemError."""
    kind = _kind(hint)
    value: object = text
    if isinstance(kind, inspect.IntType):
        whole = text.isascii() and text.isdigit() and len(text) <= MOST_DIGITS
        value = int(text) if whole else None
    elif isinstance(kind, inspect.FloatType):
        try:
            number = float(text)
        except ValueError:
            number = math.nan
        value = number if math.isfinite(number) else None
    return _checked(value, hint, kind, name)


def _from_json(value: object, hint: object, name: str) -> object:
    """Return a field's value. Raises ProblemError."""
    kind = _kind(hint)
    half = isinstance(value, str) and any("\ud800" <= one <= "\udfff" for one in value)
    if isinstance(kind, inspect.StrType) and half:
        raise ProblemError(422, f"{name} has half a character (a lone surrogate)", field=name)
    return _checked(value, hint, kind, name)


def _checked(value: object, hint: object, kind: inspect.Type, name: str) -> object:
    if value is None and not isinstance(kind, inspect.StrType):
        raise ProblemError(422, f"{name} must be {_words(kind)}", field=name)
    try:
        return msgspec.convert(value, hint, strict=True)
    except msgspec.ValidationError as error:
        raise ProblemError(422, f"{name} must be {_words(kind)}", field=name) from error


def _words(kind: inspect.Type) -> str:
    """Return what a value must be, in words."""
    match kind:
        case inspect.BoolType():
            return "true or false"
        case inspect.IntType():
            return f"a number{_bounds(kind.ge, kind.le)}"
        case inspect.FloatType() if kind.gt is not None and kind.le is not None:
            return f"a number above {kind.gt:g}, {kind.le:g} at most"
        case inspect.FloatType():
            return f"a number{_bounds(kind.ge, kind.le)}"
        case inspect.LiteralType():
            return f"one of {', '.join(str(one) for one in kind.values)}"
        case inspect.StrType(min_length=1):
            return "text that is not empty"
        case _:
            return "text"


def _bounds(least: float | None, most: float | None) -> str:
    if least is not None and most is not None:
        return f" from {least} to {most}"
    return "" if least is None else f" of at least {least}"


def _json_object(body: bytes) -> dict[str, object]:
    try:
        value = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise ProblemError(400, f"the body is not JSON: {error}") from error
    if not isinstance(value, dict):
        raise ProblemError(400, 'the body must be a JSON object such as {"url": "http://…"}')
    return value
