"""Dialogues about what a fill does when things go against it: who waits, leaves or is slow."""

from __future__ import annotations

import asyncio
import errno
from unittest.mock import patch

import pytest

from headrace.edge.body.growing_slice import SliceFailed
from headrace.edge.fill import slice_writer
from headrace.store import Busy
from tests.harness.breakable_store import SLICE
from tests.harness.dialogues import chunked, in_memory, reply, replying
from tests.harness.memory_edge import MemoryEdge
from tests.harness.memory_network import (
    OriginConnection,
    Script,
    any_request,
    playbook,
    reset,
    serving,
    stall,
    taken,
    until,
    wait,
)
from tests.unit.edge.dialogues.bodies import BRIEF, FILM, FRESH, TAG

SECOND = f"{SLICE}-{SLICE + 99}"
LONG = FILM * 3
NONE_LEFT_BEHIND = {"unwatched_fills_per_address": 0}


async def with_first_slice(edge: MemoryEdge, body: bytes = FILM, *fields: str) -> None:
    """Store the first slice of an object, and nothing else of it."""
    edge.origin(serving(body, *(fields or (FRESH, TAG))))
    await edge.get("/film", range="0-0")
    assert edge.numbers("/film") == [0]


def begun(*fields: str, body: bytes = FILM, sent: int = SLICE + 5) -> bytes:
    """Return the beginning of a response."""
    return reply(200, *fields, body=body[:sent], length=len(body))


def second_slice(*, sent: int = SLICE) -> bytes:
    """Return the beginning of a 206 with the film's second slice."""
    span = f"Content-Range: bytes {SLICE}-{2 * SLICE - 1}/{len(FILM)}"
    return reply(206, span, FRESH, TAG, body=FILM[SLICE : SLICE + sent], length=SLICE)


# Slices that do not come as expected.


@in_memory()
async def test_a_slice_missing_far_behind_is_found_before_the_head(edge: MemoryEdge) -> None:
    edge.origin(serving(LONG, FRESH, TAG))
    await edge.get("/film")
    edge.close_files()
    edge.evict("/film", 8)
    assert (await edge.get("/film")).seen == (200, LONG, "partial")


@in_memory()
async def test_who_waits_for_a_slice_that_a_fill_never_reaches_fetches_it(edge: MemoryEdge) -> None:
    cut = asyncio.Event()
    edge.origin(
        playbook(any_request, begun(FRESH, TAG, sent=100), until(cut), reset),
        serving(FILM, FRESH, TAG),
    )
    first = edge.begin("/film")
    await first.until_body(50)
    waiting = [edge.begin("/film", range=SECOND) for _ in range(2)]
    await asyncio.sleep(1)
    cut.set()
    for exchange in waiting:
        assert (await exchange.done()).body == FILM[SLICE : SLICE + 100]
    await first.done()


@in_memory()
async def test_a_slice_that_can_never_be_had_leads_past_the_cache(edge: MemoryEdge) -> None:
    await with_first_slice(edge)
    busy = Busy(str(edge.store.parts / "nowhere"))
    edge.store.permit = lambda _name: None  # type: ignore[method-assign, assignment]
    with patch.object(edge.store, "begin_part", lambda _name, _n, _claim=None: busy):
        film = await edge.get("/film", range=SECOND)
    assert (film.seen, film.detail) == ((206, FILM[SLICE : SLICE + 100], "pass"), "contended")


@in_memory()
async def test_a_slice_that_fails_for_everybody_is_not_asked_for_without_end(
    edge: MemoryEdge,
) -> None:
    await with_first_slice(edge)
    edge.origin(playbook(any_request, wait(1), reply(503), taken))
    waiting = [edge.begin("/film", range=SECOND) for _ in range(6)]
    await asyncio.sleep(2.5)  # the third fill runs
    late = [edge.begin("/film", range=SECOND) for _ in range(2)]
    for exchange in waiting + late:
        assert (await exchange.done()).status == 502
    assert len(edge.asked) <= 1 + 3 + 2


@in_memory()
async def test_a_slice_is_begun_only_so_often_for_one_client(edge: MemoryEdge) -> None:
    await with_first_slice(edge)
    edge.origin(playbook(any_request, wait(1), reply(503), taken))
    waiting = [edge.begin("/film", range=SECOND) for _ in range(6)]
    for exchange in waiting:
        assert (await exchange.done()).status == 502
    assert len(edge.asked) == 1 + 3


@in_memory()
async def test_a_slice_that_is_there_after_all_is_sent(edge: MemoryEdge) -> None:
    edge.origin(serving(FILM, FRESH, TAG))
    await edge.get("/film")
    edge.close_files()
    with patch.object(edge.store, "open_slice", lambda _stored, _n: None):
        film = edge.begin("/film", range=SECOND)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
    assert (await film.done()).body == FILM[SLICE : SLICE + 100]
    assert len(edge.asked) == 1


