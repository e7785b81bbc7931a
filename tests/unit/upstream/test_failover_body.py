"""A body that one origin breaks off is continued from another at the very byte, or it fails."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from headrace.upstream.errors import Failure, OriginError
from headrace.upstream.retry import RetryPolicy
from tests.harness.memory_network import (
    Script,
    Step,
    any_request,
    close,
    expect,
    playbook,
    reset,
    serving,
    stall,
    taken,
    wait,
)

from .conversation import Scene, conversation, failing, head, part, read_all, sized
from .test_pool import origin

BODY = bytes(range(256)) * 64
SIZE = len(BODY)
AT = 10_000
TAG = 'ETag: "a"'
DATE = "Last-Modified: Sat, 05 Sep 2026 10:00:00 GMT"
GOOD = serving(BODY, TAG, DATE)


def broken(*fields: str, at: int = AT, end: Script = reset) -> Script:
    """Return an origin that breaks the body off."""
    return playbook(any_request, sized(BODY[:at], *fields, said=SIZE), end)


async def whole(scene: Scene, size: int = 4096) -> None:
    """Fetch, and compare with what was to come."""
    response = await scene.fetch(hashing=True)
    assert await read_all(response, size) == BODY
    assert response.complete
    assert response.read_bytes == SIZE
    assert not response.trailers
    response.close()


async def broken_off(scene: Scene) -> OriginError:
    """Fetch; return how it fails, once as much came as did."""
    response = await scene.fetch()
    with pytest.raises(OriginError) as caught:
        await read_all(response)
    response.close()
    return caught.value


@pytest.mark.parametrize("size", [100, 65536])
@pytest.mark.parametrize(
    ("same", "fields", "asked"),
    [
        ("etag", (TAG,), ("range: bytes=10000-16383", 'if-range: "a"')),
        ("modified", (DATE,), ("range: bytes=10000-16383", f"if-range: {DATE[15:]}")),
        ("overlap", (), ("range: bytes=9900-16383",)),
    ],
)
def test_another_origin_continues_at_the_very_byte(
    same: str, fields: tuple[str, ...], asked: tuple[str, ...], size: int
) -> None:
    async def talk(scene: Scene) -> None:
        scene.pool("a", "b", same=same, overlap_bytes=100)
        start = int(asked[0].split("=")[1].split("-")[0])
        scene.network.origin("a", broken(*fields))
        scene.network.origin(
            "b",
            playbook(
                expect("GET /x?q", *asked, without=("if-none-match",)),
                part(BODY, start, SIZE, *fields),
                stall,
            ),
        )
        response = await scene.fetch(b"GET", (b"if-none-match", b'"z"'))
        assert await read_all(response, size) == BODY
        assert (response.switches, response.origin_name) == (1, "b")
        assert response.received_bytes == SIZE + AT - start
        assert scene.noted.of("switched") == [("b", "reset_in_body", AT)]
        assert scene.attempt_log.switches == 1

    conversation(talk)


def test_without_hashing_or_another_origin_nothing_is_hashed() -> None:
    async def talk(scene: Scene) -> None:
        scene.pool("a")
        scene.network.origin("a", GOOD)
        response = await scene.fetch()
        await read_all(response)
        assert (response.read_bytes, response.digest) == (0, 0)
        response = await scene.fetch(hashing=True)
        await read_all(response)
        assert response.read_bytes == SIZE
        assert response.digest

    conversation(talk)


def test_one_that_ignores_ranges_is_compared_from_the_beginning() -> None:
    async def talk(scene: Scene) -> None:
        scene.network.origin("a", broken(TAG))
        scene.network.origin("b", playbook(any_request, sized(BODY, TAG), stall))
        await whole(scene)

    conversation(talk)


def test_what_is_not_proved_is_asked_for_whole() -> None:
    async def talk(scene: Scene) -> None:
        scene.network.origin("a", broken(TAG))
        scene.network.origin(
            "b",
            playbook(any_request, part(BODY, AT, SIZE), stall),
            playbook(expect("GET /x?q", without=("range", "if-range")), sized(BODY), stall),
        )
        await whole(scene)
        assert scene.network.connects == ["a", "b", "b"]

    conversation(talk)


def test_what_cannot_be_compared_is_asked_for_whole_at_once() -> None:
    async def talk(scene: Scene) -> None:
        scene.network.origin("a", broken())
        scene.network.origin("b", playbook(expect("GET /x?q", without=("range",)), sized(BODY)))
        await whole(scene)

    conversation(talk)


def test_a_body_that_broke_off_before_its_first_byte_is_asked_for_whole() -> None:
    async def talk(scene: Scene) -> None:
        scene.network.origin("a", broken(TAG, at=0))
        scene.network.origin(
            "b", playbook(expect("GET /x?q", without=("range",)), sized(BODY, TAG))
        )
        await whole(scene)

    conversation(talk)


@pytest.mark.parametrize(
    ("steps", "result"),
    [
        ([sized(BODY[:-1] + b"!", TAG)], None),  # only what was sent can be compared
        ([sized(b"!" + BODY[1:], TAG)], "another_body"),
        ([sized(BODY, 'ETag: "b"')], "another_body"),
        ([sized(BODY[:AT], TAG, said=SIZE)], "short_body"),
        ([sized(BODY[:50], TAG, said=SIZE), reset], "reset_in_body"),
        ([head(200, TAG), BODY[:50], close], "another_body"),
        ([part(BODY, AT + 1, SIZE, TAG)], "another_body"),
        ([sized(b"", status=404)], "status_404"),
        ([sized(b"", status=416)], "status_416"),
        ([sized(b"", status=503)], "status_503"),
        ([reset], "reset_before_head"),
    ],
)
def test_one_that_has_something_else_is_passed_over(steps: list[Step], result: str | None) -> None:
    async def talk(scene: Scene) -> None:
        scene.pool("a", "b", "c", same="etag")
        scene.network.origin("a", broken(TAG))
        scene.network.origin("b", playbook(any_request, *steps))
        scene.network.origin("c", GOOD)
        response = await scene.fetch()
        found = await read_all(response)
        assert len(found) == SIZE
        failed = [(tried.origin, tried.result) for tried in scene.attempt_log.trail]
        assert failed == [("a", "reset_in_body"), *([("b", result)] if result else [])]

    conversation(talk)


def test_a_body_is_continued_as_often_as_it_breaks_off() -> None:
    async def talk(scene: Scene) -> None:
        pieces = range(AT, SIZE, 1000)
        scene.network.origin("a", broken(TAG), *(cut(at) for at in pieces[1::2]), GOOD)
        scene.network.origin("b", *(cut(at) for at in pieces[::2]), GOOD)
        response = await scene.fetch()
        assert await read_all(response) == BODY
        assert response.switches == len(pieces)

    def cut(at: int) -> Script:
        more = part(BODY, at, SIZE, TAG)
        return playbook(any_request, more[: len(more) - (SIZE - at) + 1000], reset)

    conversation(talk)


def test_when_nobody_can_continue_the_first_failure_is_raised() -> None:
    async def talk(scene: Scene) -> None:
        scene.pool("a", "b", "c")
        scene.network.origin("a", broken(TAG), playbook(any_request, sized(b"x", status=404)))
        for name in "bc":
            scene.network.origin(name, serving(b"other" * 4000, 'ETag: "b"'))
        error = await broken_off(scene)
        assert error.failure is Failure.BODY_RESET
        assert "tried a: reset_in_body, b: another_body, c: another_body" in str(error)
        assert error.summary.startswith("a: reset_in_body, b: another_body")
        assert [event[:1] for event in scene.noted.of("switch_failed")] == [("reset_in_body",)]

    conversation(talk)


@pytest.mark.parametrize("method", [b"GET", b"POST"])
def test_what_may_not_be_continued_fails(method: bytes) -> None:
    async def talk(scene: Scene) -> None:
        if method == b"GET":
            a = replace(origin("a"), switching=False)
            scene.pool(origins=(a, origin("b")))
        scene.network.origin("a", broken(TAG))
        response = await scene.fetch(method)
        assert await failing(read_all(response)) is Failure.BODY_RESET
        assert scene.network.connects == ["a"]
        assert await response.read_into(memoryview(bytearray(1))) == 0

    conversation(talk)


def test_an_error_page_is_not_continued() -> None:
    async def talk(scene: Scene) -> None:
        scene.network.origin("a", playbook(any_request, sized(b"no", status=404, said=9), reset))
        assert (await broken_off(scene)).failure is Failure.BODY_RESET
        assert scene.network.connects == ["a"]

    conversation(talk)


def test_a_body_whose_length_nobody_said_ends_where_the_part_said_it_would() -> None:
    async def talk(scene: Scene) -> None:
        where = f"Content-Range: bytes 0-{SIZE - 1}/*"
        unsized = head(206, where, TAG, "Connection: close")
        scene.network.origin("a", playbook(any_request, unsized + BODY[:AT], close))
        scene.network.origin("b", GOOD)
        response = await scene.fetch()
        assert await read_all(response) == BODY
        assert scene.attempt_log.trail[0].result == "short_body"

    conversation(talk)


def test_no_more_is_passed_on_than_was_begun() -> None:
    async def talk(scene: Scene) -> None:
        chunked = head(206, f"Content-Range: bytes {AT}-{SIZE - 1}/{SIZE}", TAG,
                       "Transfer-Encoding: chunked")  # fmt: skip
        rest = BODY[AT:] + b"beyond"
        scene.network.origin("a", broken(TAG))
        scene.network.origin(
            "b", playbook(any_request, chunked, b"%x\r\n" % len(rest), rest, b"\r\n0\r\n\r\n")
        )
        await whole(scene, 100)

    conversation(talk)


def test_one_that_is_slow_or_stalls_is_left() -> None:
    async def talk(scene: Scene) -> None:
        scene.pool("a", "b", "c")
        scene.retry = RetryPolicy(min_rate_bytes_per_s=1000.0, stall_s=4.0)
        drops: list[Step] = [taken, wait(1), b"x"]
        slow = playbook(any_request, sized(BODY[:AT], TAG, said=SIZE), *drops * 20)
        scene.network.origin("a", slow)
        scene.network.origin("b", playbook(any_request, part(BODY, 0, SIZE, TAG)[:150], stall))
        scene.network.origin("c", GOOD)
        response = await scene.fetch()
        found = await read_all(response)
        assert len(found) == SIZE
        assert [tried.result for tried in scene.attempt_log.trail] == ["too_slow", "another_body"]

    conversation(talk)


def test_a_stall_is_the_retry_policys_and_what_comes_fast_is_not_slow() -> None:
    async def talk(scene: Scene) -> None:
        scene.retry = RetryPolicy(min_rate_bytes_per_s=1000.0, stall_s=4.0)
        scene.network.origin("a", broken(TAG, end=stall))
        scene.network.origin("b", GOOD)
        await whole(scene)
        assert scene.loop.time() == pytest.approx(4)
        assert scene.attempt_log.trail[0].result == "between_bytes_timeout"

    conversation(talk)


def test_an_origin_without_room_is_waited_for() -> None:
    async def talk(scene: Scene) -> None:
        a, b = origin("a", concurrent=1), origin("b", concurrent=1)
        scene.pool(origins=(a, b))
        scene.network.origin("a", broken(TAG, end=reset), GOOD)
        scene.network.origin("b", GOOD)
        response = await scene.fetch()
        places = [state.take_place() for state in scene.state.states]
        reading = asyncio.ensure_future(read_all(response))
        await asyncio.sleep(1)
        assert not reading.done()
        assert scene.network.connects == ["a"]
        for place in places:
            place.give_back()
        assert await reading == BODY
        assert scene.network.connects == ["a", "b"]

    conversation(talk)


def test_a_continuation_that_is_given_up_leaves_nothing_behind() -> None:
    async def talk(scene: Scene) -> None:
        scene.network.origin("a", broken(TAG))
        scene.network.origin("b", playbook(any_request, sized(BODY[:50], TAG, said=SIZE), stall))
        response = await scene.fetch()
        reading = asyncio.ensure_future(read_all(response))
        await asyncio.sleep(1)
        assert scene.state.open_places == 1
        reading.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reading
        response.close()

    conversation(talk)


def test_a_rest_that_is_nothing_is_whole_at_once() -> None:
    async def talk(scene: Scene) -> None:
        chunked = head(200, TAG, "Transfer-Encoding: chunked")
        scene.network.origin(
            "a", playbook(any_request, chunked, b"%x\r\n" % SIZE, BODY, b"\r\n", taken, reset)
        )
        scene.network.origin("b", playbook(any_request, sized(BODY, TAG), stall))
        await whole(scene)

    conversation(talk)


def in_chunks(body: bytes, *fields: str, status: int = 200) -> list[Step]:
    """Return a chunked response whose last chunk is missing."""
    coded = head(status, TAG, "Transfer-Encoding: chunked", *fields)
    return [any_request, coded, b"%x\r\n" % len(body), body, b"\r\n", taken]


@pytest.mark.parametrize("end", [reset, close])
def test_a_part_that_breaks_off_behind_its_last_byte_is_whole(end: Script) -> None:
    async def talk(scene: Scene) -> None:
        where = f"Content-Range: bytes 0-{SIZE - 1}/{SIZE}"
        scene.network.origin("a", playbook(*in_chunks(BODY, where, status=206), end))
        await whole(scene)
        assert scene.network.connects == ["a"]
        assert len(scene.noted.of("failed")) == 1

    conversation(talk)


def test_a_part_that_is_longer_than_it_said_is_continued_by_nobody() -> None:
    async def talk(scene: Scene) -> None:
        where = f"Content-Range: bytes 0-9/{SIZE}"
        scene.network.origin("a", playbook(*in_chunks(BODY[:AT], where, status=206), reset))
        scene.network.origin("b", serving(BODY, TAG))
        assert (await broken_off(scene)).failure is Failure.BODY_RESET
        assert scene.network.connects == ["a"]

    conversation(talk)


@pytest.mark.parametrize("end", [reset, close])
def test_where_the_end_is_not_known_the_last_byte_is_asked_for_again(end: Script) -> None:
    async def talk(scene: Scene) -> None:
        scene.network.origin("a", playbook(*in_chunks(BODY), end))
        asked = expect("GET /x?q", f"range: bytes={SIZE - 1}-", 'if-range: "a"')
        scene.network.origin("b", playbook(asked, part(BODY, SIZE - 1, SIZE, TAG), stall))
        await whole(scene)

    conversation(talk)


def test_a_last_byte_that_differs_continues_nothing() -> None:
    async def talk(scene: Scene) -> None:
        scene.network.origin("a", playbook(*in_chunks(BODY[:AT]), reset))
        other = BODY[: AT - 1] + b"!" + BODY[AT:]
        scene.network.origin("b", serving(other, TAG))
        assert (await broken_off(scene)).failure is Failure.BODY_RESET
        assert ("b", "another_body") in [(at.origin, at.result) for at in scene.attempt_log.trail]

    conversation(talk)


def test_the_end_is_that_of_whoever_said_it_first() -> None:
    async def talk(scene: Scene) -> None:
        scene.pool("a", "b", "c")
        where = f"Content-Range: bytes {AT - 1}-{SIZE - 1}/{SIZE}"
        scene.network.origin("a", playbook(*in_chunks(BODY[:AT]), reset))
        scene.network.origin("b", playbook(*in_chunks(BODY[AT - 1 :], where, status=206), reset))
        await whole(scene)
        assert scene.network.connects == ["a", "b"]

    conversation(talk)


def test_a_part_that_does_not_say_how_long_the_whole_is_may_end_too_early() -> None:
    async def talk(scene: Scene) -> None:
        scene.pool("a", "b", "c")
        scene.network.origin("a", playbook(*in_chunks(BODY[:AT]), reset))
        where = f"Content-Range: bytes {AT - 1}-{AT + 99}/*"
        few = sized(BODY[AT - 1 : AT + 100], where, TAG, status=206)
        scene.network.origin("b", playbook(any_request, few, stall))
        scene.network.origin("c", GOOD)
        await whole(scene)

    conversation(talk)


def test_a_chunked_body_ends_by_its_last_chunk_from_whichever_origin() -> None:
    chunked = head(200, TAG, "Transfer-Encoding: chunked")
    size = b"%x\r\n" % SIZE
    complete = (chunked, size, BODY, b"\r\n0\r\n\r\n", stall)

    async def talk(scene: Scene) -> None:
        scene.network.origin("a", playbook(any_request, *complete))
        await whole(scene)
        scene.network.origin("a", playbook(any_request, chunked, size, BODY[:AT], reset))
        scene.network.origin("b", playbook(any_request, *complete))
        scene.client.idle.retain(())
        await whole(scene)
        assert scene.network.connects == ["a", "a", "b"]

    conversation(talk)


def test_a_response_without_a_body_is_complete_at_once() -> None:
    async def talk(scene: Scene) -> None:
        scene.network.origin("a", playbook(any_request, head(204), stall))
        response = await scene.fetch()
        assert response.complete
        assert scene.state.open_places == 0
        assert await read_all(response) == b""

    conversation(talk)
