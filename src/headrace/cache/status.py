"""The Cache-Status field (RFC 9211), written. Pure.

Whatever bytes a client chose (the key holds its target), what is written is one member of a
Structured Fields List: text is quoted and escaped, and a key is cut short.
"""

from __future__ import annotations

import functools
import re

MOST_KEY_BYTES = 512
_TOKEN = re.compile(rb"[A-Za-z*][!#$%&'*+.^_`|~0-9A-Za-z:/-]*")
_MOST_INTEGER = 10**15 - 1


def cache_status(
    node_id: bytes,
    *,
    hit: bool,
    fwd: bytes | None = None,
    fwd_status: int | None = None,
    stored: bool = False,
    collapsed: bool = False,
    ttl: int | None = None,
    key: bytes | None = None,
    detail: bytes | None = None,
) -> bytes:
    """Return one member of the list: this cache and how it dealt with the request.

    `fwd` is one of the words of section 2.2; `node_id`, `key` and `detail` are any text.
    """
    parts = [_name(node_id)]
    if hit:
        parts.append(b"hit")
    elif fwd is not None:
        parts.append(b"fwd=" + fwd)
    if fwd_status is not None:
        parts.append(b"fwd-status=%d" % fwd_status)
    if ttl is not None:
        parts.append(b"ttl=%d" % max(-_MOST_INTEGER, min(ttl, _MOST_INTEGER)))
    if stored:
        parts.append(b"stored")
    if collapsed:
        parts.append(b"collapsed")
    if key is not None:
        parts.append(b"key=" + _string(key[:MOST_KEY_BYTES]))
    if detail:
        parts.append(b"detail=" + _string(detail))
    return b"; ".join(parts)


@functools.lru_cache(maxsize=64)
def _name(node_id: bytes) -> bytes:
    """Return a cache's own name: there are one or two in a process."""
    return node_id if _TOKEN.fullmatch(node_id) else _string(node_id)


def _string(text: bytes) -> bytes:
    """Return a Structured Fields String (RFC 9651 section 3.3.3): what does not fit becomes %XX."""
    written = bytearray(b'"')
    for code in text:
        if code in b'"\\':
            written += b"\\%c" % code
        elif 0x20 <= code < 0x7F:
            written.append(code)
        else:
            written += b"%%%02X" % code
    written += b'"'
    return bytes(written)