@in_memory()
async def test_a_fill_without_a_part_gives_way_to_another_workers(edge: MemoryEdge) -> None:
    await with_first_slice(edge)
    other, rest = edge.worker(), asyncio.Event()
    edge.origin(
        playbook(any_request, second_slice(sent=50), until(rest), FILM[SLICE + 50 : 2 * SLICE]),
        serving(FILM, FRESH, TAG),
    )
    first = other.begin("/film", range=SECOND)
    await asyncio.sleep(1)
    edge.break_store("begin_part", OSError(errno.EIO, "broken"), times=1)
    second = edge.begin("/film", range=SECOND)
    await asyncio.sleep(1)
    rest.set()
    for exchange in (first, second):
        assert (await exchange.done()).body == FILM[SLICE : SLICE + 100]


@in_memory()
async def test_a_fill_without_a_part_that_fails(edge: MemoryEdge) -> None:
    await with_first_slice(edge)
    for answer in (reply(503), reply(404, "Cache-Control: no-store")):
        edge.origin(replying(answer))
        edge.break_store("begin_part", OSError(errno.EIO, "broken"), times=1)
        assert (await edge.get("/film", range=SECOND)).status in (502, 404)


@in_memory()
async def test_two_who_complete_what_the_origin_has_no_more(edge: MemoryEdge) -> None:
    await with_first_slice(edge)
    gone = reply(404, "Cache-Control: no-store", body=b"no")
    edge.origin(playbook(any_request, wait(1), gone, taken))
    exchanges = [edge.begin("/film", range=SECOND) for _ in range(2)]
    for exchange in exchanges:
        assert (await exchange.done()).status == 404


@in_memory()
async def test_a_slow_client_of_unknown_length_learns_where_it_ends(edge: MemoryEdge) -> None:
    whole = FILM[: 2 * SLICE]
    edge.origin(replying(chunked(200, FRESH, pieces=(whole[:SLICE], whole[SLICE:]))))
    film = edge.begin("/film", reads=100)
    await film.until_head()
    await edge.settle_fills()
    edge.close_files()
    film.read()
    assert (await film.done()).seen == (200, whole, "miss")


@in_memory()
async def test_a_slow_client_of_unknown_length_whose_object_is_gone(edge: MemoryEdge) -> None:
    whole = FILM[: 2 * SLICE]
    edge.origin(replying(chunked(200, FRESH, pieces=(whole[:SLICE], whole[SLICE:]))))
    film = edge.begin("/film", reads=100)
    await film.until_head()
    await edge.settle_fills()
    edge.evict("/film")
    edge.close_files()
    film.read()
    assert (await film.done()).outcome == "representation_lost"
    assert whole.startswith(film.body)


@pytest.mark.parametrize("body", [FILM[:20], FILM[:5]], ids=["long", "short"])
def test_a_part_of_another_length_than_it_says_is_no_part(body: bytes) -> None:
    @in_memory()
    async def dialogue(edge: MemoryEdge) -> None:
        span = "Content-Range: bytes 0-9/10"
        edge.origin(replying(chunked(206, span, FRESH, TAG, pieces=(body,))))
        film = await edge.get("/film", range="0-9")
        assert film.outcome == "origin_failed" or film.body == FILM[:10] or film.status == 502
        assert not edge.stored("/film")

    dialogue()


# Who waits, who leaves, who is slow.


