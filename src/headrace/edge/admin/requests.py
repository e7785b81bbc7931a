"""Reading what a client of the admin API asks for. Pure; every refusal names field and remedy."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

from headrace.edge.admin.store_admin import PurgeKind
from headrace.node.admin.problem import ProblemError

TARGETS: tuple[PurgeKind, ...] = ("url", "prefix", "tag", "all")
LARGEST_LISTING = 1000
USUAL_LISTING = 100


@dataclass(frozen=True, slots=True)
class PurgeRequest:
    """What to purge: `value` is the URL, prefix or tag as given, empty for all."""

    kind: PurgeKind
    value: str
    soft: bool
    service: str | None


@dataclass(frozen=True, slots=True)
class ListRequest:
    """Which page of the stored objects: a URL prefix or None for all, and where to go on."""

    prefix: str | None
    limit: int
    cursor: str | None


def parse_purge(body: bytes) -> PurgeRequest:
    """Read the body of POST /purge: one of url, prefix, tag or all, with soft and service."""
    fields = _json_object(body)
    unknown = sorted(set(fields) - {*TARGETS, "soft", "service"})
    if unknown:
        raise ProblemError(
            422,
            f"unknown field {unknown[0]!r}: use one of url, prefix, tag, all, and soft, service",
            field=unknown[0],
        )
    named = [kind for kind in TARGETS if kind in fields]
    if len(named) != 1:
        given = " and ".join(named) if named else "none"
        raise ProblemError(422, f"give exactly one of url, prefix, tag or all; {given} was given")
    kind = named[0]
    return PurgeRequest(
        kind=kind,
        value=_purge_value(kind, fields[kind]),
        soft=_boolean(fields.get("soft", False), "soft"),
        service=_optional_text(fields.get("service"), "service"),
    )


def parse_listing(query: Mapping[str, str]) -> ListRequest:
    """Read the query of GET /objects: prefix, limit (1 to 1000, usually 100) and cursor."""
    unknown = sorted(set(query) - {"prefix", "limit", "cursor"})
    if unknown:
        raise ProblemError(
            422,
            f"unknown parameter {unknown[0]!r}: use prefix, limit and cursor",
            field=unknown[0],
        )
    limit_text = query.get("limit", str(USUAL_LISTING))
    good = limit_text.isascii() and limit_text.isdigit() and len(limit_text) < 6
    if not good or not 1 <= int(limit_text) <= LARGEST_LISTING:
        raise ProblemError(
            422, f"limit must be a number from 1 to {LARGEST_LISTING}", field="limit"
        )
    return ListRequest(query.get("prefix"), int(limit_text), query.get("cursor"))


def parse_inspection(query: Mapping[str, str]) -> str:
    """Read the query of GET /objects/inspect: the one parameter url."""
    url = query.get("url", "")
    if not url:
        raise ProblemError(422, "name the object: add ?url=http://host/path", field="url")
    return url


def _purge_value(kind: PurgeKind, value: object) -> str:
    if kind == "all":
        if value is not True:
            raise ProblemError(422, "all must be true: it purges everything", field="all")
        return ""
    if not isinstance(value, str) or not value:
        raise ProblemError(422, f"{kind} must be text that is not empty", field=kind)
    if any("\ud800" <= character <= "\udfff" for character in value):
        raise ProblemError(422, f"{kind} has half a character (a lone surrogate)", field=kind)
    return value


def _json_object(body: bytes) -> dict[str, object]:
    try:
        value = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise ProblemError(400, f"the body is not JSON: {error}") from error
    if not isinstance(value, dict):
        raise ProblemError(400, 'the body must be a JSON object such as {"url": "http://…"}')
    return value


def _boolean(value: object, field: str) -> bool:
    if not isinstance(value, bool):
        raise ProblemError(422, f"{field} must be true or false", field=field)
    return value


def _optional_text(value: object, field: str) -> str | None:
    if value is None or (isinstance(value, str) and value):
        return value
    raise ProblemError(422, f"{field} must be text that is not empty", field=field)
