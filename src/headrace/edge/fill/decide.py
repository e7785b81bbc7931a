"""What an origin's answer to a fill means: for what is stored, for who waits, for the store. Pure.

Only an answer that says that the origin has another representation now, or none, removes what is
stored. An error says nothing of it; nor does a part that was not asked for.
"""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from headrace.cache.record import StoredResponse
from headrace.cache.reuse import may_serve_stale_on_error
from headrace.cache.slice_requests import BodySpan, as_asked, continues, place
from headrace.cache.statuses import FIRST_ERROR
from headrace.cache.storing import (
    Storing,
    credentials_may_fill,
    decide_storing,
    sharing_refusal,
)
from headrace.cache.validation import corresponds
from headrace.edge.fill.asked import FillRequest
from headrace.edge.fill.new_record import as_whole
from headrace.http.message import Headers, ResponseHead
from headrace.http.parser import ParsedResponseHead
from headrace.http.partial import fits_the_request
from headrace.reasons import Reason, not_shared, of_status

STALE_STATUSES = frozenset((500, 502, 503, 504))
# An origin that answers the request for a missing slice so has no such representation any more.
GONE_STATUSES = frozenset((404, 410, 416))


@dataclass(frozen=True, slots=True)
class Renew:
    """The stored response is the origin's present one: freshen it by `head`."""

    stored: StoredResponse
    head: ResponseHead


@dataclass(frozen=True, slots=True)
class Outdated:
    """The origin has another representation than the stored one now, or none."""

    stored: StoredResponse


@dataclass(frozen=True, slots=True)
class Refusal:
    """Who waits fails with `status`; what is stored stays. `counted`: the origin is to blame."""

    status: int
    reason: str
    counted: bool = False


@dataclass(frozen=True, slots=True)
class Complete:
    """The body is of the stored response: write it there."""

    stored: StoredResponse
    span: BodySpan


class Store(msgspec.Struct, frozen=True):
    """A new response, to be stored; `replaces` is forgotten first."""

    head: ResponseHead
    storing: Storing
    span: BodySpan
    replaces: StoredResponse | None = None


@dataclass(frozen=True, slots=True)
class Keep:
    """Nothing is stored. `usable`: the answer fits the request that began the fill."""

    reason: Reason
    usable: bool
    replaces: StoredResponse | None = None


Decision = Renew | Outdated | Refusal | Complete | Store | Keep


def decide(
    asked: FillRequest,
    parsed: ParsedResponseHead,
    *,
    credentialed: bool,
    slice_bytes: int,
    request_time: float,
    response_time: float,
) -> Decision:
    """Return what to do with an answer. `credentialed`: the request had a client's credentials;
    times are seconds since 1970.
    """
    wanted, rules = asked.slices, asked.resource.rules
    stored, status = wanted.stored, parsed.status
    head = ResponseHead(status, parsed.headers, parsed.reason, parsed.version)
    if stored is not None and wanted.validate:
        if status == 304:
            same = corresponds(Headers(stored.headers), head.headers)
            return Renew(stored, head) if same else Outdated(stored)
        if status in STALE_STATUSES and may_serve_stale_on_error(
            stored, rules, asked.request, response_time
        ):
            return Refusal(status, of_status(status), counted=True)
    span = place(wanted, parsed, slice_bytes)
    replaces: StoredResponse | None = None
    if stored is not None and not wanted.validate:
        decision = _decide_completing(asked, stored, head, span, credentialed=credentialed)
        if decision is not None:
            return decision
        replaces = stored
    if span is None:
        return Keep(Reason.UNUSABLE_RANGE, fits_the_request(asked.request, parsed))
    storing = decide_storing(
        asked.request, as_whole(head), rules,
        request_time=request_time, response_time=response_time,
    )  # fmt: skip
    if storing.store and status >= FIRST_ERROR and asked.by_way_of_others:
        # What a client wrote into the field may be all that is wrong.
        return Keep(Reason.CDN_LOOP, as_asked(wanted, status))
    if storing.store:
        return Store(head, storing, span, replaces)
    return Keep(storing.reason, as_asked(wanted, status), replaces)


def _decide_completing(
    asked: FillRequest,
    stored: StoredResponse,
    head: ResponseHead,
    span: BodySpan | None,
    *,
    credentialed: bool,
) -> Decision | None:
    """Return what to do with the answer to a request for missing slices; None when it is another
    representation, whole, which may be stored in the other's stead.

    A part that is not to be shared fails those who wait, if one client's credentials may be why;
    else what is stored is not to be shared any more either.
    """
    status = head.status
    if status in (200, 206) and span is not None:
        if not continues(stored, span, head.headers):
            return Outdated(stored) if status == 206 else None
        rules = asked.resource.rules
        refusal = sharing_refusal(head, rules)
        if credentialed and not credentials_may_fill(head.headers, rules):
            refusal = refusal or Reason.AUTHORIZATION
        if not refusal:
            return Complete(stored, span)
        if credentialed:
            return Refusal(502, not_shared(refusal))
        return Outdated(stored)
    if status == 206:
        return Refusal(502, Reason.UNUSABLE_RANGE.word)
    if status in GONE_STATUSES or 300 <= status < 400:
        return Outdated(stored)
    return Refusal(502, of_status(status))
