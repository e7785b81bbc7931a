"""Writes a plain dictionary as TOML, for config files made by tests."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path


def to_toml(document: Mapping[str, object]) -> str:
    """One line for each key of the top; tables inside are written inline."""
    return "".join(f"{_key(key)} = {_value(value)}\n" for key, value in document.items())


def _key(key: str) -> str:
    return key if key.replace("_", "").replace("-", "").isalnum() else json.dumps(key)


def _value(value: object) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case int() | float():
            return repr(value)
        case str() | Path():
            return json.dumps(str(value))
        case list() | tuple():
            return "[" + ", ".join(_value(item) for item in value) + "]"
        case Mapping():
            pairs = (f"{_key(str(key))} = {_value(item)}" for key, item in value.items())
            return "{" + ", ".join(pairs) + "}"
        case _:
            raise TypeError(f"no TOML for {value!r}")
