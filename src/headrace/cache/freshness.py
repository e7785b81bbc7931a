"""Age and freshness of stored responses (RFC 9111 section 4.2). Pure; `now` is an argument."""

from __future__ import annotations

import math
from typing import Protocol

from headrace.cache.directives import CacheControl, delta_seconds
from headrace.cache.record import StoredFlag, StoredResponse
from headrace.cache.rules import CacheRules
from headrace.cache.statuses import GUESSABLE
from headrace.http.dates import parse_http_date
from headrace.http.fields import date_field, split_list
from headrace.http.message import Headers

_ALWAYS_DECIDED = int(StoredFlag.NO_CACHE | StoredFlag.INVALIDATED)


def age_field_s(headers: Headers) -> float:
    """Return the first member of Age in seconds, 0 when unreadable (RFC 9111 section 5.1)."""
    value = headers.get(b"age")
    if value is None:
        return 0.0
    items = split_list(value)
    return float(delta_seconds(items[0]) or 0) if items else 0.0


def corrected_initial_age_s(
    headers: Headers, *, request_time: float, response_time: float
) -> float:
    """Return the age when the response came (RFC 9111 section 4.2.3).

    Date counts whole seconds, so the clock does here too: else a response made just now would seem
    up to a second old, most of the life of a live playlist.
    """
    date = date_field(headers, b"date")
    apparent_s = 0.0 if date is None else max(0.0, math.floor(response_time) - date)
    corrected_s = age_field_s(headers) + max(0.0, response_time - request_time)
    return max(apparent_s, corrected_s)


class Dated(Protocol):
    """What an age is computed from: a record, or what is known of it."""

    @property
    def response_time(self) -> float:
        """When it came, as Unix seconds."""

    @property
    def corrected_age_s(self) -> float:
        """How old it was then."""

    @property
    def lifetime_s(self) -> float:
        """How old it may become."""


def current_age_s(stored: Dated, now: float) -> float:
    """Return the age at `now` (RFC 9111 section 4.2.3): 0 if the clock was set back."""
    since_s = now - stored.response_time
    age_s = stored.corrected_age_s
    if since_s > 0.0:
        age_s += since_s
    return age_s if age_s > 0.0 else 0.0


def remaining_s(stored: StoredResponse, now: float) -> float:
    """Return the seconds of freshness left; not above 0 when stale (RFC 9111 section 4.2)."""
    return stored.lifetime_s - current_age_s(stored, now)


def age_and_ttl_s(stored: Dated, now: float) -> tuple[int, int]:
    """Return whole seconds of age and of freshness left, as Age and Cache-Status state them."""
    age_s = current_age_s(stored, now)
    return int(age_s), int(stored.lifetime_s - age_s)


def hot_until(stored: StoredResponse, rules: CacheRules) -> float:
    """Return until when (Unix seconds) any plain request gets this response undecided.

    Minus infinity when each request needs a decision (RFC 9111 section 4.2).

    A plain request has no Cache-Control, Pragma, Cookie, Authorization, condition or range.
    """
    if stored.flags & _ALWAYS_DECIDED or stored.lifetime_s <= stored.corrected_age_s:
        return -math.inf  # stale as it came: so it is before that as well, by a clock set back
    return stored.response_time + stored.lifetime_s - stored.corrected_age_s


def explicit_lifetime_s(
    control: CacheControl, headers: Headers, *, targeted: bool, response_time: float
) -> float | None:
    """Return the lifetime that a response states to shared caches (RFC 9111 section 4.2.1).

    With a targeted field in force Expires does not count (RFC 9213 section 2.2).
    """
    if control.s_maxage is not None:
        return float(control.s_maxage)
    if control.max_age is not None:
        return float(control.max_age)
    if targeted:
        return None
    expires = headers.all(b"expires")
    if not expires:
        return None
    date = date_field(headers, b"date")
    if date is None:
        date = response_time
    # Repeated or unreadable, "0" above all: already expired (RFC 9111 section 5.3).
    if len(set(expires)) > 1:
        return 0.0
    moment = parse_http_date(expires[0])
    return 0.0 if moment is None else max(0.0, moment - date)


def heuristic_lifetime_s(
    status: int, control: CacheControl, headers: Headers, rules: CacheRules, response_time: float
) -> float | None:
    """Return a guessed lifetime, or None when none may or can be guessed (RFC 9111 section 4.2.2).

    A response that says `Pragma: no-cache` and nothing else means that it be not kept.
    """
    if status not in GUESSABLE and not control.public:
        return None
    if b"no-cache" in (headers.get(b"pragma") or b"").lower():
        return None
    then = date_field(headers, b"last-modified")
    if then is None:
        return rules.default_lifetime_s
    date = date_field(headers, b"date")
    # A Date of the future would lengthen the guess.
    since_s = (response_time if date is None else min(date, response_time)) - then
    if since_s <= 0:
        return rules.default_lifetime_s
    return min(since_s * rules.heuristic_fraction, rules.heuristic_max_s)
