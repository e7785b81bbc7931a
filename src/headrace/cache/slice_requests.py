"""What to ask an origin for so that the answer fills whole slices, and where an answer belongs.

Pure. A large object is kept in aligned slices; a client's range becomes a request for the slices
that it touches, and only answers that fit a slice's start are of use.
"""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from headrace.cache.record import StoredResponse
from headrace.cache.validation import validation_fields
from headrace.http.message import Field, Headers
from headrace.http.parser import ParsedResponseHead
from headrace.http.partial import part_of
from headrace.http.ranges import byte_position
from headrace.http.validators import is_strong, same_representation


@dataclass(frozen=True, slots=True)
class SliceRequest:
    """A request for slices `first` to `last` (None: to the end).

    `stored` is the stored response that is to be validated (`validate`) or completed. `again`: the
    same was asked for before, for the same client, and brought nothing of use.
    """

    first: int = 0
    last: int | None = None
    stored: StoredResponse | None = None
    validate: bool = False
    again: bool = False

    @property
    def ranged(self) -> bool:
        """Whether the request carries a Range field."""
        return self.first > 0 or self.last is not None


class BodySpan(msgspec.Struct, frozen=True):
    """Where an answer's body belongs: from byte `start` of `total` (None: not known yet).

    `end` is where the body stops (None: at the end of the whole).
    """

    start: int
    end: int | None
    total: int | None


WHOLE = SliceRequest()
MOST_SLICES = 2**31  # slice numbers have 32 bits in the store


def slice_request_for(value: bytes, slice_bytes: int) -> SliceRequest | None:
    """Return the slices to ask for when nothing is known of the object but a client's Range field.

    Only the first range counts; others, and suffix ranges, are read once the length is known.
    A field that cannot be read asks for the whole. None: the range begins beyond any slice that
    could be kept, so that only the origin can answer it.
    """
    unit, _equals, text = value.partition(b"=")
    if unit.strip().lower() != b"bytes":
        return WHOLE
    first_text, dash, last_text = text.split(b",", 1)[0].strip().partition(b"-")
    first_text, last_text = first_text.strip(), last_text.strip()
    first_byte, last_byte = _number(first_text or b"0"), _number(last_text or b"0")
    if not dash or first_byte is None or last_byte is None:
        return WHOLE
    if not first_text:
        return SliceRequest(0, 0)
    if last_text and last_byte < first_byte:
        return WHOLE
    first = first_byte // slice_bytes
    if first >= MOST_SLICES:
        return None
    last = last_byte // slice_bytes
    return SliceRequest(first, last if last_text and last < MOST_SLICES else None)


def _number(text: bytes) -> int | None:
    return byte_position(text) if text.isdigit() else None


def slice_request_fields(wanted: SliceRequest, slice_bytes: int) -> list[Field]:
    """Return the Range and conditional fields of this request."""
    fields: list[Field] = []
    if wanted.ranged:
        end = b"" if wanted.last is None else b"%d" % ((wanted.last + 1) * slice_bytes - 1)
        if wanted.last is None and wanted.stored is not None and wanted.stored.length > 0:
            end = b"%d" % (wanted.stored.length - 1)
        fields.append((b"range", b"bytes=%d-%s" % (wanted.first * slice_bytes, end)))
    if wanted.stored is not None:
        if wanted.validate:
            fields += validation_fields(wanted.stored)
        else:
            tag = Headers(wanted.stored.headers).get(b"etag")
            if wanted.ranged and tag is not None and is_strong(tag):
                fields.append((b"if-range", tag))
    return fields


def place(wanted: SliceRequest, head: ParsedResponseHead, slice_bytes: int) -> BodySpan | None:
    """Return where a final response's body belongs, or None when it fits nowhere.

    A 206 must begin at a slice's start, end at a slice's end or the whole's, and say the whole's
    length (RFC 9110 sections 14.4 and 15.3.7); any other status brings the whole.
    """
    if head.status != 206:
        total = head.body_bytes if head.body_bytes >= 0 else None
        return BodySpan(0, None, total)
    part = part_of(head)
    if part is None:
        return None
    start, end, total = part.start, part.end, part.total
    if total is None and wanted.stored is not None and not wanted.validate:
        total = wanted.stored.length  # what is completed has a known length; `continues` compares
    if total is None or total < 0 or end > total or start != wanted.first * slice_bytes:
        return None
    if end != total and end % slice_bytes:
        return None
    return BodySpan(start, end, total)


def continues(stored: StoredResponse, span: BodySpan, headers: Headers) -> bool:
    """Return whether an answer is part of this very representation, so that it may be combined with
    it (RFC 9110 section 15.3.7.3).
    """
    if span.total != stored.length:
        return False
    return same_representation(Headers(stored.headers), headers)


def can_be_completed(stored: StoredResponse) -> bool:
    """Return whether missing slices may be fetched apart: only a strong validator allows it."""
    return stored.length >= 0 and is_strong(Headers(stored.headers).get(b"etag"))


def as_asked(wanted: SliceRequest, status: int) -> bool:
    """Return whether an answer that is not to be stored suits a client as it is."""
    return not wanted.ranged or status not in (206, 416)


def slices_for(
    range_value: bytes | None, stored: StoredResponse | None, slice_bytes: int
) -> SliceRequest | None:
    """Return what to fill for a client's request, with its Range field if it has one: all of it,
    or the slices of the range; for a stored response its validation. None: only the origin can
    answer (see `slice_request_for`).
    """
    if stored is None:
        return WHOLE if range_value is None else slice_request_for(range_value, slice_bytes)
    # One validation serves all clients, whichever range they want; only if the object has
    # changed does it bring a body, and then no more of it than the first slice.
    large = stored.length > stored.slice_bytes
    last = 0 if range_value is not None and large else None
    return SliceRequest(0, last, stored, validate=True)
