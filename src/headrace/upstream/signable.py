"""What an edge may sign for a client whom it does not know. Pure.

The invariant: a signed request is a GET or HEAD of one object, without a body. Its query has no
parameter that the operator did not list, so it names no sub-resource (`acl`, `uploads`), overrides
no field of the response and lists no bucket. Its fields are those of `FIELDS` and the operator's
own: no `x-amz-*` of a client's gets in. `signing.signed` asks here each time, whoever calls it.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal
from urllib.parse import unquote_to_bytes

from headrace.http.message import Field
from headrace.http.methods import GET_OR_HEAD
from headrace.http.validators import CONDITIONS

Bucket = Literal["path", "host"]
# A client's fields that may go along: they choose among representations and parts of one object.
FIELDS = CONDITIONS | frozenset(
    (
        b"accept",
        b"accept-encoding",
        b"accept-language",
        b"cdn-loop",
        b"host",
        b"origin",
        b"range",
        b"user-agent",
        b"via",
        b"x-forwarded-for",
        b"x-forwarded-host",
        b"x-forwarded-proto",
    )
)
FRAMING = frozenset((b"content-length", b"transfer-encoding"))
_UNCLEAN = re.compile(rb"[\x00-\x1f\x7f\\]")
# bucket.s3.example.net, bucket.s3-eu-west-1.example.com
_BUCKET_IN_HOST = re.compile(rb"[^.]+\.(?:[^:]*\.)?s3[.-]")


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a request is not signed, and the status that says so to a client."""

    status: int
    message: str


def may_sign(
    method: bytes,
    prefix: bytes,
    target: bytes,
    names: Collection[bytes],
    host: bytes,
    *,
    query_names: frozenset[bytes],
    bucket: Bucket | None,
) -> Refusal | None:
    """Return why this request may not be signed, or None.

    `prefix` is the origin's own, in front of `target`; `names` are those of all fields, `host` is
    the Host sent. `bucket` says where the bucket's name is; None: in the prefix if there is one,
    else in a host like `bucket.s3.example.net`, else it is the path's first segment.
    """
    if method not in GET_OR_HEAD:
        return Refusal(405, "only GET and HEAD are signed for this origin")
    if any(name in FRAMING for name in names):
        return Refusal(400, "a request that is signed has no body")
    path, _mark, query = target.partition(b"?")
    if not _names_an_object(prefix, path, host, bucket):
        return Refusal(403, "the path names no object of the store")
    for parameter in query.split(b"&"):
        name = unquote_to_bytes(parameter.partition(b"=")[0].replace(b"+", b" "))
        if parameter and name not in query_names:
            return Refusal(403, "the query has a parameter that is not signed here")
    return None


def signed_fields(fields: list[Field]) -> list[Field]:
    """Return those of a client's fields that may be in a signed request."""
    return [field for field in fields if field[0] in FIELDS]


def _names_an_object(prefix: bytes, path: bytes, host: bytes, bucket: Bucket | None) -> bool:
    # As the store reads it: an escaped slash is one.
    text = unquote_to_bytes(path)
    if not text.startswith(b"/") or _UNCLEAN.search(text):
        return False
    segments = text[1:].split(b"/")
    if b"." in segments or b".." in segments:
        return False
    in_path = not prefix and (
        bucket == "path" or (bucket is None and _BUCKET_IN_HOST.match(host) is None)
    )
    if in_path:
        if not segments[0]:
            return False
        segments = segments[1:]
    # Some stores take several slashes for one, and would list what is before them.
    return any(segments)
