"""What the admin API can do, as values: each operation says what it takes, returns and refuses.

One table of these makes the routes, the checks of what a client sends, the responses and the API's
OpenAPI document. A role brings a tuple of its own; what every role has is in `every_role`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Literal

import msgspec

Method = Literal["GET", "POST"]


class NoRequest(msgspec.Struct):
    """Nothing is taken: parameters and a body are ignored."""


@dataclass(frozen=True, slots=True)
class Media:
    """A response that is not one JSON object of a model.

    `lines` are the models of its lines, where it is lines of JSON.
    """

    media_type: str
    lines: tuple[type[msgspec.Struct], ...] = ()


@dataclass(frozen=True, slots=True)
class Operation:
    """One method of one path.

    `request` is read from a GET's parameters or a POST's JSON body and handed to the handler. The
    handler returns a value of `response` or, where that is a Media, bytes, or an iterator of bytes
    that are sent as they come; it raises ProblemError with one of `refusals`. Its first bytes are
    waited for before the response begins, so the iterator may refuse too.
    """

    method: Method
    path: str
    summary: str
    handler: Callable[[Any], Awaitable[object]]
    response: type[msgspec.Struct] | Media
    returns: str
    """What a response of 200 holds, in words."""
    request: type[msgspec.Struct] = NoRequest
    refusals: tuple[int, ...] = ()
    """The statuses of its own; those that any such operation may answer with are added."""
    needs_token: bool = True
    for_reports: bool = False
    """Whether the token for reports is enough."""

    @property
    def takes_body(self) -> bool:
        """Whether the request is a body, not parameters."""
        return self.method == "POST" and self.request is not NoRequest

    @property
    def statuses(self) -> tuple[int, ...]:
        """Every status it may answer with besides 200."""
        found = {403, 415, 500, *self.refusals}
        if self.needs_token:
            found.add(401)
        if self.request is not NoRequest:
            found.add(422)
        if self.takes_body:
            found |= {400, 408, 413}
        return tuple(sorted(found))


Operations = tuple[Operation, ...]
