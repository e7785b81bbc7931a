"""Large objects in aligned slices: a range deep inside fetches only what it touches, and bytes of
different representations never meet (RFC 9111 section 3.4, RFC 9110 section 15.3.7.3).
"""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from tests.harness.bodies import Body, Checker
from tests.harness.edge import Edge
from tests.harness.origin import Origin
from tests.harness.replies import Recorded, Reply, cacheable, headers

SLICE = 256 * 1024
HUGE = Body(21, 10 * 1024**3)
DEEP = 7 * 1024**3 + 5
MODIFIED = "Sun, 06 Nov 1994 08:49:37 GMT"


def asked_spans(origin: Origin, path: str) -> list[tuple[int, int]]:
    """The ranges that the origin was asked for, ends exclusive."""
    found = []
    for request in origin.asked(path):
        match = re.fullmatch(r"bytes=(\d+)-(\d*)", request.header("range") or "")
        assert match is not None, f"not a range: {request.header('range')}"
        found.append((int(match[1]), min(len(HUGE), int(match[2] or len(HUGE)) + 1)))
    return found


def span(edge: Edge, path: str, start: int, end: int) -> bytes:
    found = edge.get(path, ("Range", f"bytes={start}-{end - 1}"))
    assert (found.status, found.complete) == (206, True)
    return found.body


def test_a_range_deep_inside_ten_gigabytes_fetches_only_the_slices_it_touches(
    edge: Edge, origin: Origin, path: str
) -> None:
    origin.serve(path, cacheable(HUGE))
    assert span(edge, path, DEEP, DEEP + 1000) == HUGE.read(DEEP, DEEP + 1000)
    spans = asked_spans(origin, path)
    assert sum(end - start for start, end in spans) <= 2 * SLICE
    assert all(start % SLICE == 0 for start, _ in spans)


def test_a_slice_is_fetched_once(edge: Edge, origin: Origin, path: str) -> None:
    origin.serve(path, cacheable(HUGE))
    span(edge, path, DEEP, DEEP + 1000)
    before = origin.count(path)
    assert span(edge, path, DEEP + 500, DEEP + 5000) == HUGE.read(DEEP + 500, DEEP + 5000)
    assert origin.count(path) == before


def test_a_range_over_a_border_takes_both_slices(edge: Edge, origin: Origin, path: str) -> None:
    origin.serve(path, cacheable(HUGE))
    border = DEEP // SLICE * SLICE
    assert span(edge, path, border - 10, border + 10) == HUGE.read(border - 10, border + 10)
    assert {start for start, _ in asked_spans(origin, path)} <= {border - SLICE, border}


def test_only_the_missing_slices_are_fetched(edge: Edge, origin: Origin, path: str) -> None:
    body = Body(22, 8 * SLICE)
    origin.serve(path, cacheable(body))
    span(edge, path, 2 * SLICE, 3 * SLICE)
    span(edge, path, 5 * SLICE, 6 * SLICE)
    before = origin.count(path)
    assert span(edge, path, 2 * SLICE, 6 * SLICE) == body.read(2 * SLICE, 6 * SLICE)
    fetched = asked_spans(origin, path)[before:]
    assert all(3 * SLICE <= start < 5 * SLICE for start, _ in fetched)


@pytest.mark.parametrize("size_bytes", [SLICE - 1, SLICE, SLICE + 1, 5 * SLICE, 5 * SLICE + 7])
def test_the_whole_is_put_together_from_ranges_and_the_rest(
    edge: Edge, origin: Origin, path: str, size_bytes: int
) -> None:
    body = Body(23, size_bytes)
    origin.serve(path, cacheable(body))
    middle = size_bytes // 2
    span(edge, path, middle, middle + 10)
    whole = edge.get(path)
    assert (whole.status, whole.complete, whole.body == body.read()) == (200, True, True)
    assert edge.get(path).hit


def test_a_body_of_many_slices_streams_right(edge: Edge, origin: Origin, path: str) -> None:
    body = Body(24, 48 * 1024 * 1024 + 3)
    origin.serve(path, cacheable(body))
    for _ in range(2):
        checker = Checker(body)
        with edge.client() as client:
            assert client.get(path, sink=checker.feed).complete
        assert checker.position == len(body)


@pytest.mark.parametrize("framing", ["chunked", "close"])
def test_a_body_of_unknown_length_is_cut_into_slices_too(
    edge: Edge, origin: Origin, path: str, framing: str
) -> None:
    body = Body(25, 3 * SLICE + 11)
    origin.serve(path, replace(cacheable(body), framing=framing))  # type: ignore[arg-type]
    assert edge.get(path).body == body.read()
    assert span(edge, path, 3 * SLICE - 5, 3 * SLICE + 5) == body.read(3 * SLICE - 5, 3 * SLICE + 5)
    assert (edge.get(path).hit, origin.count(path)) == (True, 1)


