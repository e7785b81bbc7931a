"""Signatures for S3-compatible stores: AWS Signature Version 4, in the Authorization field. Pure.

Follows "Authenticating Requests: Using the Authorization Header" of the Amazon S3 API Reference.
Only what `signable.may_sign` allows is signed; there is no way around it in this module.
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import unquote_to_bytes

from headrace.http.message import Field
from headrace.http.target import UNRESERVED
from headrace.upstream.errors import Failure, OriginError
from headrace.upstream.signable import Bucket, Refusal, may_sign

EMPTY_SHA256 = hashlib.sha256(b"").hexdigest().encode()
_SIGNED_TOO = frozenset((b"range",))


@dataclass(frozen=True, slots=True)
class Credentials:
    """An access key and what it is for: see `signable.may_sign` for `query_names` and `bucket`."""

    access_key: str
    secret_key: str
    region: str
    service: str = "s3"
    query_names: frozenset[bytes] = frozenset()
    bucket: Bucket | None = None

    def __repr__(self) -> str:
        return f"Credentials({self.access_key!r}, region={self.region!r})"


class NotSigned(OriginError):
    """A request that the edge does not sign. `refusal` says why; its status is the client's."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(Failure.NOT_SIGNED, refusal.message)
        self.refusal = refusal

    @property
    def status(self) -> int:
        """The status that a client gets."""
        return self.refusal.status


def refused(
    credentials: Credentials, method: bytes, prefix: bytes, target: bytes, fields: list[Field]
) -> Refusal | None:
    """Return why these credentials do not sign this request, or None."""
    return may_sign(
        method, prefix, target, {name for name, _value in fields},
        next((value for name, value in fields if name == b"host"), b""),
        query_names=credentials.query_names, bucket=credentials.bucket,
    )  # fmt: skip


def signed(
    credentials: Credentials,
    method: bytes,
    target: bytes,
    fields: list[Field],
    now: float,
    *,
    prefix: bytes = b"",
) -> list[Field]:
    """Return the fields of a request with its signature added. `now` is Unix time.

    `prefix` is the origin's own, in front of the target. Raises NotSigned. An Authorization of the
    client's is replaced: an origin takes one only.
    """
    refusal = refused(credentials, method, prefix, target, fields)
    if refusal is not None:
        raise NotSigned(refusal)
    return _with_signature(credentials, method, prefix + target, fields, now)


def _with_signature(
    credentials: Credentials, method: bytes, target: bytes, fields: list[Field], now: float
) -> list[Field]:
    moment = datetime.fromtimestamp(now, UTC)
    date_time = moment.strftime("%Y%m%dT%H%M%SZ").encode()
    date = date_time[:8]
    ours = (b"authorization", b"x-amz-date", b"x-amz-content-sha256")
    fields = [field for field in fields if field[0] not in ours]
    fields += [(b"x-amz-content-sha256", EMPTY_SHA256), (b"x-amz-date", date_time)]
    covered = sorted(
        (name, b" ".join(value.split()))
        for name, value in fields
        if name == b"host" or name.startswith(b"x-amz-") or name in _SIGNED_TOO
    )
    names = b";".join(name for name, _value in covered)
    path, _mark, query = target.partition(b"?")
    canonical = b"\n".join(
        (
            method,
            canonical_path(path),
            canonical_query(query),
            b"".join(name + b":" + value + b"\n" for name, value in covered),
            names,
            EMPTY_SHA256,
        )
    )
    scope = b"/".join(
        (date, credentials.region.encode(), credentials.service.encode(), b"aws4_request")
    )
    to_sign = b"\n".join(
        (b"AWS4-HMAC-SHA256", date_time, scope, hashlib.sha256(canonical).hexdigest().encode())
    )
    key = b"AWS4" + credentials.secret_key.encode()
    for part in scope.split(b"/"):
        key = hmac.digest(key, part, "sha256")
    signature = hmac.digest(key, to_sign, "sha256").hex().encode()
    value = (
        b"AWS4-HMAC-SHA256 Credential="
        + credentials.access_key.encode()
        + b"/" + scope + b",SignedHeaders=" + names + b",Signature=" + signature
    )  # fmt: skip
    fields.append((b"authorization", value))
    return fields


def canonical_path(path: bytes) -> bytes:
    """Return the path with every byte escaped but the unreserved ones and the slashes."""
    return b"/".join(_escaped(unquote_to_bytes(part)) for part in path.split(b"/")) or b"/"


def canonical_query(query: bytes) -> bytes:
    """Return the query's parameters, escaped and sorted."""
    if not query:
        return b""
    pairs: list[tuple[bytes, bytes]] = []
    for part in query.split(b"&"):
        name, _equals, value = part.partition(b"=")
        pairs.append((_escaped(unquote_to_bytes(name)), _escaped(unquote_to_bytes(value))))
    return b"&".join(name + b"=" + value for name, value in sorted(pairs))


def _escaped(text: bytes) -> bytes:
    return b"".join(bytes((byte,)) if byte in UNRESERVED else b"%%%02X" % byte for byte in text)
