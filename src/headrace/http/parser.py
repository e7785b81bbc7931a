"""Reads request and response heads with llhttp (through httptools), strictly.

A head is handed over whole: the caller finds its end with `find_head_end`. llhttp refuses what
enables request smuggling (repeated Content-Length, Content-Length beside Transfer-Encoding, bare
CR or LF, obs-fold, NUL, white space before a colon). This module adds what llhttp leaves open:
versions, repeated Host, sizes and counts. It reads no bodies; see `chunked`.
"""

from __future__ import annotations

import re
from collections.abc import Container
from dataclasses import dataclass

import httptools
import msgspec

from headrace.errors import HeadraceError
from headrace.http.fields import PEER_FIELD, parse_content_length, persists
from headrace.http.message import Field, Headers
from headrace.http.validators import CONDITIONS

_HEAD_END = b"\r\n\r\n"
_REQUEST_LINE = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+ [^ \t\r\n]+ HTTP/[0-9.]+\r\n")

PLAIN_OPTIONS = (b"keep-alive", b"close")

SPECIAL = CONDITIONS | frozenset(
    (
        b"authorization",
        b"cache-control",
        b"connection",
        b"content-length",
        b"cookie",
        b"expect",
        PEER_FIELD,
        b"pragma",
        b"range",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
    )
)
"""A request that carries none of these takes the short way through the edge."""


class BadRequest(HeadraceError):
    """A request that must be refused. `status` is 400, 413, 414, 417, 431, 501 or 505."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class BadResponse(HeadraceError):
    """A response head from an origin that breaks RFC 9112; the connection is of no more use."""


@dataclass(frozen=True, slots=True)
class HeadLimits:
    """Bounds on a request head: `line_bytes` for the request line, `head_bytes` for the whole."""

    line_bytes: int = 8192
    head_bytes: int = 32768
    header_count: int = 100


class RequestHead(msgspec.Struct):
    """A request head as parsed: framing is decided, the target is still raw.

    `body_bytes` is the Content-Length, 0 when there is no body, -1 when it is chunked.
    `plain` is True when no field needs more than a look-up in the cache; `lone_range` is the Range
    field when it is the only one that does. `known`: these very bytes came before, and lately.
    `cmcd` is True when a player may have said something of itself (CTA-5004).

    A struct, for one is made for each request: a dataclass takes five times as long.
    """

    method: bytes
    target: bytes
    version: tuple[int, int]
    headers: Headers
    host: bytes | None
    body_bytes: int
    keep_alive: bool
    plain: bool
    lone_range: bytes | None = None
    known: bool = False
    cmcd: bool = False


def says_cmcd(target: bytes, names: Container[bytes]) -> bool:
    """Return whether a player may have said something of itself in a target or in fields."""
    return b"CMCD=" in target or b"cmcd-status" in names or b"cmcd-request" in names


class _RequestSink:
    """Receives llhttp's callbacks for one head."""

    __slots__ = (
        "complete", "connection", "fields", "hosts", "length", "proxied", "range", "special", "te",
        "url",
    )  # fmt: skip

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        self.complete = False
        self.url = b""
        self.fields: list[Field] = []
        self.hosts: list[bytes] = []
        self.special = 0
        self.range: bytes | None = None
        self.length: bytes | None = None
        self.connection: list[bytes] = []
        self.proxied = False  # llhttp obeys Proxy-Connection as well
        self.te: list[bytes] = []

    def on_url(self, url: bytes) -> None:
        self.url += url

    def on_message_complete(self) -> None:
        self.complete = True

    def on_header(self, name: bytes, value: bytes) -> None:
        name = name.lower()
        value = value.strip(b" \t")
        self.fields.append((name, value))
        if name == b"host":
            self.hosts.append(value)
        elif name in SPECIAL:
            if name == b"content-length":
                self.length = value
            elif name == b"transfer-encoding":
                self.te.append(value)
            if name == b"connection":
                self.connection.append(value)
                if value.lower() in PLAIN_OPTIONS:
                    return
            elif name == b"range":
                self.range = value
            self.special += 1
        elif name == b"proxy-connection":
            self.proxied = True


def find_head_end(buffer: bytes | bytearray, limits: HeadLimits, searched: int = 0) -> int:
    """Return the offset just past the head's blank line, or -1 when more bytes are needed.

    Of the first `searched` bytes it was found before that they are no whole head: a head that
    comes byte by byte is searched once.

    Raises BadRequest as soon as what is there can no longer become a head within the limits, so
    that a client cannot make us hold more than `head_bytes`.
    """
    end = buffer.find(_HEAD_END, max(0, searched - 3))
    if end >= 0:
        end += 4
        if end > limits.head_bytes:
            raise _too_large(buffer, limits)
        return end
    if len(buffer) >= limits.head_bytes:
        raise _too_large(buffer, limits)
    if len(buffer) > limits.line_bytes and buffer.find(b"\r\n") < 0:
        raise BadRequest(414, f"the request line is longer than {limits.line_bytes} bytes")
    if buffer.count(b"\n", searched) != buffer.count(b"\r\n", max(0, searched - 1)):
        raise BadRequest(400, "a line ends in LF without CR")
    return -1