@in_memory(limits=NONE_LEFT_BEHIND)
async def test_a_fill_continues_for_who_lags_a_slice_behind_in_another_worker(
    edge: MemoryEdge,
) -> None:
    other, rest = edge.worker(), asyncio.Event()
    two = 2 * SLICE + 5
    edge.origin(
        playbook(
            any_request,
            begun(FRESH, sent=SLICE // 2),
            wait(2),
            FILM[SLICE // 2 : two],
            until(rest),
            FILM[two:],
            taken,
        )
    )
    first = edge.begin("/film")
    await first.until_body(100)
    slow = other.begin("/film", reads=100)
    await first.until_body(two)
    first.leave()
    await asyncio.sleep(5)
    rest.set()
    await asyncio.sleep(1)
    slow.read()
    assert (await slow.done()).body == FILM


@in_memory(limits=NONE_LEFT_BEHIND)
async def test_a_fill_ends_when_who_lags_behind_leaves(edge: MemoryEdge) -> None:
    other = edge.worker()
    two = 2 * SLICE + 5
    edge.origin(
        playbook(any_request, begun(FRESH, sent=SLICE // 2), wait(2), FILM[SLICE // 2 : two], stall)
    )
    first = edge.begin("/film")
    await first.until_body(100)
    slow = other.begin("/film", reads=100)
    await first.until_body(two)
    first.leave()
    again = edge.begin("/film")
    await again.until_body(100)
    again.leave()
    await asyncio.sleep(0.1)
    slow.leave()
    await asyncio.sleep(3)
    await edge.settle()
    assert edge.metrics.fills_abandoned == 1


@in_memory()
async def test_a_client_that_reads_nothing_does_not_have_all_sent(edge: MemoryEdge) -> None:
    edge.origin(serving(LONG, FRESH, TAG))
    with patch.object(slice_writer, "READ_AHEAD_BYTES", 2 * SLICE):
        slow = edge.begin("/film", reads=100)
        await slow.until_head()
        await edge.settle_fills()
        assert len(edge.numbers("/film")) < len(LONG) // SLICE
        slow.read()
        assert (await slow.done()).seen == (200, LONG, "miss")


@in_memory()
async def test_a_long_fill_ends_at_a_slice_when_the_worker_is_drained(edge: MemoryEdge) -> None:
    rest = asyncio.Event()
    edge.origin(playbook(any_request, begun(FRESH, TAG, sent=100), until(rest), FILM[100:], taken))
    film = edge.begin("/film")
    await film.until_body(100)
    film.leave()
    edge.context.draining = True
    rest.set()
    await edge.settle()
    assert edge.numbers("/film") == [0]


@in_memory()
async def test_what_the_store_does_not_take_is_kept_in_bounds(edge: MemoryEdge) -> None:
    edge.origin(serving(FILM, FRESH, TAG))
    edge.break_store("write", OSError(errno.EIO, "broken"))
    with patch.object(slice_writer, "UNSAVED_LIMIT_BYTES", SLICE):
        assert (await edge.get("/film")).seen == (200, FILM, "miss")


@in_memory()
async def test_a_disk_that_fills_up_before_the_origin_fails(edge: MemoryEdge) -> None:
    edge.origin(playbook(any_request, begun(FRESH, TAG, sent=100), taken, wait(1), reset))
    edge.break_store("write", OSError(errno.ENOSPC, "full"))
    film = await edge.get("/film")
    assert (film.outcome, film.body) == ("origin_failed", FILM[:100])


@in_memory(service={"cache": {"stale_while_revalidate": "1h"}})
async def test_a_validation_in_the_background_that_is_not_wanted_any_more(edge: MemoryEdge) -> None:
    edge.origin(serving(b"film", BRIEF, TAG))
    await edge.get("/film")
    await asyncio.sleep(11)

    def before(what: str) -> None:
        if what == "begin_part":
            edge.store.before = lambda _what: None
            edge.purge()

    edge.store.before = before
    assert (await edge.get("/film")).seen == (200, b"film", "stale_hit")
    assert len(edge.asked) == 1


@in_memory()
async def test_a_part_of_another_worker_that_cannot_be_read(edge: MemoryEdge) -> None:
    other = edge.worker()
    edge.origin(playbook(any_request, wait(30), reset), serving(b"film", FRESH))
    first = other.begin("/film")
    await asyncio.sleep(1)
    follows, broken = edge.begin("/film"), OSError(errno.EIO, "broken")
    await asyncio.sleep(1)
    with patch("headrace.store.follower.PartFollower.poll", side_effect=broken):
        assert (await follows.done()).status == 502
        assert (await edge.get("/film")).status == 502
    first.leave()
    await other.settle()


@in_memory()
async def test_a_part_of_another_worker_that_cannot_be_read_once(edge: MemoryEdge) -> None:
    other, answer = edge.worker(), asyncio.Event()
    edge.origin(playbook(any_request, until(answer), reply(200, FRESH, body=b"film"), taken))
    first = other.begin("/film")
    await asyncio.sleep(1)
    second = edge.begin("/film")
    await asyncio.sleep(1)
    remotes = list(edge.context.fills._remotes.values())
    remotes[0].fail(SliceFailed("store_failed", "a part cannot be read"))
    answer.set()
    await first.done()
    assert (await second.done()).body == b"film"


@in_memory()
async def test_an_object_that_changes_at_each_validation_ends_past_the_cache(
    edge: MemoryEdge,
) -> None:
    async def never_the_same(connection: OriginConnection) -> None:
        while True:
            heard = await connection.request()
            if "if-none-match" in heard.fields:
                connection.send(reply(304, 'ETag: "z"'))
            else:
                connection.send(reply(200, BRIEF, TAG, body=b"film"))

    edge.origin(never_the_same)
    await edge.get("/film")
    await asyncio.sleep(11)
    assert (await edge.get("/film")).seen == (200, b"film", "miss")


def scripts() -> list[Script]:
    """Return what an origin may do to a fill, each in its own way."""
    head = begun(FRESH, TAG, sent=SLICE + 5)
    return [
        playbook(any_request, head, reset),
        playbook(any_request, head, stall),
        playbook(any_request, begun(FRESH, sent=SLICE + 5), reset),
        playbook(any_request, stall),
    ]


@pytest.mark.parametrize("number", range(4))
@pytest.mark.parametrize("reads", [10, SLICE, SLICE + 100])
def test_a_fill_that_breaks_off_leaves_nothing(number: int, reads: int) -> None:
    @in_memory()
    async def dialogue(edge: MemoryEdge) -> None:
        edge.origin(scripts()[number])
        exchanges = [edge.begin("/film", reads=reads) for _ in range(3)]
        await asyncio.sleep(60)
        for exchange in exchanges:
            exchange.read()
            await exchange.done()
            assert exchange.outcome != "complete" or exchange.status in (502, 504)
        await edge.settle()

    dialogue()
