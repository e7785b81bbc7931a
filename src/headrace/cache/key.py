"""The cache key of a request (RFC 9111 section 2), and what purges name. Pure.

A key is the service's name, a newline, the authority (where the service keeps its hosts apart), the
normalised path, and the query parameters that count: `vod\\nwww.example.org/a/b.m4s?v=2`.
Where the service keeps schemes apart, the key of an https request ends in a newline and `https`; it
is at the end so that a prefix means both.

What an origin is asked for is made from the key's parts alone (`upstream_target`): the same key,
the same target. Escapes are in the key as the client spelled them, but for those of unreserved
characters, which mean the same by RFC 3986 section 2.3.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from urllib.parse import urlsplit

from headrace.errors import HeadraceError
from headrace.http.message import Headers, Request
from headrace.http.target import BadTarget, normalise_target


class UnusableUrl(HeadraceError):
    """A URL or prefix that names nothing in this service."""


@dataclass(frozen=True, slots=True)
class KeyRules:
    """Which parts of a request are part of the key.

    `query` is "keep" or "drop"; `keep`, when set, names the only parameters that count; those in
    `drop` never do. `sort` makes their order not matter; `host` keeps hosts apart, `scheme`
    http and https.
    """

    query: str = "keep"
    keep: frozenset[bytes] | None = None
    drop: frozenset[bytes] = frozenset()
    sort: bool = True
    host: bool = True
    scheme: bool = False


_NO_HEADERS = Headers()
HTTPS = b"\nhttps"


def cache_key(service: str, request: Request, rules: KeyRules) -> bytes:
    """Return the key of a request whose target is normalised."""
    target = upstream_target(request.path, request.query, rules)
    return key_of_target(service, request.scheme, request.authority, target, rules)


def key_of_target(
    service: str, scheme: bytes, authority: bytes, target: bytes, rules: KeyRules
) -> bytes:
    """Return the key of a request for which origins are asked for `target`."""
    key = b"%s\n%s%s" % (service.encode(), authority if rules.host else b"", target)
    return key + HTTPS if rules.scheme and scheme == b"https" else key


def upstream_target(path: bytes, query: bytes | None, rules: KeyRules) -> bytes:
    """Return what an origin is asked for when the answer is shared: the path, and the query as the
    key has it. Nothing outside the key can shape the answer so.
    """
    if query is None or rules.query == "drop":
        return path
    kept = keyed_query(query, rules)
    return path + b"?" + kept if kept else path


def keyed_query(query: bytes, rules: KeyRules) -> bytes:
    """Return the query as it stands in the key: CMCD (CTA-5004) is never part of it."""
    if b"&" not in query and not rules.drop and rules.keep is None:
        return b"" if _name(query).upper() == b"CMCD" else query
    parameters = []
    for parameter in query.split(b"&"):
        name = _name(parameter)
        if not parameter or name in rules.drop or name.upper() == b"CMCD":
            continue
        if rules.keep is not None and name not in rules.keep:
            continue
        parameters.append(parameter)
    if rules.sort:
        # By name alone: the order of a repeated parameter's values may matter.
        parameters.sort(key=_name)
    return b"&".join(parameters)


def _name(parameter: bytes) -> bytes:
    return parameter.partition(b"=")[0]


def key_hash(key: bytes) -> bytes:
    """Return 16 bytes that stand for the key."""
    return hashlib.blake2b(key, digest_size=16).digest()


def without_scheme(key: bytes) -> bytes:
    """Return the key less the mark of https: what a purge of a URL names."""
    return key.removesuffix(HTTPS)


def keys_for_url(service: str, url: str, rules: KeyRules) -> list[bytes]:
    """Return the keys that requests for this URL have: `https://host/path?query`, or a bare path
    where the service does not keep hosts apart. One for each scheme, whichever the URL has, where
    schemes are kept apart, http first. Raises UnusableUrl.
    """
    authority, path, query = _parts(url, rules)
    request = Request(b"GET", b"", b"http", authority, path, query, (1, 1), _NO_HEADERS)
    key = cache_key(service, request, rules)
    return [key, key + HTTPS] if rules.scheme else [key]


def prefix_for_url(service: str, url: str, rules: KeyRules) -> bytes:
    """Return what the keys of all URLs that begin like this begin with. Raises UnusableUrl.

    By bytes: `/live` also covers `/live2`; write `/live/` for a directory.
    """
    authority, path, query = _parts(url, rules)
    head = service.encode() + b"\n" + (authority if rules.host else b"") + path
    return head if query is None else head + b"?" + query


def _parts(url: str, rules: KeyRules) -> tuple[bytes, bytes, bytes | None]:
    text = url.strip()
    if text.startswith("/"):
        if rules.host:
            raise UnusableUrl(
                f"{url!r} names no host, but this service keeps its hosts apart: give a full URL"
            )
        target, host, scheme = text.encode(), None, b"http"
    else:
        try:
            parts = urlsplit(text)
        except ValueError as error:
            raise UnusableUrl(f"{url!r} is not a URL: {error}") from error
        if parts.scheme not in ("http", "https") or not parts.netloc:
            raise UnusableUrl(f"{url!r} is not an http(s) URL: give https://host/path")
        scheme = parts.scheme.encode()
        host = parts.netloc.encode("utf-8")
        target = (parts.path or "/").encode() + (
            b"?" + parts.query.encode() if "?" in text else b""
        )
    try:
        return normalise_target(target, host, scheme)
    except BadTarget as error:
        raise UnusableUrl(f"{url!r}: {error}") from error