def _too_large(buffer: bytes | bytearray, limits: HeadLimits) -> BadRequest:
    if buffer.find(b"\r\n", 0, limits.line_bytes + 2) < 0:
        return BadRequest(414, f"the request line is longer than {limits.line_bytes} bytes")
    return BadRequest(431, f"the request head is longer than {limits.head_bytes} bytes")


class RequestParser:
    """Parses whole request heads. One per worker, so it must keep no state between heads: what
    one client sends never changes how the next one's head is read.

    llhttp does keep some. It is used again only after a request which it calls complete, and in
    which nothing asked for more; after any other head, accepted or not, there is a new one.

    A call costs about 1.5 microseconds for a browser's usual head.
    """

    __slots__ = ("_limits", "_parser", "_sink")

    def __init__(self, limits: HeadLimits) -> None:
        self._limits = limits
        self._sink = _RequestSink()
        self._parser = httptools.HttpRequestParser(self._sink)

    @property
    def limits(self) -> HeadLimits:
        """The bounds that heads are parsed within."""
        return self._limits

    def parse(self, head: bytes) -> RequestHead:
        """Parse one head, from its request line to its blank line inclusive.

        Raises BadRequest; after it the connection must be closed, since nothing that follows on
        it can be trusted to be framed as the client meant.
        """
        sink = self._sink
        sink.reset()
        parser = self._parser
        upgrade = False
        try:
            parser.feed_data(head)
        except httptools.HttpParserUpgrade:
            # Upgrade is optional for a server (RFC 9110 section 7.8): continue as if not asked.
            upgrade = True
        except httptools.HttpParserInvalidMethodError:
            self._renew()
            if _REQUEST_LINE.match(head) is None:
                raise BadRequest(400, "that is no request line") from None
            raise BadRequest(501, "the method is not one this server knows") from None
        except httptools.HttpParserError as error:
            self._renew()
            raise BadRequest(*self._explain(head, error)) from None
        if not sink.url:  # empty lines, which llhttp passes over: what it knows is of old
            self._renew()
            raise BadRequest(400, "that is no request line")
        method: bytes = parser.get_method()
        version_text: str = parser.get_http_version()
        body_bytes = 0
        harmless = sink.special == 0 or (sink.special == 1 and sink.range is not None)
        closes = sink.connection or sink.proxied or version_text != "1.1"
        if not sink.complete or upgrade or not harmless or closes:
            # llhttp is now inside a body or in the preface of HTTP/2 (`PRI`), past an upgrade, or
            # past a request after which it takes no other: the next head needs a new parser.
            self._renew()
            sink_body = sink.length
            body_bytes = -1 if sink.te else int(sink_body) if sink_body else 0
        return self._checked(head, method, version_text, body_bytes)

    def _renew(self) -> None:
        self._parser = httptools.HttpRequestParser(self._sink)

    def _explain(self, head: bytes, error: Exception) -> tuple[int, str]:
        line = head.split(b"\r\n", 1)[0]
        version = line.rsplit(b" ", 1)[-1]
        if version.startswith(b"HTTP/") and version not in (b"HTTP/1.1", b"HTTP/1.0"):
            digits = version[5:].replace(b".", b"")
            if digits.isdigit() and len(digits) <= 2:
                return 505, "only HTTP/1.1 and HTTP/1.0 are served here"
        for value in self._sink.te:
            if value.lower() not in (b"chunked", b""):
                return 501, "only the chunked transfer coding is understood"
        return 400, f"malformed request: {error}"

    def _checked(
        self, head: bytes, method: bytes, version_text: str, body_bytes: int
    ) -> RequestHead:
        sink = self._sink
        if version_text == "1.1":
            version = (1, 1)
        elif version_text == "1.0":
            version = (1, 0)
        elif version_text == "0.9":
            raise BadRequest(400, "a request without a version is not served")
        else:
            raise BadRequest(505, "only HTTP/1.1 and HTTP/1.0 are served here")
        if len(sink.fields) > self._limits.header_count:
            raise BadRequest(431, f"more than {self._limits.header_count} header fields")
        if len(sink.url) + len(method) + 10 > self._limits.line_bytes:
            raise BadRequest(
                414, f"the request line is longer than {self._limits.line_bytes} bytes"
            )
        if not head.endswith(_HEAD_END) or not head.startswith(b"%s %s HTTP/" % (method, sink.url)):
            # llhttp forgives empty lines in front, and several blanks.
            raise BadRequest(400, "the request line is not method, target and version")
        hosts = sink.hosts
        if len(hosts) != 1 and (hosts or version == (1, 1)):
            raise BadRequest(400, "exactly one Host field is needed")
        if len(sink.te) > 1 or (sink.te and sink.te[0].lower() != b"chunked"):
            raise BadRequest(501, "only the chunked transfer coding is understood")
        if sink.te and version == (1, 0):
            # RFC 9112 section 6.1: treat as faulty framing.
            raise BadRequest(400, "Transfer-Encoding in an HTTP/1.0 request")
        if method == b"CONNECT":
            raise BadRequest(501, "CONNECT is not served here")
        if method == b"PRI":
            raise BadRequest(505, "HTTP/2 is not served here")
        headers = Headers(sink.fields)
        return RequestHead(
            method=method,
            target=sink.url,
            version=version,
            headers=headers,
            host=hosts[0] if hosts else None,
            body_bytes=body_bytes,
            keep_alive=persists(sink.connection, version),
            plain=sink.special == 0,
            lone_range=sink.range if sink.special == 1 else None,
            cmcd=says_cmcd(sink.url, headers),
        )


