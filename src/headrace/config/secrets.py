"""Which values of a configuration are secret: the one place that knows.

Whatever shows a configuration, or a part of it in an error, asks here. A value is hidden when its
key says so, when it is a request field for an origin (those carry keys and tokens), and, in an
error, when a mistyped key looks as if it meant a secret. Models keep such fields out of their repr.
"""

from __future__ import annotations

import difflib
import re
from typing import Any

from headrace.config.locate import TomlPath

MASK = "(hidden)"
_KEYS = frozenset({"token", "secret_key"})
_SUSPECT = re.compile(
    r"token|secret|passw|passphrase|credential|authori[sz]ation|api.?key", re.IGNORECASE
)
_USER = re.compile(r"(?<=//)[^/@\s]*@")


def is_secret(path: TomlPath) -> bool:
    """Return whether what stands at this path is to be hidden."""
    if any(part in _KEYS for part in path):
        return True
    return "origin" in path and ("headers" in path or path[-1] == "signing")


def may_be_secret(path: TomlPath) -> bool:
    """Return whether a secret may stand at a path that the schema does not know."""
    if is_secret(path):
        return True
    last = next((part for part in reversed(path) if isinstance(part, str)), "")
    if last.endswith("_file"):
        return False
    mistyped = difflib.get_close_matches(last.replace("-", "_").lower(), _KEYS, n=1)
    return bool(mistyped) or _SUSPECT.search(last) is not None


def masked(value: Any, path: TomlPath = ()) -> Any:
    """Return a document (dicts, lists and plain values) with every secret hidden."""
    if isinstance(value, dict):
        return {key: masked(one, (*path, key)) for key, one in value.items()}
    if isinstance(value, list):
        return [masked(one, (*path, number)) for number, one in enumerate(value)]
    return MASK if value is not None and is_secret(path) else value


def without_user(text: str) -> str:
    """Return a text whose URLs name no user and password."""
    return _USER.sub("", text)
