"""Whether the answer to a POST may serve later GETs of its URL (RFC 9110 section 9.3.3). Pure.

Such an answer is made from what one client sent: its body and all its fields. The origin has to
say that it is the resource all the same (Content-Location, the very URL that was asked) and for
how long; and whatever else of the request could have shaped it makes it unfit for others.
"""

from __future__ import annotations

from urllib.parse import urljoin, urlsplit

from headrace.cache.freshness import explicit_lifetime_s
from headrace.cache.key import KeyRules, keyed_query
from headrace.cache.rules import CacheRules
from headrace.cache.storing import Storing, decide_storing, response_directives
from headrace.http.message import Request, ResponseHead
from headrace.http.target import BadTarget, normalise_target
from headrace.reasons import Reason

# What makes a request its sender's own.
_PERSONAL = (b"authorization", b"proxy-authorization", b"cookie")
_KEYED_VARY = (b"accept-encoding",)


def decide_post_storing(
    request: Request,
    response: ResponseHead,
    rules: CacheRules,
    key_rules: KeyRules,
    *,
    request_time: float,
    response_time: float,
) -> Storing:
    """Decide as for a GET of the same URL, after what a POST needs besides."""
    refusal = _refusal(request, response, rules, key_rules)
    if refusal:
        return Storing(False, refusal)
    control, targeted = response_directives(response.headers, rules)
    if (
        explicit_lifetime_s(
            control, response.headers, targeted=targeted, response_time=response_time
        )
        is None
    ):
        return Storing(False, Reason.NO_LIFETIME)
    as_get = Request(
        b"GET", request.target, request.scheme, request.authority, request.path, request.query,
        request.version, request.headers,
    )  # fmt: skip
    storing = decide_storing(
        as_get, response, rules, request_time=request_time, response_time=response_time
    )
    if storing.store and any(name not in _KEYED_VARY for name in storing.vary):
        return Storing(False, Reason.VARY)
    return storing


def _refusal(
    request: Request, response: ResponseHead, rules: CacheRules, key_rules: KeyRules
) -> Reason:
    if not rules.store_post_answers or request.method != b"POST":
        return Reason.METHOD
    if response.status != 200:
        return Reason.STATUS
    location = response.headers.get(b"content-location")
    if location is None or not names_the_target(location, request):
        return Reason.CONTENT_LOCATION
    if any(name in request.headers for name in _PERSONAL):
        return Reason.PERSONAL
    if not key_rules.host or not key_rules.scheme:
        return Reason.HOST  # the origin saw those that this client chose
    if not _whole_query_is_keyed(request.query, key_rules):
        return Reason.QUERY
    if b"content-encoding" in response.headers or b"content-range" in response.headers:
        # The client's own Accept-Encoding was sent, not the one that separates variants.
        return Reason.CODING
    return Reason.NONE


def names_the_target(reference: bytes, request: Request) -> bool:
    """Return whether this URI reference names the request's own URL, in whatever form."""
    if not reference or b"#" in reference or any(not 0x20 < code < 0x7F for code in reference):
        return False
    query = b"" if request.query is None else b"?" + request.query
    base = request.scheme + b"://" + request.authority + request.path + query
    try:
        parts = urlsplit(urljoin(base.decode("latin-1"), reference.decode("ascii")))
        if parts.scheme.encode() != request.scheme:
            return False
        target = parts.path or "/"
        if parts.query or reference.endswith(b"?"):
            target += "?" + parts.query
        host = parts.netloc.encode("latin-1")
        found = normalise_target(target.encode("latin-1"), host, request.scheme)
    except (ValueError, BadTarget):
        return False
    return found == (request.authority, request.path, request.query)


def _whole_query_is_keyed(query: bytes | None, key_rules: KeyRules) -> bool:
    """Return whether no parameter that the origin saw is left out of the key."""
    if not query:
        return True
    if key_rules.query == "drop":
        return False
    return sorted(keyed_query(query, key_rules).split(b"&")) == sorted(query.split(b"&"))
