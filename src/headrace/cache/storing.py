"""Whether a response may be stored by a shared cache, for how long, and what of it. Pure.

RFC 9111 sections 3 and 5.2.2, RFC 9213 (targeted fields), RFC 5861 (stale windows).
"""

from __future__ import annotations

import msgspec

from headrace.cache.directives import CacheControl, parse_cache_control, parse_targeted
from headrace.cache.freshness import (
    corrected_initial_age_s,
    explicit_lifetime_s,
    heuristic_lifetime_s,
)
from headrace.cache.record import StoredFlag
from headrace.cache.rules import CacheRules
from headrace.cache.statuses import FIRST_ERROR, UNDERSTOOD, longest_s, may_be_stored
from headrace.cache.vary import vary_names
from headrace.http.dates import format_http_date
from headrace.http.fields import hop_by_hop, split_list
from headrace.http.message import Field, Headers, Request, ResponseHead
from headrace.reasons import Reason

_COOKIES = (b"set-cookie", b"set-cookie2")
_NOT_KEPT = frozenset(
    (b"age", b"content-length", b"trailer", b"cache-status", b"headrace-began", *_COOKIES)
)
_TAG_FIELDS = (b"surrogate-key", b"cache-tag")
MOST_TAGS = 256
# A response that varies by more is as good as one that varies by everything.
MOST_VARY_NAMES = 32
# As numbers: an operator of a flag costs more than a call.
_NO_CACHE, _IMMUTABLE = int(StoredFlag.NO_CACHE), int(StoredFlag.IMMUTABLE)
_MUST_REVALIDATE = int(StoredFlag.MUST_REVALIDATE)
_HEURISTIC, _NEGATIVE = int(StoredFlag.HEURISTIC), int(StoredFlag.NEGATIVE)
_STATES_STALE = int(StoredFlag.STATES_STALE)
_NOT_STATED = _HEURISTIC | _NEGATIVE


class Storing(msgspec.Struct, frozen=True):
    """The decision. With `store` False only `reason` has a meaning. `flags` are `StoredFlag`s."""

    store: bool
    reason: Reason
    lifetime_s: float = 0.0
    stale_while_revalidate_s: float = 0.0
    stale_if_error_s: float = 0.0
    flags: int = 0
    corrected_age_s: float = 0.0
    vary: tuple[bytes, ...] = ()
    headers: tuple[Field, ...] = ()
    tags: tuple[bytes, ...] = ()


def response_directives(headers: Headers, rules: CacheRules) -> tuple[CacheControl, bool]:
    """Return the directives in force, and whether a targeted field has them (RFC 9213)."""
    for name in rules.targeted:
        value = headers.get(name)
        if value is not None:
            control = parse_targeted(value)
            if control is not None:
                return control, True
    return parse_cache_control(headers.get(b"cache-control")), False


