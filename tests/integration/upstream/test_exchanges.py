"""Whole exchanges between the origin client and a server: framing, bodies, interim responses."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from headrace.http.message import Field
from headrace.upstream.client import RequestBody
from tests.harness.bodies import Body
from tests.harness.origin import Origin
from tests.harness.replies import Gate, Pause, Reply, cacheable
from tests.integration.upstream.asking import PATIENT, Answer, Asker, asking, pieces, read_all

BODY = Body(2, 500_000)


@pytest.mark.parametrize("framing", ["length", "chunked", "close"])
def test_a_body_arrives_whole_in_every_framing(origin: Origin, path: str, framing: str) -> None:
    origin.serve(path, Reply(body=BODY, framing=framing))  # type: ignore[arg-type]
    assert asking(origin, lambda asker: asker.get(path)).body == BODY.read()


def test_trailers_are_handed_on(origin: Origin, path: str) -> None:
    origin.serve(path, Reply(body=b"x", framing="chunked", trailers=(("X-Sum", "abc"),)))
    assert asking(origin, lambda asker: asker.get(path)).trailers == [(b"x-sum", b"abc")]


def test_bytes_beyond_content_length_are_not_part_of_the_body(origin: Origin, path: str) -> None:
    origin.serve(path, Reply(body=b"12345", extra=b"67890"))
    assert asking(origin, lambda asker: asker.get(path)).body == b"12345"


def test_a_connection_with_bytes_beyond_the_body_is_not_used_again(
    origin: Origin, path: str
) -> None:
    origin.serve(path, Reply(body=b"12345", extra=b"HTTP/1.1 200 OK\r\n\r\n"))

    async def twice(asker: Asker) -> None:
        await asker.get(path)
        await asker.get(path)

    asking(origin, twice)
    first, second = origin.asked(path)
    assert first.connection != second.connection


@pytest.mark.parametrize("status", [204, 304])
def test_a_status_without_body_ends_at_its_head(origin: Origin, path: str, status: int) -> None:
    origin.serve(path, Reply(status=status))
    assert asking(origin, lambda asker: asker.get(path)).body == b""


def test_a_head_request_has_no_body_whatever_its_length_says(origin: Origin, path: str) -> None:
    origin.serve(path, Reply(body=BODY))
    found = asking(origin, lambda asker: asker.get(path, "HEAD"))
    assert (found.body, found.headers.get(b"content-length")) == (b"", b"500000")


def test_a_slow_head_in_single_bytes_is_put_together(origin: Origin, path: str) -> None:
    origin.serve(path, replace(cacheable(b"x"), head_drip_s=0.001))
    assert asking(origin, lambda asker: asker.get(path)).body == b"x"


def test_interim_responses_are_reported_in_order(origin: Origin, path: str) -> None:
    interim = ((103, (("Link", "</a>"),)), (103, (("Link", "</b>"),)))
    origin.serve(path, Reply(body=b"x", interim=interim))
    found = asking(origin, lambda asker: asker.get(path))
    assert [head.headers.get(b"link") for head in found.interim] == [b"</a>", b"</b>"]


def test_a_prefix_of_the_origin_precedes_the_path(origin: Origin, path: str) -> None:
    origin.serve("/deep" + path, Reply(body=b"x"))
    assert asking(origin, lambda asker: asker.get(path), prefix="/deep").body == b"x"


@pytest.mark.parametrize(
    ("size_bytes", "framing"),
    [(6, (b"content-length", b"6")), (None, (b"transfer-encoding", b"chunked"))],
)
def test_a_request_body_arrives_in_either_framing(
    origin: Origin, path: str, size_bytes: int | None, framing: Field
) -> None:
    origin.serve(path, Reply(status=201))

    async def post(asker: Asker) -> Answer:
        return await asker.get(
            path, "POST", [framing], RequestBody(pieces(b"abc", b"def"), size_bytes)
        )

    assert asking(origin, post).status == 201
    assert bytes(origin.asked(path)[-1].body) == b"abcdef"


def test_a_body_that_waits_for_100_is_sent_after_it(origin: Origin, path: str) -> None:
    origin.serve(path, Reply(status=200))
    fields = [(b"content-length", b"3"), (b"expect", b"100-continue")]

    async def post(asker: Asker) -> Answer:
        body = RequestBody(pieces(b"abc"), 3, wait_for_100=True)
        return await asker.get(path, "PUT", fields, body)

    found = asking(origin, post)
    assert [head.status for head in found.interim] == [100]
    assert bytes(origin.asked(path)[-1].body) == b"abc"


def test_an_answer_that_comes_before_the_body_is_sent_is_taken(origin: Origin, path: str) -> None:
    origin.serve(path, Reply(status=413, before_body=True, keep_alive=False))

    async def post(asker: Asker) -> int:
        waits = asyncio.Event()

        async def never() -> bytes:
            await waits.wait()
            return b""

        body = RequestBody(never, 10)
        response = await asker.open(path, "POST", [(b"content-length", b"10")], body)
        response.close()
        return response.status

    assert asking(origin, post) == 413


def test_a_body_is_readable_before_its_end_has_come(origin: Origin, path: str) -> None:
    gate = Gate()
    origin.serve(path, Reply(body=BODY, pause=Pause(1000, gate)))

    async def look(asker: Asker) -> bytes:
        response = await asker.open(path)
        buffer = memoryview(bytearray(1000))
        seen = 0
        while seen < 1000:
            seen += await response.read_into(buffer[seen:])
        gate.open()
        return bytes(buffer) + await read_all(response)

    assert asking(origin, look, timeouts=PATIENT) == BODY.read()
