"""Whether what another origin sends continues the very body that one has begun. Pure.

The pool declares how its origins are known to have the same: a strong ETag that is equal
(RFC 9110 section 8.8.1), Last-Modified and length that are, or the length and the last bytes.
An origin that ignores Range sends the whole again: then its first bytes are hashed and compared.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import xxhash

from headrace.http.message import Field, Headers
from headrace.http.parser import ParsedResponseHead
from headrace.http.partial import part_of
from headrace.http.validators import is_strong
from headrace.upstream.pool import Sameness

LEAST_COMPARED_BYTES = 4096


@dataclass(frozen=True, slots=True)
class Begun:
    """The representation that a response has begun: what its head said.

    The body's first byte was byte `start` of `total` (None: not known); `end` is where it is to
    stop (None: at the end of the whole, wherever that is).
    """

    status: int
    headers: Headers
    start: int
    end: int | None
    total: int | None

    @classmethod
    def of(cls, head: ParsedResponseHead) -> Begun | None:
        """Return what a 200 or 206 has begun; None for anything that cannot be continued."""
        if head.status == 200:
            length = head.body_bytes if head.body_bytes >= 0 else None
            return cls(200, head.headers, 0, length, length)
        if head.status != 206:
            return None
        part = part_of(head)
        if part is None:
            return None
        return cls(206, head.headers, part.start, part.end, part.total)

    def missing(self, received: int) -> int | None:
        """Return how many bytes are still to come after `received`; None: not known."""
        return None if self.end is None else self.end - self.start - received

    def ends_as(self, head: ParsedResponseHead) -> Begun:
        """Return this with the end that a response says which was accepted as its continuation."""
        if self.end is not None:
            return self
        part = part_of(head) if head.status == 206 else None
        total = part.total if part is not None else head.body_bytes
        return self if total is None or total < 0 else replace(self, end=total, total=total)

    def comparable(self, rule: Sameness) -> bool:
        """Return whether the rule can say anything of a part of this."""
        headers = self.headers
        match rule:
            case "etag":
                return is_strong(headers.get(b"etag"))
            case "modified":
                return headers.get(b"last-modified") is not None and self.total is not None
            case "overlap":
                return self.total is not None


@dataclass(frozen=True, slots=True)
class Continuation:
    """What to ask for: the body from byte `first` of the whole on, of which the first
    `overlap_bytes` have been sent already. `ranged` False: the whole, to be skipped."""

    first: int
    overlap_bytes: int
    ranged: bool
    fields: tuple[Field, ...]


def continuation(
    begun: Begun, received: int, rule: Sameness, overlap_bytes: int, *, ranged: bool = True
) -> Continuation:
    """Return how to ask another origin for the rest, after `received` bytes of the body.

    Where it ends may not be known, and then it may have broken off behind its last byte. So that
    byte is asked for again: nothing can be had from the very end of a body (416).
    """
    at = begun.start + received
    if not ranged:
        # Also a part that was begun is asked for whole: the request then has no Range at all.
        return Continuation(0, 0, False, ())
    overlap = overlap_bytes if rule == "overlap" else int(begun.end is None)
    overlap = min(overlap, received)
    first = at - overlap
    last = b"" if begun.end is None else b"%d" % (begun.end - 1)
    fields: list[Field] = [(b"range", b"bytes=%d-%s" % (first, last))]
    validator = None
    if rule == "etag":
        validator = begun.headers.get(b"etag")
        validator = validator if is_strong(validator) else None
    elif rule == "modified":
        validator = begun.headers.get(b"last-modified")
    if validator is not None:
        fields.append((b"if-range", validator))
    return Continuation(first, overlap, True, tuple(fields))


@dataclass(frozen=True, slots=True)
class Accepted:
    """The rest can be taken: `skip` bytes of the body come first and are only compared.

    The last `compare` of the skipped are the last that were sent; with `hashed` they are all of
    what was received, and are compared by hash.
    """

    skip: int
    compare: int
    hashed: bool


def accept(
    begun: Begun,
    received: int,
    rule: Sameness,
    asked: Continuation,
    head: ParsedResponseHead,
) -> Accepted | str:
    """Return whether a response continues what was begun; otherwise a word for the log."""
    if head.status == 206 and asked.ranged:
        return _accept_part(begun, rule, asked, head)
    if head.status != 200:
        return f"status_{head.status}"
    total = head.body_bytes if head.body_bytes >= 0 else None
    if begun.total is not None and total != begun.total and (total is not None or rule != "etag"):
        return "another_length"
    if rule == "etag" and not _same_tag(begun.headers, head.headers, missing=True):
        return "another_etag"
    if rule == "modified" and not _same_date(begun.headers, head.headers, missing=True):
        return "another_date"
    if begun.headers.get(b"content-encoding") != head.headers.get(b"content-encoding"):
        return "another_encoding"
    if _lacks_the_name(begun, rule, head) and (begun.start or received < LEAST_COMPARED_BYTES):
        return "without_a_name"
    return Accepted(skip=begun.start + received, compare=received, hashed=True)


def _lacks_the_name(begun: Begun, rule: Sameness, head: ParsedResponseHead) -> bool:
    """Return whether what was begun has the validator that the rule goes by, and this has not.

    Other parts may be stored under that name: then too few bytes, or those of a part, prove
    nothing of the rest.
    """
    if rule == "etag":
        return is_strong(begun.headers.get(b"etag")) and not is_strong(head.headers.get(b"etag"))
    if rule == "modified":
        return b"last-modified" in begun.headers and b"last-modified" not in head.headers
    return False


def _accept_part(
    begun: Begun, rule: Sameness, asked: Continuation, head: ParsedResponseHead
) -> Accepted | str:
    part = part_of(head)
    if part is None:
        return "bad_content_range"
    start, end, total = part.start, part.end, part.total
    if start != asked.first or (begun.end is not None and end != begun.end):
        return "another_range"
    if begun.end is None and end != total:
        return "another_range"  # the end of what it sends need not be that of the whole
    if begun.total is not None and total is not None and total != begun.total:
        return "another_length"
    if begun.headers.get(b"content-encoding") != head.headers.get(b"content-encoding"):
        return "another_encoding"
    match rule:
        case "etag":
            same = _same_tag(begun.headers, head.headers, missing=False)
        case "modified":
            same = _same_date(begun.headers, head.headers, missing=False)
            same = same and begun.total is not None and total == begun.total
        case "overlap":
            same = begun.total is not None and total == begun.total
    if not same:
        return "not_proved_the_same"
    return Accepted(skip=asked.overlap_bytes, compare=asked.overlap_bytes, hashed=False)


def _same_tag(one: Headers, other: Headers, *, missing: bool) -> bool:
    first, second = one.get(b"etag"), other.get(b"etag")
    if not is_strong(first) or not is_strong(second):
        return missing
    return first == second


def _same_date(one: Headers, other: Headers, *, missing: bool) -> bool:
    first, second = one.get(b"last-modified"), other.get(b"last-modified")
    if first is None or second is None:
        return missing
    return first == second


class Sent:
    """What has been passed on of a body: how much, its last bytes, and a hash of all of it."""

    __slots__ = ("_hash", "_keep", "size_bytes", "tail")

    def __init__(self, keep_bytes: int) -> None:
        self.size_bytes = 0
        self.tail = b""
        self._keep = keep_bytes
        self._hash = xxhash.xxh3_64()

    def add(self, data: memoryview) -> None:
        """Note bytes that were sent."""
        size = len(data)
        self.size_bytes += size
        self._hash.update(data)
        keep = self._keep
        if keep:
            tail = bytes(data[-keep:])
            self.tail = tail if size >= keep else (self.tail + tail)[-keep:]

    def digest(self) -> int:
        """Return the hash of what was sent."""
        return self._hash.intdigest()


class Comparison:
    """Compares the bytes that are to be skipped with those that were sent."""

    def __init__(self, accepted: Accepted, sent: Sent) -> None:
        self._left = accepted.skip
        self._ignored = accepted.skip - accepted.compare
        self._hashed = accepted.hashed
        self._sent = sent
        self._expected = sent.tail[-accepted.compare :] if accepted.compare else b""
        self._seen = b""
        self._hash = xxhash.xxh3_64()

    @property
    def left(self) -> int:
        """Return how many bytes are still to be skipped."""
        return self._left

    def take(self, data: memoryview) -> None:
        """Skip these bytes: not more than are left."""
        self._left -= len(data)
        if self._ignored:
            ignored = min(self._ignored, len(data))
            self._ignored -= ignored
            data = data[ignored:]
        if self._hashed:
            self._hash.update(data)
        else:
            self._seen += bytes(data)

    def same(self) -> bool:
        """Return whether all was the same, once nothing is left."""
        if self._hashed:
            return self._hash.intdigest() == self._sent.digest()
        return self._seen == self._expected
