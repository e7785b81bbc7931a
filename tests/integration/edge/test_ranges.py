"""Range requests on stored and unknown objects (RFC 9110 section 14, RFC 9111 section 3.3)."""

from __future__ import annotations

import re

import pytest

from tests.harness.bodies import Body
from tests.harness.edge import Edge
from tests.harness.origin import Origin
from tests.harness.replies import Reply, cacheable, headers
from tests.harness.wire import Response

BODY = Body(13, 1_000_000)
SLICE = 256 * 1024

SINGLE = [
    ("bytes=0-0", 0, 1),
    ("bytes=0-99", 0, 100),
    ("bytes=500-999", 500, 1000),
    (f"bytes={SLICE - 1}-{SLICE}", SLICE - 1, SLICE + 1),
    (f"bytes={SLICE}-{2 * SLICE - 1}", SLICE, 2 * SLICE),
    ("bytes=999999-", 999_999, 1_000_000),
    ("bytes=500000-", 500_000, 1_000_000),
    ("bytes=500000-99999999", 500_000, 1_000_000),
    ("bytes=-1", 999_999, 1_000_000),
    ("bytes=-300000", 700_000, 1_000_000),
    ("bytes=-99999999", 0, 1_000_000),
    ("bytes=0-", 0, 1_000_000),
]


@pytest.mark.parametrize(("spec", "start", "end"), SINGLE)
@pytest.mark.parametrize("stored", [True, False])
def test_a_single_range_gives_its_bytes(
    edge: Edge, origin: Origin, path: str, spec: str, start: int, end: int, stored: bool
) -> None:
    origin.serve(path, cacheable(BODY))
    if stored:
        edge.get(path)
    found = edge.get(path, ("Range", spec))
    assert (found.status, found.header("content-range")) == (
        206,
        f"bytes {start}-{end - 1}/1000000",
    )
    assert found.body == BODY.read(start, end)


@pytest.mark.parametrize("stored", [True, False])
def test_a_range_past_the_end_is_416(edge: Edge, origin: Origin, path: str, stored: bool) -> None:
    origin.serve(path, cacheable(BODY))
    if stored:
        edge.get(path)
    found = edge.get(path, ("Range", "bytes=1000000-"))
    assert (found.status, found.header("content-range")) == (416, "bytes */1000000")


@pytest.mark.parametrize("spec", ["bytes=9-1", "lines=1-2", "bytes=", "bytes=a-b", "nonsense"])
def test_a_range_that_cannot_be_read_is_ignored(
    edge: Edge, origin: Origin, path: str, spec: str
) -> None:
    origin.serve(path, cacheable(BODY))
    edge.get(path)
    found = edge.get(path, ("Range", spec))
    assert (found.status, found.body == BODY.read()) == (200, True)


def parts(response: Response) -> list[tuple[str, bytes]]:
    """The Content-Range and bytes of each part of a multipart/byteranges body."""
    kind = response.header("content-type") or ""
    match = re.fullmatch(r'multipart/byteranges; boundary="?([^"]+)"?', kind)
    assert match is not None, kind
    sections = response.body.split(b"--" + match[1].encode())
    assert sections[-1].strip() == b"--"
    found = []
    for section in sections[1:-1]:
        head, _, body = section.removeprefix(b"\r\n").partition(b"\r\n\r\n")
        content_range = re.search(rb"(?i)content-range: (.*?)(\r|$)", head)
        assert content_range is not None
        found.append((content_range[1].decode(), body.removesuffix(b"\r\n")))
    return found


@pytest.mark.parametrize("stored", [True, False])
def test_many_ranges_give_a_part_for_each(
    edge: Edge, origin: Origin, path: str, stored: bool
) -> None:
    origin.serve(path, cacheable(BODY))
    if stored:
        edge.get(path)
    found = edge.get(path, ("Range", "bytes=0-9, 300000-300009, -5"))
    assert found.status == 206
    assert parts(found) == [
        ("bytes 0-9/1000000", BODY.read(0, 10)),
        ("bytes 300000-300009/1000000", BODY.read(300_000, 300_010)),
        ("bytes 999995-999999/1000000", BODY.read(999_995)),
    ]


def test_more_ranges_than_the_limit_are_not_served_one_by_one(
    edge: Edge, origin: Origin, path: str
) -> None:
    origin.serve(path, cacheable(BODY))
    edge.get(path)
    spec = "bytes=" + ",".join(f"{at}-{at}" for at in range(0, 200, 2))
    found = edge.get(path, ("Range", spec))
    assert (found.status, found.body == BODY.read()) == (200, True)


