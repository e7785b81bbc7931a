"""Which values of a configuration are secret: the fields that a model keeps out of its repr.

Whatever shows a configuration, or a part of it in an error, asks here. In an error, a value is
also hidden when a key that the schema does not know looks as if it meant a secret.
"""

from __future__ import annotations

import difflib
import re
from typing import Any, get_origin

from pydantic import BaseModel

from headrace.config.locate import TomlPath
from headrace.config.schema import field_at, keys_of, nested_model, tables

MASK = "(hidden)"
_SUSPECT = re.compile(
    r"token|secret|passw|passphrase|credential|authori[sz]ation|api.?key", re.IGNORECASE
)
_USER = re.compile(r"(?<=//)[^/@\s]*@")


def is_secret(root: type[BaseModel], path: TomlPath) -> bool:
    """Return whether what stands at this path is to be hidden.

    Of a table that is kept out of a repr, its own secret fields are; all of a free mapping is.
    """
    for length in range(1, len(path) + 1):
        field = field_at(root, path[:length])
        if field is None or field.repr:
            continue
        if length == len(path) or nested_model(field.annotation) is None:
            return True
    return False


def may_be_secret(root: type[BaseModel], path: TomlPath) -> bool:
    """Return the same for a path that the schema may not know."""
    if is_secret(root, path):
        return True
    last = next((part for part in reversed(path) if isinstance(part, str)), "")
    if last.endswith("_file"):
        return False
    known = secret_keys(root)
    mistyped = difflib.get_close_matches(last.replace("-", "_").lower(), known, n=1)
    return bool(mistyped) or _SUSPECT.search(last) is not None


def secret_keys(root: type[BaseModel]) -> set[str]:
    """Return the keys, in any table, whose one value is a secret."""
    return {
        key
        for _name, model, _repeats in tables(root)
        for key, field in keys_of(model).items()
        if not field.repr
        and nested_model(field.annotation) is None
        and get_origin(field.annotation) is not dict
    }


def masked(value: Any, root: type[BaseModel], path: TomlPath = ()) -> Any:
    """Return a document (dicts, lists and plain values) with every secret hidden."""
    if isinstance(value, dict):
        return {key: masked(one, root, (*path, key)) for key, one in value.items()}
    if isinstance(value, list):
        return [masked(one, root, (*path, number)) for number, one in enumerate(value)]
    return MASK if value is not None and is_secret(root, path) else value


def without_user(text: str) -> str:
    """Return a text whose URLs name no user and password."""
    return _USER.sub("", text)
