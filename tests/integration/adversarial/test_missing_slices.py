"""A slice that cannot be had fails the request that needs it, and nothing else.

What is stored and valid stays and is served; the origin is asked a bounded number of times, however
long the client waits.
"""

from __future__ import annotations

import pytest

from tests.harness.bodies import Body
from tests.harness.edge import Edge
from tests.harness.origin import Origin
from tests.harness.replies import End, Recorded, Reply, cacheable

SLICE_BYTES = 256 * 1024
EDGE = {
    "workers": 1,
    "timeouts": {"lock_wait": 3},
    "service": {"rule": [{"path": "*/small/*", "slice": "64KiB"}]},
}
BODY = Body(11, 5 * SLICE_BYTES)
SOUND = cacheable(BODY)
ETAG = SOUND.header("etag")


def raw_206(content_range: str, body: bytes, etag: str | None = ETAG) -> Reply:
    lines = ["HTTP/1.1 206 Partial Content", f"Content-Range: {content_range}"]
    lines += [f"Content-Length: {len(body)}", f"ETag: {etag}", "Cache-Control: max-age=600"]
    return Reply(raw="\r\n".join([*lines, "", ""]).encode() + body)


TROUBLES = {
    "503": Reply(status=503, body=b"down"),
    "500": Reply(status=500, body=b"down"),
    "403": Reply(status=403, body=b"no"),
    "429": Reply(status=429, body=b"slow down"),
    "reset": Reply(end=End("before_head", reset=True)),
    "elsewhere": raw_206(f"bytes 5-9/{len(BODY)}", BODY.read(5, 10)),
    "of unknown length, elsewhere": raw_206("bytes 5-9/*", BODY.read(5, 10)),
    "no range": Reply(raw=b"HTTP/1.1 206 Partial Content\r\nContent-Length: 2\r\n\r\nab"),
}


def store_two_slices(edge: Edge, origin: Origin, path: str) -> None:
    origin.serve(path, SOUND)
    for number in (0, 2):
        start = number * SLICE_BYTES
        found = edge.get(path, ("Range", f"bytes={start}-{start + 9}"))
        assert found.body == BODY.read(start, start + 10)


@pytest.mark.parametrize("trouble", TROUBLES.values(), ids=TROUBLES.keys())
def test_it_fails_alone_and_soon(edge: Edge, origin: Origin, path: str, trouble: Reply) -> None:
    store_two_slices(edge, origin, path)
    before = origin.count(path)
    origin.serve(path, trouble)

    start = 3 * SLICE_BYTES
    lost = edge.get(path, ("Range", f"bytes={start}-{start + 9}"))
    assert lost.status in (502, 503, 504)
    assert origin.count(path) - before <= 3

    for number in (0, 2):
        start = number * SLICE_BYTES
        found = edge.get(path, ("Range", f"bytes={start + 20}-{start + 29}"))
        assert (found.status, found.hit) == (206, True)
        assert found.body == BODY.read(start + 20, start + 30)

    origin.serve(path, SOUND)
    found = edge.get(path)
    assert found.body == BODY.read()


@pytest.mark.parametrize("status", [404, 410])
def test_an_origin_that_has_it_no_more_is_believed(
    edge: Edge, origin: Origin, path: str, status: int
) -> None:
    store_two_slices(edge, origin, path)
    origin.serve(path, Reply(status=status, body=b"gone"))
    assert edge.get(path).status == status


def test_another_representation_takes_its_place(edge: Edge, origin: Origin, path: str) -> None:
    store_two_slices(edge, origin, path)
    changed = Body(12, 5 * SLICE_BYTES)
    origin.serve(path, cacheable(changed))
    assert edge.get(path).body == changed.read()


def test_another_representation_that_may_not_be_stored_ends_the_old_one(
    edge: Edge, origin: Origin, path: str
) -> None:
    store_two_slices(edge, origin, path)
    before = origin.count(path)
    changed = Reply(headers=(("Cache-Control", "no-store"),), body=b"changed", ranges=False)
    origin.serve(path, changed)
    assert edge.get(path).body == b"changed"
    assert origin.count(path) - before <= 4


