"""Which of a client's request fields an origin sees when the answer is shared. Pure.

The invariant: two requests with the same key and the same variant ask the origin in the same
words. A shared request carries of a client's fields only those that are part of its variant, in
the very form in which they are part of it (`presented`), the two that are reduced to few forms
(`NEGOTIATED`), and what the operator declared `unkeyed`. So no client can shape what others get, by
a field known today or one invented tomorrow.

Which fields are part of the variant: those that the service names, and those that the Vary of a
stored response has named. An origin that varies by more than it was asked with says so in its
first answer; that answer is for requests without the field, and those that have it ask again.
"""

from __future__ import annotations

import re
from functools import lru_cache

from headrace.cache.rules import CacheRules
from headrace.http.fields import HOP_BY_HOP, PEER_FIELD, split_list
from headrace.http.message import Field, Headers
from headrace.http.validators import CONDITIONS

# Gateways (CGI, WSGI, FastCGI) fold every other character to an underscore or a hyphen, so that
# `x_forwarded_host` would pass for X-Forwarded-Host there. Field names have none of them.
_PLAIN_NAME = re.compile(rb"[a-z0-9-]+")

# The edge's own: whatever a client says in them, the origin hears the edge's words, or nothing.
_OWN = HOP_BY_HOP | CONDITIONS | {
    b"cdn-loop", b"content-length", b"expect", PEER_FIELD, b"host", b"range", b"trailer",
    b"via",
}  # fmt: skip

# By these, in all spellings that are known, some origins and frameworks take another host, URL,
# scheme, method or client address than the request has. They never reach an origin unless the
# operator names them.
OVERRIDES = frozenset(
    (
        b"base-url", b"cf-connecting-ip", b"cf-connecting-ipv6", b"client-ip",
        b"cluster-client-ip", b"fastly-client-ip", b"forwarded", b"front-end-https",
        b"http-client-ip", b"http-host", b"http-url", b"proxy", b"proxy-host",
        b"proxy-url", b"real-ip", b"request-uri", b"true-client-ip", b"uri", b"url",
        b"x-arr-ssl", b"x-azure-clientip", b"x-azure-socketip", b"x-backend-host", b"x-client-ip",
        b"x-cluster-client-ip", b"x-custom-ip-authorization", b"x-envoy-external-address",
        b"x-envoy-original-path", b"x-forwarded", b"x-forward-for", b"x-forward-host",
        b"x-forward-proto", b"x-front-end-https", b"x-gateway-host", b"x-host", b"x-host-override",
        b"x-http-destinationurl", b"x-http-host", b"x-http-host-override", b"x-http-method",
        b"x-http-method-override", b"x-http-path-override", b"x-https", b"x-ip", b"x-method",
        b"x-method-override", b"x-original-forwarded-for", b"x-original-host",
        b"x-original-method", b"x-original-proto", b"x-original-remote-addr", b"x-original-uri",
        b"x-original-url", b"x-originally-forwarded-for", b"x-originating-ip",
        b"x-originating-url", b"x-override-url", b"x-proto", b"x-proxy-url", b"x-proxyuser-ip",
        b"x-real-host", b"x-real-ip", b"x-real-proto", b"x-real-url", b"x-remote-addr",
        b"x-remote-host", b"x-remote-ip", b"x-request-uri", b"x-request-url", b"x-rewrite-url",
        b"x-scheme", b"x-server-name", b"x-sent-from", b"x-ssl", b"x-true-client-ip",
        b"x-true-ip", b"x-unencoded-url", b"x-url", b"x-url-scheme", b"x-waws-unencoded-url",
    )
)  # fmt: skip
_OVERRIDE_PREFIXES = (b"x-forwarded-", b"x-arr-", b"x-accel-", b"x-middleware-", b"x-envoy-")
NEGOTIATED = (b"accept-encoding", b"accept-language")
# Of a list of preferences no more are read: what a field costs must not grow with the number
# of its elements times that of the service's languages.
MOST_PREFERENCES = 64
_LISTS = frozenset((b"accept", b"accept-charset", b"accept-encoding", b"accept-language"))
_IDENTITY = b"identity"
# Longer ones are read each time, so that no client fills the memory of a cache with them.
REMEMBERED_BYTES = 256


def is_cmcd(name: bytes) -> bool:
    """Return whether a request field carries Common Media Client Data (CTA-5004)."""
    return name.startswith(b"cmcd-")


def is_plain_name(name: bytes) -> bool:
    """Return whether a name (in lower case) means one field to every gateway behind us."""
    return _PLAIN_NAME.fullmatch(name) is not None


def overrides(name: bytes) -> bool:
    """Return whether some origins let this field replace what the request itself says."""
    return name in OVERRIDES or name.startswith(_OVERRIDE_PREFIXES)


def may_be_presented(name: bytes) -> bool:
    """Return whether a client's field of this name can be part of a variant."""
    return is_plain_name(name) and name not in _OWN and not overrides(name) and not is_cmcd(name)


