"""Request targets in one canonical form, so that one resource has one cache key. Pure.

RFC 9112 section 3.2 (forms), RFC 3986 section 6.2.2 (normalisation), RFC 9110 section 7.2 (Host).
Only what certainly means the same becomes the same: escapes of unreserved characters are decoded
and dot segments resolved. Two slashes in a row are kept, and so is the case of other escapes'
digits: to some origins they are another path.
"""

from __future__ import annotations

import functools
import ipaddress
import re
from typing import Final

from headrace.errors import HeadraceError
from headrace.http.hosts import DEFAULT_PORTS

_CHARACTER = rb"A-Za-z0-9_~!$&'()*+,;=:@-"
_USUAL = rb"(?:/(?:[" + _CHARACTER + rb"][." + _CHARACTER + rb"]*)?)+"
_QUERY = rb"[!\"$-~\x80-\xff]*"
USUAL = re.compile(_USUAL)
"""Paths that are in their canonical form as they stand."""
QUERY = re.compile(_QUERY)
"""A query is kept as it is, for `%26` is not `&`; only what cannot be in one is refused."""
USUAL_TARGET = re.compile(rb"(" + _USUAL + rb")(?:\?" + _QUERY + rb")?")
"""Targets with such a path, which is the group, and a query that is one, if any."""
_PATH = re.compile(rb"[!$-;=@-Z_a-z~%\[\]^`{|}\"\x80-\xff]*")
_ESCAPE = re.compile(rb"%(..?)?", re.DOTALL)
_HEX = re.compile(rb"[0-9A-Fa-f]{2}")
# What needs no escape anywhere (RFC 3986 section 2.3).
UNRESERVED = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
_HOST = re.compile(rb"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9_~-][A-Za-z0-9._~-]*)(?::([0-9]{0,5}))?")
_LONGEST_AUTHORITY = 255 + len(b".:65535")  # a name (RFC 1035 section 2.3.4), its dot, a port
_DEFAULT_PORTS = {scheme.encode(): b"%d" % port for scheme, port in DEFAULT_PORTS.items()}