@dataclass(slots=True)
class ParsedResponseHead:
    """A response head with its framing decided for a known request method.

    `body_bytes` is the exact length, -1 for chunked, -2 for "until the connection closes".
    """

    status: int
    reason: bytes
    version: tuple[int, int]
    headers: Headers
    body_bytes: int
    keep_alive: bool


# RFC 9112 section 4, less the versions that are not ours and the statuses that no class has.
_STATUS_LINE = re.compile(rb"HTTP/1\.[01] [1-5][0-9][0-9](?: [\t\x20-\x7e\x80-\xff]*)?\r\n")
RESPONSE_FIELD_COUNT = 500


class _ResponseSink:
    __slots__ = ("fields", "reason")

    def __init__(self) -> None:
        self.fields: list[Field] = []
        self.reason = b""

    def on_status(self, status: bytes) -> None:
        self.reason += status

    def on_header(self, name: bytes, value: bytes) -> None:
        self.fields.append((name.lower(), value.strip(b" \t")))


def parse_response_head(head: bytes, request_method: bytes) -> ParsedResponseHead:
    """Parse one response head, blank line included (RFC 9112 sections 4 and 6.3).

    Raises BadResponse on anything malformed or with ambiguous framing: whoever gets a head knows
    where its body ends. `keep_alive` is True only where nothing can be left over on the connection
    when that body has been read: where content is announced that may not come (HEAD, 204, 205,
    304), an origin that sends it all the same would answer the next request with it.
    """
    if _STATUS_LINE.match(head) is None:
        # llhttp takes any three digits, and RTSP, and control characters in the reason.
        raise BadResponse("malformed status line")
    if head.count(b"\n") > RESPONSE_FIELD_COUNT + 2:
        raise BadResponse(f"more than {RESPONSE_FIELD_COUNT} header fields")
    sink = _ResponseSink()
    parser = httptools.HttpResponseParser(sink)
    keep_alive = True
    try:
        parser.feed_data(head)
    except httptools.HttpParserUpgrade:
        keep_alive = False
    except httptools.HttpParserError as error:
        raise BadResponse(f"malformed response head: {error}") from None
    status = parser.get_status_code()
    version = (1, 1) if parser.get_http_version() == "1.1" else (1, 0)
    headers = Headers(sink.fields)
    body_bytes, clean = _response_framing(status, headers, version, request_method)
    keep_alive = keep_alive and clean and persists(headers.all(b"connection"), version)
    return ParsedResponseHead(status, sink.reason, version, headers, body_bytes, keep_alive)


def _response_framing(
    status: int, headers: Headers, version: tuple[int, int], request_method: bytes
) -> tuple[int, bool]:
    """Return the body's length (see ParsedResponseHead), and whether it surely ends there."""
    lengths = headers.all(b"content-length")
    encodings = headers.all(b"transfer-encoding")
    if encodings and lengths:
        raise BadResponse("response has both Content-Length and Transfer-Encoding")
    if len(lengths) > 1:
        raise BadResponse("response repeats Content-Length")
    length = parse_content_length(lengths[0]) if lengths else None
    if lengths and length is None:
        raise BadResponse("response has a malformed Content-Length")
    if encodings:
        if version == (1, 0):
            # RFC 9112 section 6.1: treat as faulty framing.
            raise BadResponse("Transfer-Encoding in an HTTP/1.0 response")
        if [value.lower() for value in encodings] != [b"chunked"]:
            raise BadResponse("response has a transfer coding other than chunked")
    if request_method == b"HEAD" or status in (204, 304) or status < 200:
        return 0, not encodings and not length
    if status == 205:
        if length:
            raise BadResponse("a 205 with content")
        return 0, length == 0
    if encodings:
        return -1, True
    return (-2, False) if length is None else (length, True)