def decide_storing(
    request: Request,
    response: ResponseHead,
    rules: CacheRules,
    *,
    request_time: float,
    response_time: float,
) -> Storing:
    """Decide on a complete response (RFC 9111 section 3).

    A part is presented as the whole it belongs to: as a 200 without Content-Range.
    """
    headers = response.headers
    control, targeted = response_directives(headers, rules)
    refusal = _refusal(request, response, control, rules)
    if refusal:
        return Storing(False, refusal)
    vary = vary_names(headers)
    if vary is None:
        return Storing(False, Reason.VARY_STAR)
    if len(vary) > MOST_VARY_NAMES:
        return Storing(False, Reason.VARY_LONG)
    age_s = corrected_initial_age_s(headers, request_time=request_time, response_time=response_time)
    forced_s = _forced_lifetime_s(response.status, control, rules)
    lifetime_s, flags = _lifetime(response, control, rules, targeted, response_time)
    if forced_s is not None:
        # The operator means from now on, and Age stays true.
        lifetime_s, flags = forced_s + age_s, 0
    if lifetime_s is None:
        return Storing(False, Reason.NO_LIFETIME)
    if flags & _NOT_STATED and b"cookie" in request.headers:
        # It may be made for this client, by an origin that thinks nothing of caches.
        return Storing(False, Reason.COOKIE)
    flags |= _stated_flags(control)
    kept = _dated(kept_fields(headers, control, rules), response_time)
    while_s = control.stale_while_revalidate
    error_s = control.stale_if_error
    longest = longest_s(response.status, rules)
    if longest is not None:
        lifetime_s = min(lifetime_s, age_s + longest)
        flags |= _MUST_REVALIDATE
        if lifetime_s <= age_s or flags & _NO_CACHE:
            return Storing(False, Reason.STALE_AT_BIRTH)
    if _useless(lifetime_s - age_s, flags, kept, while_s, error_s, rules):
        return Storing(False, Reason.STALE_AT_BIRTH)
    return Storing(
        store=True,
        reason=Reason.NONE,
        lifetime_s=lifetime_s,
        stale_while_revalidate_s=(
            rules.stale_while_revalidate_s if while_s is None else float(while_s)
        ),
        stale_if_error_s=rules.stale_if_error_s if error_s is None else float(error_s),
        flags=flags,
        corrected_age_s=age_s,
        vary=vary,
        headers=kept,
        tags=_tags(headers),
    )


def _dated(fields: tuple[Field, ...], response_time: float) -> tuple[Field, ...]:
    """Return the fields with a Date: a recipient with a clock notes when a response came without
    one (RFC 9110 section 6.6.1).
    """
    if any(name == b"date" for name, _value in fields):
        return fields
    return (*fields, (b"date", format_http_date(response_time)))


def _stated_flags(control: CacheControl) -> int:
    """Return the flags that a response's own directives set."""
    flags = 0
    if control.no_cache:
        flags |= _NO_CACHE
    if control.must_revalidate or control.proxy_revalidate or control.s_maxage is not None:
        flags |= _MUST_REVALIDATE
    if control.immutable:
        flags |= _IMMUTABLE
    if control.stale_if_error is not None:
        flags |= _STATES_STALE
    return flags


def _refusal(
    request: Request, response: ResponseHead, control: CacheControl, rules: CacheRules
) -> Reason:
    """Return why it must not be stored (RFC 9111 section 3), or `Reason.NONE`."""
    status = response.status
    if request.method != b"GET":
        return Reason.METHOD
    if not may_be_stored(status, rules):
        return Reason.STATUS
    understood = status in UNDERSTOOD
    if control.must_understand:
        # RFC 9111 section 5.2.2.3: no-store is for those who do not understand the status.
        if not understood:
            return Reason.MUST_UNDERSTAND
    elif control.no_store:
        return Reason.NO_STORE
    if control.private:
        return Reason.PRIVATE
    if rules.honour_request_directives and (
        parse_cache_control(request.headers.get(b"cache-control")).no_store
    ):
        return Reason.REQUEST_NO_STORE
    if rules.media_types and not _fits(response, rules.media_types):
        return Reason.MEDIA_TYPE
    if b"authorization" in request.headers and not _is_for_all(control):
        return Reason.AUTHORIZATION
    return Reason.SET_COOKIE if _sets_cookie(response, control, rules) else Reason.NONE


def credentials_may_fill(headers: Headers, rules: CacheRules) -> bool:
    """Return whether a response with these fields may be shared despite Authorization."""
    return _is_for_all(response_directives(headers, rules)[0])


def _is_for_all(control: CacheControl) -> bool:
    """Return whether a response to a request with credentials is for all (RFC 9111 section 3.5)."""
    return control.public or control.must_revalidate or control.s_maxage is not None


