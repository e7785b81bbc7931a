"""Signatures, against the example in the Amazon S3 documentation."""

from __future__ import annotations

from datetime import UTC, datetime

from headrace.upstream.signing import Credentials, canonical_path, canonical_query, signed
from headrace.upstream.signing import _with_signature as with_signature

EXAMPLE = Credentials(
    "AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "us-east-1"
)
WHEN = datetime(2013, 5, 24, tzinfo=UTC).timestamp()
HOST = (b"host", b"examplebucket.s3.amazonaws.com")


def signature(target: bytes, *fields: tuple[bytes, bytes]) -> bytes:
    found = dict(with_signature(EXAMPLE, b"GET", target, [HOST, *fields], WHEN))
    return found[b"authorization"].rpartition(b"Signature=")[2]


def test_an_object_with_a_range() -> None:
    found = dict(signed(EXAMPLE, b"GET", b"/test.txt", [HOST, (b"range", b"bytes=0-9")], WHEN))
    assert found[b"authorization"] == (
        b"AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,"
        b"SignedHeaders=host;range;x-amz-content-sha256;x-amz-date,"
        b"Signature=f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"
    )


def test_a_query_is_signed() -> None:
    assert signature(b"/?max-keys=2&prefix=J") == (
        b"34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7"
    )


def test_the_clients_authorization_does_not_go_along() -> None:
    found = signed(EXAMPLE, b"GET", b"/a", [HOST, (b"authorization", b"Basic eHl6")], WHEN)
    (value,) = [value for name, value in found if name == b"authorization"]
    assert value.startswith(b"AWS4")


def test_paths_and_queries_are_escaped_once() -> None:
    assert canonical_path(b"/a%20b/c+d/%C3%BC") == b"/a%20b/c%2Bd/%C3%BC"
    assert canonical_query(b"b=2&a=%2F&c") == b"a=%2F&b=2&c="


def test_a_secret_is_not_shown() -> None:
    assert "wJalr" not in repr(EXAMPLE)
