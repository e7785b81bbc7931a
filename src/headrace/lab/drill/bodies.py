"""The objects that a drill's clients ask for, and what their bodies have to be."""

from __future__ import annotations

import hashlib
from functools import cache

from headrace.lab.assets import LONG_PATH, MEDIA, PROBE_FILE, PROBE_PATH, long_bytes
from headrace.lab.drill.records import Body


@cache
def small_body() -> Body:
    """Return the object that new connections ask for."""
    return _body(PROBE_PATH, (MEDIA / PROBE_FILE).read_bytes())


@cache
def long_body() -> Body:
    """Return the object that long downloads are of."""
    return _body(LONG_PATH, long_bytes())


def _body(path: str, data: bytes) -> Body:
    return Body(path, len(data), hashlib.sha256(data).hexdigest())
