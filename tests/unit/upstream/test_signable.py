"""What is signed for strangers: GET and HEAD of an object, and nothing else."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.http.message import Field
from headrace.upstream.endpoint import Endpoint
from headrace.upstream.pool import Origin
from headrace.upstream.request_fields import fields_for
from headrace.upstream.signable import FIELDS, Bucket, may_sign
from headrace.upstream.signing import Credentials, NotSigned, signed

KEYS = Credentials("key", "secret", "r", query_names=frozenset((b"versionId",)))


def status_of(
    method: bytes,
    target: bytes,
    *names: bytes,
    prefix: bytes = b"/bucket",
    host: bytes = b"store.example",
    bucket: Bucket | None = None,
) -> int:
    found = may_sign(
        method, prefix, target, names, host, query_names=KEYS.query_names, bucket=bucket
    )
    return 200 if found is None else found.status


@pytest.mark.parametrize("method", [b"GET", b"HEAD"])
@pytest.mark.parametrize(
    "target", [b"/a", b"/a/b%20c", b"/folder/", b"/a?versionId=7", b"/a%2Fb", b"//a", b"/a?"]
)
def test_an_object_is_read(method: bytes, target: bytes) -> None:
    assert status_of(method, target) == 200


@pytest.mark.parametrize("method", [b"PUT", b"DELETE", b"POST", b"PATCH", b"OPTIONS", b"get"])
def test_nothing_is_written(method: bytes) -> None:
    assert status_of(method, b"/a") == 405


@pytest.mark.parametrize(
    "query",
    [
        b"acl", b"policy", b"list-type=2", b"uploads", b"tagging=", b"response-content-type=x",
        b"X-Amz-Signature=x", b"versionId=7&acl", b"versionID=7", b"%61cl", b"=", b"a+cl",
        b"versionId=7&=acl",
    ],
)  # fmt: skip
def test_a_parameter_that_is_not_listed_is_refused(query: bytes) -> None:
    assert status_of(b"GET", b"/a?" + query) == 403


@pytest.mark.parametrize(
    "target",
    [
        b"/", b"//", b"/%2f", b"", b"*", b"a", b"/../other/a", b"/a/../../x", b"/%2e%2e/x",
        b"/..%2fx", b"/a%5cb", b"/a%00", b"/.", b"/?versionId=7",
    ],
)  # fmt: skip
def test_a_path_that_names_no_object_is_refused(target: bytes) -> None:
    assert status_of(b"GET", target) == 403


@pytest.mark.parametrize(
    ("host", "bucket", "target", "status"),
    [
        (b"store.example:9000", None, b"/bucket", 403),
        (b"store.example:9000", None, b"/bucket/", 403),
        (b"store.example:9000", None, b"/bucket%2f", 403),
        (b"store.example:9000", None, b"//a", 403),
        (b"store.example:9000", None, b"/bucket/a", 200),
        (b"s3.amazonaws.com", None, b"/bucket", 403),
        (b"s3.eu-west-1.amazonaws.com", None, b"/bucket", 403),
        (b"media.s3.amazonaws.com", None, b"/a", 200),
        (b"media.s3-eu-west-1.amazonaws.com", None, b"/a", 200),
        (b"a.media.s3.eu-west-1.amazonaws.com", None, b"/a", 200),
        (b"media.s3.amazonaws.com", None, b"/", 403),
        (b"media.s3.amazonaws.com", "path", b"/a", 403),
        (b"media.store.example", "host", b"/a", 200),
        (b"media.store.example", "host", b"/", 403),
    ],
)
def test_a_bucket_is_no_object_wherever_its_name_is(
    host: bytes, bucket: Bucket | None, target: bytes, status: int
) -> None:
    assert status_of(b"GET", target, prefix=b"", host=host, bucket=bucket) == status


@pytest.mark.parametrize("name", [b"content-length", b"transfer-encoding"])
def test_a_request_with_a_body_is_refused(name: bytes) -> None:
    assert status_of(b"GET", b"/a", b"host", name) == 400


ORIGIN = Origin(
    "o", Endpoint.from_url("http://store.example:9000/bucket", None), credentials=KEYS,
    headers=((b"x-amz-request-payer", b"requester"),),
)  # fmt: skip


def sent(*fields: Field, origin: Origin = ORIGIN) -> dict[bytes, bytes]:
    return dict(fields_for(origin, b"GET", b"/a", [(b"host", b"evil.example"), *fields], 0.0))


def test_no_field_of_the_clients_is_signed_but_its_range() -> None:
    found = sent((b"x-amz-copy-source", b"/b/secret"), (b"x-amz-acl", b"public"), (b"range", b"r"))
    names = found[b"authorization"].partition(b"SignedHeaders=")[2].partition(b",")[0].split(b";")
    assert set(names) == {
        b"host", b"range", b"x-amz-content-sha256", b"x-amz-date", b"x-amz-request-payer",
    }  # fmt: skip


def test_a_stores_host_is_never_the_clients() -> None:
    assert sent()[b"host"] == b"store.example:9000"


TOKENS = st.sampled_from(
    [b"acl", b"x-amz-acl", b"versionId", b"/", b"..", b"%2e", b"%2f", b"?", b"&", b"=", b"a", b"%"]
)


@given(
    st.sampled_from([b"GET", b"HEAD", b"PUT", b"DELETE"]),
    st.lists(TOKENS).map(b"".join),
    st.lists(st.tuples(st.sampled_from([b"x-amz-acl", b"cookie", b"range", b"x"]), st.just(b"1"))),
)
def test_whatever_is_asked_what_is_signed_reads_one_object(
    method: bytes, target: bytes, fields: list[Field]
) -> None:
    try:
        found = fields_for(ORIGIN, method, b"/" + target, [(b"host", b""), *fields], 0.0)
    except NotSigned as error:
        assert error.status in (403, 405)
        return
    path, _mark, query = (b"/" + target).partition(b"?")
    assert method in (b"GET", b"HEAD")
    assert path.strip(b"/")
    assert b".." not in path.split(b"/")
    assert {part.partition(b"=")[0] for part in query.split(b"&")} <= {b"", b"versionId"}
    own = {b"authorization", b"x-amz-date", b"x-amz-content-sha256", b"x-amz-request-payer"}
    assert {name for name, _value in found} <= FIELDS | own


def test_no_one_signs_without_asking_first() -> None:
    with pytest.raises(NotSigned):
        signed(KEYS, b"DELETE", b"/a", [(b"host", b"h")], 0.0, prefix=b"/bucket")