def test_overlapping_ranges_never_multiply_the_body(edge: Edge, origin: Origin, path: str) -> None:
    origin.serve(path, cacheable(BODY))
    edge.get(path)
    found = edge.get(path, ("Range", "bytes=" + ",".join(["0-"] * 10)))
    assert len(found.body) < 1_100_000


@pytest.mark.parametrize(
    ("validator", "status"),
    [
        ('"13-1000000"', 206),
        ('"other"', 200),
        ('W/"13-1000000"', 200),
        ("Sun, 06 Nov 1994 08:49:37 GMT", 206),
        ("Sun, 06 Nov 1994 08:49:38 GMT", 200),
    ],
)
def test_if_range_gives_the_range_only_of_the_same_representation(
    edge: Edge, origin: Origin, path: str, validator: str, status: int
) -> None:
    last_modified = "Sun, 06 Nov 1994 08:49:37 GMT"
    origin.serve(path, cacheable(BODY, last_modified=last_modified))
    edge.get(path)
    found = edge.get(path, ("Range", "bytes=0-9"), ("If-Range", validator))
    assert found.status == status
    assert found.body == (BODY.read(0, 10) if status == 206 else BODY.read())


def test_a_range_in_head_is_ignored(edge: Edge, origin: Origin, path: str) -> None:
    origin.serve(path, cacheable(BODY))
    edge.get(path)
    found = edge.exchange("HEAD", path, ("Range", "bytes=0-9"))
    assert (found.status, found.header("content-length")) == (200, "1000000")


def test_a_range_of_what_is_not_stored_passes_to_the_origin(
    edge: Edge, origin: Origin, path: str
) -> None:
    origin.serve(path, Reply(headers=headers(cache_control="no-store", etag='"a"'), body=BODY))
    found = edge.get(path, ("Range", "bytes=100-199"))
    assert (found.status, found.body) == (206, BODY.read(100, 200))


def test_a_range_of_an_error_page_gives_the_page(edge: Edge, origin: Origin, path: str) -> None:
    origin.serve(path, Reply(status=404, body=b"not here"))
    found = edge.get(path, ("Range", "bytes=0-1"))
    assert (found.status, found.body) == (404, b"not here")


def test_stored_responses_say_that_ranges_are_served(edge: Edge, origin: Origin, path: str) -> None:
    origin.serve(path, cacheable(BODY))
    edge.get(path)
    assert edge.get(path).header("accept-ranges") == "bytes"


def test_a_range_that_is_asked_for_again_and_again_is_the_same(
    edge: Edge, origin: Origin, path: str
) -> None:
    body = Body(77, 1_000_000)
    origin.serve(path, cacheable(body))
    edge.get(path)
    edge.get(path)
    for start, end in [(0, 1), (100, 300_000), (262_143, 262_145), (999_999, 1_000_000)] * 3:
        with edge.client() as client:
            for _ in range(3):
                found = client.get(path, ("Range", f"bytes={start}-{end - 1}"))
                assert (found.status, found.body) == (206, body.read(start, end))
                assert found.header("content-range") == f"bytes {start}-{end - 1}/1000000"
    assert origin.count(path) == 1


def test_a_small_body_is_cut_to_its_range_from_memory(
    edge: Edge, origin: Origin, path: str
) -> None:
    body = Body(78, 1000)
    origin.serve(path, cacheable(body))
    with edge.client() as client:
        for _ in range(6):
            client.get(path)
        found = [client.get(path, ("Range", "bytes=10-19")).body for _ in range(3)]
        assert found == [body.read(10, 20)] * 3
        assert client.get(path, ("Range", "bytes=2000-")).status == 416
        assert client.get(path, ("Range", "bytes=0-1,5-6")).status == 206
        assert client.get(path).body == body.read()


def test_a_range_of_a_purged_object_is_fetched_again(edge: Edge, origin: Origin, path: str) -> None:
    old, new = Body(1, 600_000), Body(2, 600_000)
    origin.serve(path, [cacheable(old), cacheable(new)])
    edge.get(path)
    for _ in range(8):
        edge.get(path, ("Range", "bytes=300000-300099"))
    edge.purge(url=edge.url(path))
    for _ in range(8):
        found = edge.get(path, ("Range", "bytes=300000-300099"))
        assert found.body == new.read(300_000, 300_100)
