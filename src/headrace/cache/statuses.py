"""Which final statuses may be stored, and how long an error may be. Pure.

An error stored under a URL is what everybody gets there, so who can provoke one can take the
resource away from all others. Hence:

- A status that can be caused by anything but the resource and the state of its origin (by the
  request's form, by who sent it, by a cache or proxy on the way) is stored only where the operator
  has listed it in `negative_s`. A status that no standard defines counts among these.
- No error outlives `error_max_s`, or the operator's own figure for its status if that is longer;
  it is never served stale, and a validation that confirms it begins no longer time.
"""

from __future__ import annotations

from headrace.cache.rules import CacheRules

# Final statuses whose caching requirements are met here (RFC 9111 section 3, "understands").
UNDERSTOOD = frozenset(
    (200, 203, 204, 300, 301, 302, 303, 307, 308, 400, 401, 403, 404, 405, 406, 409, 410, 411,
     413, 414, 415, 421, 422, 426, 429, 431, 451, 500, 501, 502, 503, 504, 505, 508, 511)
)  # fmt: skip
# A part is stored as the whole it belongs to; the others answer a condition or a range.
NEVER_STORED = frozenset((206, 304, 412, 416))
# Statuses whose lifetime may be guessed (RFC 9110 section 15.1). Those of errors are not: what
# `negative_s` lists has the lifetime that it says.
GUESSABLE = frozenset((200, 203, 204, 206, 300, 301, 308))
# Errors that the resource or its origin alone can cause: the origin is asked for a shared answer
# with GET, and with no field of the client's that is not in the key.
OF_THE_RESOURCE = frozenset((404, 410, 500, 502, 503, 504))
CHALLENGES = frozenset((401, 407))
FIRST_ERROR = 400


def may_be_stored(status: int, rules: CacheRules) -> bool:
    """Return whether a response of this status may be stored if it says how long."""
    if status < 200 or status in NEVER_STORED:
        return False
    return status < FIRST_ERROR or status in OF_THE_RESOURCE or status in rules.negative_s


def longest_s(status: int, rules: CacheRules) -> float | None:
    """Return how long an error may be served from when it came; None: it is no error."""
    if status < FIRST_ERROR:
        return None
    return max(rules.error_max_s, rules.negative_s.get(status, 0.0))