def presented(name: bytes, headers: Headers, rules: CacheRules) -> bytes | None:
    """Return a field as it selects a variant, and as an origin sees it; None when it has none."""
    value = headers.get(name)
    if name == b"accept-encoding":
        return best_encoding(value, rules.accept_encodings)
    if value is None:
        return None
    if name == b"accept-language":
        return presented_language(value, rules.languages)
    if name in _LISTS:
        return b",".join(split_list(value))
    return value


def fields_of_variant(variant: bytes) -> list[Field]:
    """Return the fields that a variant's text stands for (see `vary.variant_text`)."""
    found = []
    for line in variant.split(b"\n") if variant else ():
        name, colon, value = line.partition(b":")
        if colon and is_plain_name(name) and name not in _OWN:
            found.append((name, value))
    return found


def names_of_variant(variant: bytes) -> tuple[bytes, ...]:
    """Return the names in a variant's text, of the fields too that the request did not have."""
    return tuple(line.partition(b":")[0] for line in variant.split(b"\n")) if variant else ()


def headers_asked(variant: bytes, headers: Headers, rules: CacheRules) -> Headers:
    """Return the fields by which an origin chose its answer for this variant."""
    fields = fields_of_variant(variant)
    known = names_of_variant(variant)
    for name in NEGOTIATED:
        if name not in known and (value := presented(name, headers, rules)) is not None:
            fields.append((name, value))
    return Headers(fields)


def vary_with(
    vary: tuple[bytes, ...], asked: bytes, headers: Headers, rules: CacheRules
) -> tuple[bytes, ...]:
    """Return by what a response is stored: its own Vary, and all of the variant `asked`.

    An origin that chose by a field, and forgets to say so this once, does not make its choice
    everybody's. A coding is a choice by Accept-Encoding even where Vary does not say so, and a
    language one by Accept-Language where the service has several.
    """
    names = {*vary, *names_of_variant(asked)}
    coding = headers.get(b"content-encoding")
    if coding is not None and coding.lower() != _IDENTITY:
        names.add(b"accept-encoding")
    if rules.languages and b"content-language" in headers:
        names.add(b"accept-language")
    return tuple(sorted(names))


# Accept-Encoding.


def best_encoding(value: bytes | None, known: tuple[bytes, ...]) -> bytes:
    """Return the one of `known` that an Accept-Encoding likes best, the first among equals;
    `identity` when it accepts none of them (RFC 9110 section 12.5.3).
    """
    if not value:
        return _IDENTITY
    return (_remembered_encoding if len(value) <= REMEMBERED_BYTES else _best)(value, known)


def _best(value: bytes, known: tuple[bytes, ...]) -> bytes:
    weights = dict(_weighted(value))
    best, best_weight = _IDENTITY, 0.0
    for coding in known:
        weight = weights.get(coding, weights.get(b"*", 0.0))
        if weight > best_weight:
            best, best_weight = coding, weight
    return best


_remembered_encoding = lru_cache(4096)(_best)


def _weighted(value: bytes) -> list[tuple[bytes, float]]:
    """Return the first elements of a list of preferences in lower case, each with its weight."""
    found = []
    for item in split_list(value.lower())[:MOST_PREFERENCES]:
        name, _semicolon, parameters = item.partition(b";")
        found.append((name.strip(), _weight(parameters)))
    return found


def _weight(parameters: bytes) -> float:
    name, equals, value = parameters.strip().partition(b"=")
    if not equals or name.strip() != b"q":
        return 1.0
    try:
        weight = float(value)
    except ValueError:
        return 0.0
    return weight if 0.0 <= weight <= 1.0 else 0.0


# Accept-Language.


def presented_language(value: bytes, known: tuple[bytes, ...]) -> bytes | None:
    """Reduce an Accept-Language to the one of `known` that it likes best (None: none of them);
    where none are known, to its languages in lower case, the best first (RFC 9110 section 12.5.4).
    """
    function = _remembered_language if len(value) <= REMEMBERED_BYTES else _language
    return function(value, known)


def _language(value: bytes, known: tuple[bytes, ...]) -> bytes | None:
    wanted = [pair for pair in _weighted(value) if pair[0]]
    wanted.sort(key=lambda pair: -pair[1])
    if not known:
        texts = [
            name if weight == 1.0 else b"%s;q=%s" % (name, b"%.3g" % weight)
            for name, weight in wanted
        ]
        return b",".join(texts) or None
    refused = {name for name, weight in wanted if weight <= 0}
    for name, weight in wanted:
        if weight <= 0:
            break
        for language in (name, *known) if name in known else known:
            if _means(name, language) and language not in refused:
                return language
    return None


def _means(wanted: bytes, language: bytes) -> bool:
    """Return whether a range covers a language, or is a kind of it (RFC 4647 section 3)."""
    if wanted in (b"*", language):
        return True
    return language.startswith(wanted + b"-") or wanted.startswith(language + b"-")


_remembered_language = lru_cache(4096)(_language)