def test_a_representation_that_changes_each_time_is_not_asked_for_without_end(
    edge: Edge, origin: Origin, path: str
) -> None:
    store_two_slices(edge, origin, path)
    before = origin.count(path)

    def changing(request: Recorded) -> Reply:
        return cacheable(BODY, etag=f'"{request.number}"')

    origin.serve(path, changing)
    edge.get(path, ("Range", "bytes=0-"))
    assert origin.count(path) - before <= 8


def test_a_part_of_unknown_length_completes_what_is_known(
    edge: Edge, origin: Origin, path: str
) -> None:
    store_two_slices(edge, origin, path)
    start, end = SLICE_BYTES, 2 * SLICE_BYTES
    origin.serve(path, raw_206(f"bytes {start}-{end - 1}/*", BODY.read(start, end)))
    found = edge.get(path, ("Range", f"bytes={start}-{end - 1}"))
    assert (found.status, found.body) == (206, BODY.read(start, end))
    assert found.header("content-range") == f"bytes {start}-{end - 1}/{len(BODY)}"


def test_a_response_that_was_not_all_stored_is_no_hit(
    edge: Edge, origin: Origin, path: str
) -> None:
    store_two_slices(edge, origin, path)
    found = edge.get(path)
    assert found.body == BODY.read()
    assert (found.hit, found.cache["fwd"]) == (False, "partial")
    assert edge.get(path).hit


def test_a_range_beyond_all_files_is_the_origins_to_answer(
    edge: Edge, origin: Origin, path: str
) -> None:
    origin.serve(path, SOUND)
    for digits in (18, 19, 400):
        found = edge.get(path, ("Range", f"bytes={'9' * digits}-"))
        assert found.status == 416
    assert all(request.header("range") for request in origin.asked(path))
    assert not [name for name in edge.cache_dir.rglob("*") if name.suffix == ".part"]


@pytest.mark.parametrize(
    ("value", "heard"), [("bytes=0-,0-,0-", None), ("bytes=0-1,0-1", None), ("bytes=0-1,5-6", True)]
)
def test_what_is_passed_on_asks_the_origin_for_no_byte_twice(
    edge: Edge, origin: Origin, path: str, value: str, heard: bool | None
) -> None:
    target = f"{path}/{value.replace(',', '+')}"
    origin.serve(target, Reply(headers=(("Cache-Control", "no-store"),), body=b"0123456789"))
    edge.get(target, ("Range", value), ("Cache-Control", "no-store"))
    assert (origin.asked(target)[0].header("range") is not None) == bool(heard)


def test_a_head_with_a_range_gets_what_the_origin_says(
    edge: Edge, origin: Origin, path: str
) -> None:
    origin.serve(path, raw_206(f"bytes 0-4/{len(BODY)}", b""))
    with edge.client() as client:
        found = client.exchange("HEAD", path, ("Range", "bytes=0-4"))
    assert found.status == 206


def test_a_part_that_answers_the_clients_own_range_is_passed_to_it(
    edge: Edge, origin: Origin, path: str
) -> None:
    origin.serve(path, raw_206("bytes 5-9/100", b"fghij"))
    found = edge.get(path, ("Range", "bytes=5-9"))
    assert (found.status, found.body) == (206, b"fghij")
    assert origin.count(path) == 1


def test_a_range_of_an_unknown_object_costs_no_more_than_its_rules_slice(
    edge: Edge, origin: Origin, path: str
) -> None:
    small = f"{path}/small/object"
    origin.serve(small, SOUND)
    assert edge.get(small, ("Range", "bytes=0-0")).body == BODY.read(0, 1)
    assert [request.header("range") for request in origin.asked(small)] == ["bytes=0-65535"]
    assert edge.get(small).body == BODY.read()
