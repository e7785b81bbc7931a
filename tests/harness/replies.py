"""What a scripted origin is told to answer, as values: replies, ways to misbehave, gates.

`answer` makes a reply fit a request's Range and conditions, as an honest origin would.
"""

from __future__ import annotations

import concurrent.futures
import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from tests.harness.bodies import Body

Fields = tuple[tuple[str, str], ...]
Where = Literal["before_head", "in_head"] | int


class Gate:
    """Something that stays shut until the test opens it."""

    def __init__(self) -> None:
        self.future: concurrent.futures.Future[None] = concurrent.futures.Future()

    def open(self) -> None:
        if not self.future.done():
            self.future.set_result(None)


@dataclass(frozen=True, slots=True)
class End:
    """Where a reply breaks off (an int counts body bytes), and whether by a reset."""

    where: Where
    reset: bool = False


@dataclass(frozen=True, slots=True)
class Pause:
    """After so many body bytes, wait: for a gate, or for some seconds."""

    at: int
    gate: Gate | None = None
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Drip:
    """Send the body in pieces with a pause after each."""

    piece_bytes: int
    every_s: float


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer, honest unless told otherwise.

    `length` replaces Content-Length (None: the body's own). `raw` replaces everything: these bytes
    are sent and the connection closes. `bad_chunking` breaks a chunked body in its middle or end.
    """

    status: int = 200
    headers: Fields = ()
    body: Body | bytes = b""
    framing: Literal["length", "chunked", "close"] = "length"
    trailers: Fields = ()
    interim: tuple[tuple[int, Fields], ...] = ()
    ranges: bool = True
    conditions: bool = True
    keep_alive: bool = True
    close_after: bool = False  # says keep-alive, and closes all the same
    hold: Gate | None = None
    delay_s: float = 0.0
    head_drip_s: float = 0.0
    pause: Pause | None = None
    drip: Drip | None = None
    end: End | None = None
    extra: bytes = b""
    length: int | None = None
    bad_chunking: Literal["size", "no_end", "no_crlf"] | None = None
    raw: bytes | None = None
    raw_drip: tuple[int, float] | None = None  # after so many bytes, one each so many seconds
    before_body: bool = False  # answers before it has read the request's body
    says_100: bool = True
    start: int = 0  # the span of `body` that is sent
    stop: int | None = None

    def header(self, name: str) -> str | None:
        for known, value in self.headers:
            if known.lower() == name.lower():
                return value
        return None

    @property
    def body_bytes(self) -> int:
        whole = len(self.body)
        return (whole if self.stop is None else min(self.stop, whole)) - self.start


@dataclass(slots=True)
class Recorded:
    """One request as the origin saw it. `number` counts all requests of this origin from 1."""

    number: int
    connection: int
    method: str
    target: str
    version: str
    headers: Fields
    body: bytearray = field(default_factory=bytearray)
    received_bytes: int = 0
    complete: bool = False
    broken: bool = False  # the client of this origin left before the reply's end
    digest: hashlib._Hash = field(default_factory=hashlib.sha256)
    trailers: Fields = ()

    KEPT_BYTES = 4 * 1024 * 1024

    @property
    def path(self) -> str:
        return self.target.split("?", 1)[0]

    def header(self, name: str) -> str | None:
        """All lines of this field joined by a comma, or None."""
        values = [value for known, value in self.headers if known.lower() == name.lower()]
        return ", ".join(values) if values else None

    def take(self, data: bytes) -> None:
        self.received_bytes += len(data)
        self.digest.update(data)
        if len(self.body) < self.KEPT_BYTES:
            self.body += data


Script = Reply | Sequence[Reply] | Callable[[Recorded], Reply]


def headers(**named: str) -> Fields:
    """Fields from keywords: `cache_control="max-age=60"` is Cache-Control."""
    return tuple((name.replace("_", "-").title(), value) for name, value in named.items())


def cacheable(body: Body | bytes = b"", seconds: int = 600, **named: str) -> Reply:
    """A 200 that may be stored, with a strong ETag made from its body unless one is given."""
    if "etag" not in named:
        named["etag"] = etag_of(body)
    return Reply(headers=headers(cache_control=f"max-age={seconds}", **named), body=body)


def etag_of(body: Body | bytes) -> str:
    if isinstance(body, Body):
        return f'"{body.seed}-{body.size_bytes}"'
    return f'"{hashlib.sha256(body).hexdigest()[:16]}"'


def answer(reply: Reply, request: Recorded) -> Reply:
    """The reply as fits this request: 304, 206, 416, or as it is (RFC 9110 sections 13 and 14)."""
    if reply.status != 200 or reply.raw is not None or request.method not in ("GET", "HEAD"):
        return reply
    if reply.conditions and _not_modified(reply, request):
        kept = tuple(f for f in reply.headers if f[0].lower() not in ("content-type",))
        return replace(reply, status=304, headers=kept, body=b"", framing="length", length=None)
    wanted = request.header("range")
    if not reply.ranges or wanted is None or not _if_range_holds(reply, request):
        return reply
    size = len(reply.body)
    span = _span(wanted, size)
    if span is None:
        return reply
    start, stop = span
    if start >= stop:
        return replace(
            reply, status=416, headers=(*reply.headers, ("Content-Range", f"bytes */{size}")),
            body=b"",
        )  # fmt: skip
    content_range = ("Content-Range", f"bytes {start}-{stop - 1}/{size}")
    return replace(
        reply, status=206, headers=(*reply.headers, content_range), start=start, stop=stop
    )


def _not_modified(reply: Reply, request: Recorded) -> bool:
    tags = request.header("if-none-match")
    own = reply.header("etag")
    if tags is not None:
        weak = [tag.strip().removeprefix("W/") for tag in tags.split(",")]
        return tags.strip() == "*" or (own is not None and own.removeprefix("W/") in weak)
    since = request.header("if-modified-since")
    return since is not None and since == reply.header("last-modified")


def _if_range_holds(reply: Reply, request: Recorded) -> bool:
    value = request.header("if-range")
    return value is None or value in (reply.header("etag"), reply.header("last-modified"))


def _span(text: str, size: int) -> tuple[int, int] | None:
    unit, _, spec = text.partition("=")
    if unit.strip() != "bytes" or "," in spec:
        return None
    first, dash, last = spec.strip().partition("-")
    if not dash:
        return None
    if not first:
        return max(0, size - int(last)), size
    return int(first), min(size, int(last) + 1 if last else size)
