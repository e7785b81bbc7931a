"""Which stored responses an unsafe request makes stale (RFC 9111 section 4.4). Pure."""

from __future__ import annotations

from urllib.parse import SplitResult, urljoin, urlsplit

from headrace.http.hosts import DEFAULT_PORTS
from headrace.http.message import Request, ResponseHead
from headrace.http.methods import SAFE


def keys_invalidated(request: Request, response: ResponseHead) -> list[bytes]:
    """Return the absolute URIs to invalidate: the target's, and those in Location and
    Content-Location on the same host (RFC 9111 section 4.4). Empty for safe methods and for errors.
    """
    if request.method in SAFE or not 200 <= response.status < 400:
        return []
    query = b"" if request.query is None else b"?" + request.query
    base = request.scheme + b"://" + request.authority + request.path + query
    found = [base]
    for name in (b"location", b"content-location"):
        value = response.headers.get(name)
        if value is None:
            continue
        uri = _resolved(base, value)
        if uri is not None and uri not in found:
            found.append(uri)
    return found


def _resolved(base: bytes, reference: bytes) -> bytes | None:
    """Return the reference as an absolute URI of the same host, without its fragment, or None."""
    try:
        text = urljoin(base.decode("latin-1"), reference.decode("latin-1"))
        parts = urlsplit(text)
        same = _authority(parts) == _authority(urlsplit(base.decode("latin-1")))
    except ValueError:
        return None
    if parts.scheme not in ("http", "https") or not same:
        return None
    return text.partition("#")[0].encode("latin-1")


def _authority(parts: SplitResult) -> str:
    """Host and port in lower case, without the port that the scheme has anyway."""
    usual = DEFAULT_PORTS.get(parts.scheme)
    return parts.netloc.lower().removesuffix(f":{usual}")
