"""What the admin API offers, as values: every role's own, and those of the role that is carried."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from aiohttp import web

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(frozen=True, slots=True)
class Operation:
    """One method on one path, and who answers it."""

    method: str
    path: str
    handler: Handler