def sharing_refusal(response: ResponseHead, rules: CacheRules) -> Reason:
    """Return why one more part must not be stored with a stored response, or `Reason.NONE`.

    Less is asked than of a whole: a part need not repeat what it has in common with the others
    (RFC 9110 section 15.3.7). But one that says that it is not to be shared is not.
    """
    control, _targeted = response_directives(response.headers, rules)
    if control.no_store and not control.must_understand:
        return Reason.NO_STORE
    if control.private:
        return Reason.PRIVATE
    return Reason.SET_COOKIE if _sets_cookie(response, control, rules) else Reason.NONE


def _sets_cookie(response: ResponseHead, control: CacheControl, rules: CacheRules) -> bool:
    return (
        not rules.store_set_cookie
        and any(name in response.headers for name in _COOKIES)
        and b"set-cookie" not in control.no_cache_fields + control.private_fields
    )


def _fits(response: ResponseHead, media_types: tuple[bytes, ...]) -> bool:
    """Return whether a successful response is of a kind that is meant here.

    A page under the name of a picture is one client's own page, most likely.
    """
    if response.status >= 300:
        return True
    kind = (response.headers.get(b"content-type") or b"").partition(b";")[0].strip().lower()
    return kind in media_types or kind.partition(b"/")[0] + b"/*" in media_types


def _forced_lifetime_s(status: int, control: CacheControl, rules: CacheRules) -> float | None:
    """Return the operator's lifetime, if it holds here: not for errors, and not for no-cache."""
    if control.no_cache or not (status < 300 or status in (301, 308)):
        return None
    return rules.force_lifetime_s


def _lifetime(
    response: ResponseHead,
    control: CacheControl,
    rules: CacheRules,
    targeted: bool,
    response_time: float,
) -> tuple[float | None, int]:
    """Return the lifetime in seconds or None, and its origin (RFC 9111 sections 4.2.1, 4.2.2)."""
    status, headers = response.status, response.headers
    stated_s = explicit_lifetime_s(control, headers, targeted=targeted, response_time=response_time)
    if stated_s is not None:
        return stated_s, 0
    negative_s = rules.negative_s.get(status)
    if negative_s is not None:
        return negative_s, _NEGATIVE
    if control.no_cache:
        return 0.0, 0
    if status >= FIRST_ERROR:
        # Guessing how long an error lasts is what `negative_s` is for.
        return None, 0
    return (
        heuristic_lifetime_s(status, control, headers, rules, response_time),
        _HEURISTIC,
    )


def _useless(
    remaining_s: float,
    flags: int,
    kept: tuple[Field, ...],
    while_s: int | None,
    error_s: int | None,
    rules: CacheRules,
) -> bool:
    """Return whether it could never be reused: stale, without validator and stale window."""
    if remaining_s > 0 and not flags & _NO_CACHE:
        return False
    if any(name in (b"etag", b"last-modified") for name, _value in kept):
        return False
    if flags & (_MUST_REVALIDATE | _NO_CACHE):
        return True
    windows = (
        while_s if while_s is not None else rules.stale_while_revalidate_s,
        error_s if error_s is not None else rules.stale_if_error_s,
    )
    return remaining_s + max(windows) <= 0


def kept_fields(headers: Headers, control: CacheControl, rules: CacheRules) -> tuple[Field, ...]:
    """Return the fields to store (RFC 9111 section 3.1): less those of the hop, those that
    qualified no-cache and private name, cookies, and the field that was meant for this cache alone.
    """
    dropped = hop_by_hop(headers) | _NOT_KEPT
    dropped = dropped.union(control.no_cache_fields, control.private_fields)
    if rules.targeted:
        dropped = dropped | {rules.targeted[0]}
    return tuple(field for field in headers if field[0] not in dropped)


def _tags(headers: Headers) -> tuple[bytes, ...]:
    """Return the surrogate keys: separated by spaces in Surrogate-Key, by commas in Cache-Tag."""
    found: dict[bytes, None] = {}
    for name in _TAG_FIELDS:
        for value in headers.all(name):
            pieces = value.split() if name == b"surrogate-key" else split_list(value)
            found.update(dict.fromkeys(piece for piece in pieces if piece))
    return tuple(found)[:MOST_TAGS]
