"""The Cache-Status field (RFC 9211), written. Pure."""

from __future__ import annotations


def cache_status(
    server_name: bytes,
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
    """One member of the list: this cache and how it dealt with the request.

    `server_name` and `fwd` are tokens; `key` and `detail` any text.
    """
    parts = [server_name]
    if hit:
        parts.append(b"hit")
    elif fwd is not None:
        parts.append(b"fwd=" + fwd)
    if fwd_status is not None:
        parts.append(b"fwd-status=%d" % fwd_status)
    if ttl is not None:
        parts.append(b"ttl=%d" % ttl)
    if stored:
        parts.append(b"stored")
    if collapsed:
        parts.append(b"collapsed")
    if key is not None:
        parts.append(b"key=" + _string(key))
    if detail:
        parts.append(b"detail=" + _string(detail))
    return b"; ".join(parts)


def _string(text: bytes) -> bytes:
    """A Structured Fields String (RFC 9651 section 3.3.3): what does not fit becomes %XX."""
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
