"""Whether a stored response answers a request (RFC 9111 section 4, RFC 5861). Pure."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from headrace.cache.directives import ANY, NO_DIRECTIVES, CacheControl, parse_cache_control
from headrace.cache.freshness import current_age_s
from headrace.cache.record import StoredFlag, StoredResponse
from headrace.cache.rules import CacheRules
from headrace.cache.statuses import CHALLENGES
from headrace.http.message import Headers, Request
from headrace.http.methods import GET_OR_HEAD
from headrace.reasons import Reason

# Plain numbers: an operation on an enum's member takes as long as the whole decision.
_NO_CACHE = int(StoredFlag.NO_CACHE)
_IMMUTABLE = int(StoredFlag.IMMUTABLE)
_INVALIDATED = int(StoredFlag.INVALIDATED)
_STATES_STALE = int(StoredFlag.STATES_STALE)
_MUST_VALIDATE = int(StoredFlag.MUST_REVALIDATE | StoredFlag.NO_CACHE)
_NO_REASON = Reason.NONE


class Action(enum.Enum):
    """What to do with a request."""

    FRESH = "fresh"  # answer from the store
    STALE_WHILE_REVALIDATE = "stale-while-revalidate"  # answer from the store, validate behind it
    VALIDATE = "validate"  # ask the origin whether it still holds
    MISS = "miss"
    BYPASS = "bypass"  # the cache has no part in this request
    GATEWAY_TIMEOUT = "gateway-timeout"  # only-if-cached, and there is nothing


@dataclass(frozen=True, slots=True)
class Reuse:
    """The decision. `reason` says why it is not simply FRESH; age and remaining are of the
    stored response.
    """

    action: Action
    reason: Reason = _NO_REASON
    age_s: float = 0.0
    remaining_s: float = 0.0


def request_directives(headers: Headers, rules: CacheRules) -> CacheControl:
    """Return the request's directives, where they are honoured (RFC 9111 section 5.2.1); Pragma
    counts without Cache-Control (section 5.4).
    """
    if not rules.honour_request_directives:
        return NO_DIRECTIVES
    value = headers.get(b"cache-control")
    if value is None and b"no-cache" in (headers.get(b"pragma") or b"").lower():
        value = b"no-cache"
    return parse_cache_control(value)


def decide_reuse(
    request: Request, stored: StoredResponse | None, rules: CacheRules, now: float
) -> Reuse:
    """Decide what a request gets (RFC 9111 section 4).

    `stored` is the response that its key and variant select. Range plays no part.
    """
    headers = request.headers
    if request.method not in GET_OR_HEAD:
        return Reuse(Action.BYPASS, Reason.METHOD)
    if b"cookie" in headers and _bypassed_by_cookie(headers, rules):
        return Reuse(Action.BYPASS, Reason.COOKIE)
    control = request_directives(headers, rules)
    if control.no_store and not control.only_if_cached:
        return Reuse(Action.BYPASS, Reason.REQUEST_NO_STORE)
    if stored is None:
        if control.only_if_cached:
            return Reuse(Action.GATEWAY_TIMEOUT, Reason.ONLY_IF_CACHED)
        return Reuse(Action.MISS)
    if stored.status in CHALLENGES and _brings_credentials(headers):
        # What was asked for is here: the challenge was for who came without.
        if control.only_if_cached:
            return Reuse(Action.GATEWAY_TIMEOUT, Reason.ONLY_IF_CACHED)
        return Reuse(Action.BYPASS, Reason.AUTHORIZATION)
    age_s = current_age_s(stored, now)
    remaining_s = stored.lifetime_s - age_s
    action, reason = _of_stored(stored, control, rules, age_s, remaining_s)
    if action is Action.VALIDATE and control.only_if_cached:
        return Reuse(Action.GATEWAY_TIMEOUT, Reason.ONLY_IF_CACHED, age_s, remaining_s)
    return Reuse(action, reason, age_s, remaining_s)


def _of_stored(
    stored: StoredResponse,
    control: CacheControl,
    rules: CacheRules,
    age_s: float,
    remaining_s: float,
) -> tuple[Action, Reason]:
    flags = stored.flags
    if flags & _NO_CACHE:
        return Action.VALIDATE, Reason.NO_CACHE
    if control.no_cache:
        return Action.VALIDATE, Reason.REQUEST_NO_CACHE
    invalidated = bool(flags & _INVALIDATED)
    if remaining_s > 0 and not invalidated:
        if control is NO_DIRECTIVES:
            return Action.FRESH, _NO_REASON
        return _fresh_enough(stored, control, age_s, remaining_s)
    # Soft-purged content has been stale for an unknown time: as if it went stale just now.
    stale_s = max(0.0, -remaining_s)
    if (
        not flags & _MUST_VALIDATE
        and stale_s < stored.stale_while_revalidate_s
        and control.max_age is None
        and control.min_fresh is None
    ):
        return Action.STALE_WHILE_REVALIDATE, Reason.STALE_WHILE_REVALIDATE
    if control.max_stale is not None and not flags & _MUST_VALIDATE and not invalidated:
        within = control.max_stale == ANY or stale_s <= control.max_stale
        if within and (control.max_age is None or age_s <= control.max_age):
            return Action.FRESH, Reason.MAX_STALE
    return Action.VALIDATE, Reason.INVALIDATED if invalidated else Reason.STALE


def _fresh_enough(
    stored: StoredResponse, control: CacheControl, age_s: float, remaining_s: float
) -> tuple[Action, Reason]:
    """Decide on what is fresh by its own lifetime: does the request ask for more (RFC 9111 section
    5.2.1)?

    A reload's max-age=0 asks nothing of what never changes while fresh (RFC 8246 section 2).
    """
    asked_s = None if stored.flags & _IMMUTABLE else control.max_age
    if asked_s is not None and age_s > asked_s:
        allowed_s = 0 if control.max_stale is None else control.max_stale
        if allowed_s != ANY and age_s > asked_s + allowed_s:
            return Action.VALIDATE, Reason.REQUEST_MAX_AGE
    if control.min_fresh is not None and remaining_s < control.min_fresh:
        return Action.VALIDATE, Reason.REQUEST_MIN_FRESH
    return Action.FRESH, _NO_REASON


def _bypassed_by_cookie(headers: Headers, rules: CacheRules) -> bool:
    if rules.cookie_in_request == "bypass":
        return True
    if not rules.bypass_on_cookie:
        return False
    for line in headers.all(b"cookie"):
        for pair in line.split(b";"):
            if pair.partition(b"=")[0].strip() in rules.bypass_on_cookie:
                return True
    return False


def _brings_credentials(headers: Headers) -> bool:
    return b"authorization" in headers or b"proxy-authorization" in headers


def may_serve_stale_on_error(
    stored: StoredResponse,
    rules: CacheRules,
    request: Request,
    now: float,
    *,
    unreachable: bool = False,
) -> bool:
    """Return whether a stale response may stand in for an error of the origin (RFC 5861 section 4).

    `unreachable`: no origin gave an answer, so that the cache is cut off from them; then a
    service's bounded `stale_if_unreachable_s` holds where the response does not say itself (RFC
    9111 section 4.2.4). What an operator invalidated needs a window that was opened on purpose.

    must-revalidate, proxy-revalidate, s-maxage and no-cache forbid it (RFC 9111 section 4.2.4); the
    client's own no-cache and max-age are wishes (section 5.2.1): they do not ask for an error in
    place of what is still fresh. What is invalidated needs a window like what is stale.
    """
    if stored.flags & _MUST_VALIDATE:
        return False
    control = request_directives(request.headers, rules)
    window_s = stored.stale_if_error_s
    if unreachable and not stored.flags & (_STATES_STALE | _INVALIDATED):
        window_s = max(window_s, rules.stale_if_unreachable_s)
    if control.stale_if_error is not None:
        window_s = max(window_s, float(control.stale_if_error))
    stale_s = current_age_s(stored, now) - stored.lifetime_s
    if stored.flags & _INVALIDATED:
        stale_s = max(0.0, stale_s)  # it may be within its lifetime, but is not fresh
    return stale_s < window_s