class BadTarget(HeadraceError):
    """A request target or Host that is refused with `status`."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


def normalise_target(
    target: bytes, host: bytes | None, scheme: bytes
) -> tuple[bytes, bytes, bytes | None]:
    """Return (authority, path, query) of a request target and its Host field.

    The authority is in lower case, without the scheme's default port. The path begins with `/`,
    has no dot segments, and escapes only what must be. Raises BadTarget.
    """
    authority = normalise_authority(host, scheme) if host else b""
    if target.startswith(b"/"):
        path, mark, query = target.partition(b"?")
    elif target[:8].lower().startswith((b"http://", b"https://")):
        stated, path, mark, query = _absolute(target, scheme)
        if host is not None and stated != authority:
            raise BadTarget(400, "the target's host and the Host field differ")
        authority = stated
    elif target == b"*":
        return authority, b"*", None
    else:
        raise BadTarget(400, "the request target is neither a path nor an http(s) URL")
    if b"#" in target:
        raise BadTarget(400, "a request target has no fragment")
    if USUAL.fullmatch(path) is None:
        path = normalise_path(path)
    if mark and QUERY.fullmatch(query) is None:
        raise BadTarget(400, "the query holds a control character or a space")
    return authority, path, query if mark else None


def _absolute(target: bytes, scheme: bytes) -> tuple[bytes, bytes, bytes, bytes]:
    stated_scheme, _colon, rest = target.partition(b"://")
    if stated_scheme.lower() != scheme:
        raise BadTarget(400, "the target's scheme is not the connection's")
    end = len(rest)
    for mark in b"/?#":
        at = rest.find(bytes((mark,)))
        if 0 <= at < end:
            end = at
    authority = rest[:end]
    if not authority or b"@" in authority:
        raise BadTarget(400, "the target's host is empty or carries a user")
    path, mark_found, query = rest[end:].partition(b"?")
    return normalise_authority(authority, scheme), path or b"/", mark_found, query


@functools.lru_cache(maxsize=512)
def normalise_authority(host: bytes, scheme: bytes) -> bytes:
    """Return `host[:port]` in lower case, less a final dot and the scheme's default port.

    Raises BadTarget.
    """
    if len(host) > _LONGEST_AUTHORITY:
        raise BadTarget(400, "the Host field is longer than a host's name may be")
    match = _HOST.fullmatch(host)
    if match is None or not match[1] or (match[2] and int(match[2]) > 65535):
        raise BadTarget(400, "the Host field is not a host with an optional port")
    name, port = match[1].lower(), match[2]
    if name.startswith(b"["):
        name = _ipv6(name)
    elif name.endswith(b"."):
        name = name[:-1]
    if b".." in name or name.endswith(b"."):
        raise BadTarget(400, "the Host field has an empty label")
    if port:
        port = b"%d" % int(port)
    if not port or port == _DEFAULT_PORTS.get(scheme):
        return name
    return name + b":" + port


def _ipv6(name: bytes) -> bytes:
    """Return an address in brackets, in its one usual spelling (RFC 5952)."""
    try:
        return b"[" + ipaddress.IPv6Address(name[1:-1].decode()).compressed.encode() + b"]"
    except ValueError:
        raise BadTarget(400, "the Host field is not a host with an optional port") from None


def normalise_path(path: bytes) -> bytes:
    """Return a path with canonical escapes and no dot segments. Idempotent. Raises BadTarget."""
    if _PATH.fullmatch(path) is None:
        raise BadTarget(400, "the path holds a control character, a space or a backslash")
    unescaped = _ESCAPE.sub(_canonical_escape, path)
    # Bytes beyond ASCII are what browsers would have escaped.
    ascii_only = re.sub(rb"[\x80-\xff\"^`{|}]", lambda m: b"%%%02X" % m[0][0], unescaped)
    return without_dot_segments(ascii_only)


def _canonical_escape(match: re.Match[bytes]) -> bytes:
    digits = match[1]
    if digits is None or _HEX.fullmatch(digits) is None:
        raise BadTarget(400, "the path holds a % that is no escape")
    code = int(digits, 16)
    if code < 0x20 or code in (0x7F, 0x5C):
        raise BadTarget(400, "the path holds an escaped control character or backslash")
    return bytes((code,)) if code in UNRESERVED else match[0]


def without_dot_segments(path: bytes) -> bytes:
    """Resolve dot segments (RFC 3986 section 5.2.4). Never climb above the root."""
    if b"/." not in path:
        return path
    kept: list[bytes] = []
    segments = path.split(b"/")[1:]
    for position, segment in enumerate(segments):
        last = position == len(segments) - 1
        if segment == b"..":
            if kept:
                kept.pop()
        elif segment != b".":
            kept.append(segment)
            continue
        if last:
            kept.append(b"")
    return b"/" + b"/".join(kept)


_CUT: Final = re.compile(rb"(?:;|%3[bB]|%2[fF]|%3[fF]|%23)[^/]*")


def path_for_rules(path: bytes) -> bytes:
    """Return a normalised path without parameters, and without what an origin may take for the
    end of the path in a segment: an escaped slash, `?`, `#` or `;`.

    An origin that cuts the path there answers `/account;x.css` and `/account%2fx.css` with the
    account; a rule for `*.css` must not hold for it.
    """
    return _CUT.sub(b"", path) if b";" in path or b"%" in path else path


def as_sent(target: bytes, path: bytes) -> bytes:
    """Return the path as the client spelled it where that differs from the normalised one in
    escapes of unreserved characters alone; else the normalised one.
    """
    sent = target.partition(b"?")[0]
    if sent != path and sent.startswith(b"/") and _ESCAPE.sub(_canonical_escape, sent) == path:
        return sent
    return path


def is_doubtful(target: bytes) -> bool:
    """Return whether a target's path has dot segments, plain or escaped, or escaped slashes:
    origins disagree about what they mean. Raises BadTarget for what is no escape.
    """
    path = _ESCAPE.sub(_canonical_escape, target.partition(b"?")[0])
    return b"%2f" in path.lower() or any(part in (b".", b"..") for part in path.split(b"/"))