@pytest.mark.parametrize("framing", ["length", "chunked", "close"])
@pytest.mark.parametrize("size_bytes", [0, 1, 1000, 70_000, SLICE, SLICE + 1])
def test_a_short_body_is_stored_whatever_its_framing(
    edge: Edge, origin: Origin, path: str, size_bytes: int, framing: str
) -> None:
    body = Body(34, size_bytes)
    origin.serve(path, replace(cacheable(body), framing=framing))  # type: ignore[arg-type]
    found = [edge.get(path) for _ in range(3)]
    assert all(one.complete and one.body == body.read() for one in found)
    assert origin.count(path) == 1


def versions(*bodies: Body) -> object:
    """Another representation for each request in turn: new bytes under a new tag."""
    turn = iter(bodies)
    last = bodies[-1]

    def script(request: Recorded) -> Reply:
        return cacheable(next(turn, last))

    return script


def test_slices_of_two_representations_are_never_joined(
    edge: Edge, origin: Origin, path: str
) -> None:
    old, new = Body(26, 4 * SLICE), Body(27, 4 * SLICE)
    origin.serve(path, versions(old, new))  # type: ignore[arg-type]
    span(edge, path, 0, 10)
    found = edge.get(path)
    if found.complete:
        assert found.body == new.read()
    assert edge.get(path).body == new.read()


def test_two_representations_are_distinguished_by_a_strong_tag_only(
    edge: Edge, origin: Origin, path: str
) -> None:
    old, new = Body(28, 4 * SLICE), Body(29, 4 * SLICE)
    turn = iter([old, new])

    def script(request: Recorded) -> Reply:
        return cacheable(next(turn, new), etag='W/"same"')

    origin.serve(path, script)
    span(edge, path, 0, 10)
    found = edge.get(path)
    assert not found.complete or found.body in (old.read(), new.read())


def test_a_changed_date_alone_shows_another_representation(
    edge: Edge, origin: Origin, path: str
) -> None:
    old, new = Body(30, 4 * SLICE), Body(31, 4 * SLICE)
    fields = headers(cache_control="max-age=600", last_modified=MODIFIED)
    later = headers(cache_control="max-age=600", last_modified="Mon, 07 Nov 1994 08:49:37 GMT")
    origin.serve(path, [Reply(headers=fields, body=old), Reply(headers=later, body=new)])
    span(edge, path, 0, 10)
    found = edge.get(path)
    assert not found.complete or found.body in (old.read(), new.read())


def test_an_origin_that_knows_no_ranges_is_served_from_its_whole_body(
    edge: Edge, origin: Origin, path: str
) -> None:
    body = Body(32, 4 * SLICE)
    origin.serve(path, replace(cacheable(body), ranges=False))
    assert span(edge, path, 3 * SLICE + 5, 3 * SLICE + 50) == body.read(
        3 * SLICE + 5, 3 * SLICE + 50
    )
    assert edge.get(path).body == body.read()


@pytest.mark.parametrize(
    "content_range",
    ["bytes 0-99/1000000", "bytes 5-1/1000000", "nonsense", "bytes 262144-262153/*", "bytes */9"],
)
def test_a_partial_response_of_another_place_never_gives_wrong_bytes(
    edge: Edge, origin: Origin, path: str, content_range: str
) -> None:
    body = Body(33, 1_000_000)
    fields = headers(cache_control="max-age=60", etag='"a"', content_range=content_range)
    wrong = Reply(status=206, headers=fields, body=b"wrong bytes")
    origin.serve(path, [wrong, wrong, cacheable(body, etag='"a"')])
    found = edge.get(path, ("Range", "bytes=300000-300009"))
    right = found.status == 206 and found.body == body.read(300_000, 300_010)
    assert right or found.status >= 500 or not found.complete


def test_a_206_that_no_one_asked_for_is_not_taken_for_the_whole(
    edge: Edge, origin: Origin, path: str
) -> None:
    fields = headers(cache_control="max-age=60", etag='"a"', content_range="bytes 0-9/100")
    origin.serve(path, Reply(status=206, headers=fields, body=b"0123456789"))
    assert edge.get(path).status != 200


def test_a_416_of_the_origin_reaches_the_client(edge: Edge, origin: Origin, path: str) -> None:
    origin.serve(path, cacheable(HUGE))
    found = edge.get(path, ("Range", f"bytes={20 * 1024**3}-"))
    assert (found.status, found.header("content-range")) == (416, f"bytes */{len(HUGE)}")


def test_a_suffix_of_an_unknown_object_fetches_little(
    edge: Edge, origin: Origin, path: str
) -> None:
    origin.serve(path, cacheable(HUGE))
    found = edge.get(path, ("Range", "bytes=-1000"))
    assert (found.status, found.body) == (206, HUGE.read(len(HUGE) - 1000))
    assert sum(end - start for start, end in asked_spans(origin, path)) <= 3 * SLICE
