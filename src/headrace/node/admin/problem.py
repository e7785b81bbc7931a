"""Errors of the admin API as problem details (RFC 9457)."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Literal

import msgspec

from headrace.errors import HeadraceError
from headrace.http.serializer import REASONS

CONTENT_TYPE = "application/problem+json"


class ProblemError(HeadraceError):
    """A request that cannot be carried out. `field` names the part of the request at fault.

    `errors` are the problems of a configuration that is refused.
    """

    def __init__(
        self,
        status: int,
        detail: str,
        *,
        field: str | None = None,
        errors: Sequence[Fault] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.field = field
        self.errors = errors


class Fault(msgspec.Struct, omit_defaults=True):
    """One thing wrong with a refused configuration: where, what, and what to do about it."""

    message: str
    path: str | msgspec.UnsetType = msgspec.UNSET
    remedy: str | msgspec.UnsetType = msgspec.UNSET


class Problem(msgspec.Struct, omit_defaults=True):
    """A problem (RFC 9457). Its type is about:blank, so its title is the status's phrase.

    `field` is the part of the request at fault; `errors` are a refused configuration's.
    """

    type: Literal["about:blank"]
    title: str
    status: int
    detail: str
    field: str | msgspec.UnsetType = msgspec.UNSET
    errors: list[Fault] | msgspec.UnsetType = msgspec.UNSET


def as_json(value: object) -> bytes:
    """Return a model's JSON: also of texts that are not Unicode, as a client may send them."""
    return json.dumps(msgspec.to_builtins(value)).encode()


def problem_body(
    status: int, detail: str, *, field: str | None = None, errors: Sequence[Fault] | None = None
) -> bytes:
    """Return the JSON of one problem."""
    return as_json(
        Problem(
            type="about:blank",
            title=REASONS[status].decode(),
            status=status,
            detail=detail,
            field=msgspec.UNSET if field is None else field,
            errors=msgspec.UNSET if errors is None else list(errors),
        )
    )
