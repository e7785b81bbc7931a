"""Dialogues with several workers on one store: one fetches, others follow, and any may die."""

from __future__ import annotations

import asyncio
from unittest.mock import patch

import pytest

from headrace.store import Busy
from tests.harness.breakable_store import SLICE
from tests.harness.dialogues import in_memory, reply
from tests.harness.memory_edge import MemoryEdge
from tests.harness.memory_network import (
    Script,
    any_request,
    playbook,
    reset,
    serving,
    stall,
    taken,
    until,
)
from tests.unit.edge.dialogues.bodies import FILM, FRESH, TAG


def in_two_parts(rest: asyncio.Event, *fields: str, first: int = SLICE + 5) -> Script:
    """Return an origin that sends the rest of the film when the event is set."""
    head = reply(200, *fields, body=FILM[:first], length=len(FILM))
    return playbook(any_request, head, until(rest), FILM[first:], taken)


@in_memory()
async def test_another_worker_follows_the_fill(edge: MemoryEdge) -> None:
    other, rest = edge.worker(), asyncio.Event()
    edge.origin(in_two_parts(rest, FRESH, TAG))
    first = edge.begin("/film")
    await first.until_body(100)
    second = other.begin("/film")
    third = other.begin("/film", range=f"{SLICE}-{SLICE + 99}")
    await second.until_body(100)
    rest.set()
    await asyncio.gather(first.done(), second.done(), third.done())
    assert first.seen == (200, FILM, "miss")
    assert second.body == FILM
    assert third.body == FILM[SLICE : SLICE + 100]
    assert edge.asked == ["GET /film"]


@in_memory()
async def test_another_worker_waits_for_the_head(edge: MemoryEdge) -> None:
    other, answer = edge.worker(), asyncio.Event()
    edge.origin(playbook(any_request, until(answer), reply(200, FRESH, body=b"film"), taken))
    first = edge.begin("/film")
    await asyncio.sleep(1)
    second, third = other.begin("/film"), other.begin("/film")
    await asyncio.sleep(1)
    answer.set()
    await asyncio.gather(first.done(), second.done(), third.done())
    assert second.seen == third.seen == (200, b"film", "collapsed")


@in_memory(timeouts={"lock_wait": "5s"})
async def test_another_worker_waits_no_longer_than_it_may(edge: MemoryEdge) -> None:
    other = edge.worker()
    edge.origin(playbook(any_request, stall), serving(b"own"))
    first = edge.begin("/film")
    await asyncio.sleep(1)
    second = await other.get("/film")
    assert (second.seen, second.detail) == ((200, b"own", "miss"), "lock_wait")
    first.leave()


@pytest.mark.parametrize(
    ("answer", "detail"),
    [
        (reply(200, "Cache-Control: no-store", body=b"his"), "uncacheable"),
        (b"HTTP/1.1 999\r\n\r\n", ""),
    ],
    ids=["uncacheable", "failed"],
)
def test_what_another_worker_could_not_store_is_fetched_again(answer: bytes, detail: str) -> None:
    @in_memory()
    async def dialogue(edge: MemoryEdge) -> None:
        other, event = edge.worker(), asyncio.Event()
        edge.origin(playbook(any_request, until(event), answer, taken), serving(b"own", FRESH))
        first = edge.begin("/film")
        await asyncio.sleep(1)
        second = other.begin("/film")
        await asyncio.sleep(1)
        event.set()
        await asyncio.gather(first.done(), second.done())
        assert (second.seen, second.detail) == ((200, b"own", "miss"), detail)

    dialogue()


@in_memory()
async def test_a_worker_that_dies_before_the_head_is_replaced(edge: MemoryEdge) -> None:
    other = edge.worker()
    edge.origin(playbook(any_request, stall), serving(b"film", FRESH))
    other.begin("/film")
    await asyncio.sleep(1)
    film = edge.begin("/film")
    await asyncio.sleep(1)
    other.kill()
    assert (await film.done()).seen == (200, b"film", "miss")


@in_memory()
async def test_a_worker_that_dies_in_mid_body_is_replaced(edge: MemoryEdge) -> None:
    other = edge.worker()
    edge.origin(in_two_parts(asyncio.Event(), FRESH, TAG), serving(FILM, FRESH, TAG))
    other.begin("/film")
    await asyncio.sleep(1)
    film = edge.begin("/film")
    await film.until_body(SLICE)
    other.kill()
    assert (await film.done()).body == FILM
    assert film.outcome == "complete"
    assert edge.metrics.fills_taken_over == 1


@in_memory()
async def test_a_worker_that_dies_with_what_cannot_be_continued(edge: MemoryEdge) -> None:
    other = edge.worker()
    edge.origin(in_two_parts(asyncio.Event(), FRESH), serving(FILM, FRESH))
    other.begin("/film")
    await asyncio.sleep(1)
    film = edge.begin("/film")
    await film.until_body(SLICE)
    other.kill()
    assert (await film.done()).outcome == "holder_died"
    assert (await edge.get("/film")).body == FILM


@in_memory()
async def test_a_slice_that_another_worker_completes_is_followed(edge: MemoryEdge) -> None:
    edge.origin(serving(FILM, FRESH, TAG))
    await edge.get("/film")
    other, rest = edge.worker(), asyncio.Event()
    edge.evict("/film", 1)
    edge.close_files()
    span = f"Content-Range: bytes {SLICE}-{2 * SLICE - 1}/{len(FILM)}"
    head = reply(206, span, FRESH, TAG, body=FILM[SLICE : SLICE + 5], length=SLICE)
    edge.origin(playbook(any_request, head, until(rest), FILM[SLICE + 5 : 2 * SLICE], taken))
    first = edge.begin("/film", range=f"{SLICE}-{SLICE + 99}")
    await asyncio.sleep(1)
    second = other.begin("/film", range=f"{SLICE}-{SLICE + 99}")
    await asyncio.sleep(1)
    rest.set()
    await asyncio.gather(first.done(), second.done())
    assert first.body == second.body == FILM[SLICE : SLICE + 100]


@in_memory()
async def test_a_slice_that_another_worker_fails_to_complete(edge: MemoryEdge) -> None:
    edge.origin(serving(FILM, FRESH, TAG))
    await edge.get("/film")
    other, event = edge.worker(), asyncio.Event()
    edge.evict("/film", 1)
    edge.close_files()
    edge.origin(playbook(any_request, until(event), reset), serving(FILM, FRESH, TAG))
    first = edge.begin("/film", range=f"{SLICE}-{SLICE + 99}")
    await asyncio.sleep(1)
    second = other.begin("/film", range=f"{SLICE}-{SLICE + 99}")
    await asyncio.sleep(1)
    event.set()
    await asyncio.gather(first.done(), second.done())
    assert first.status == 502
    assert second.body == FILM[SLICE : SLICE + 100]


@in_memory(limits={"unwatched_fills_per_address": 0})
async def test_a_fill_continues_for_those_of_another_worker(edge: MemoryEdge) -> None:
    other, rest = edge.worker(), asyncio.Event()
    edge.origin(in_two_parts(rest, FRESH))
    first = edge.begin("/film")
    await first.until_body(SLICE)
    second = other.begin("/film", reads=100)
    await second.until_head()
    await asyncio.sleep(1)
    first.leave()
    await asyncio.sleep(3)
    rest.set()
    await asyncio.sleep(1)
    second.read()
    assert (await second.done()).body == FILM


@in_memory(limits={"unwatched_fills_per_address": 0})
async def test_such_a_fill_ends_when_the_other_workers_client_leaves(edge: MemoryEdge) -> None:
    other = edge.worker()
    edge.origin(in_two_parts(asyncio.Event(), FRESH))
    first = edge.begin("/film")
    await first.until_body(SLICE)
    second = other.begin("/film", reads=100)
    await second.until_head()
    first.leave()
    await asyncio.sleep(3)
    second.leave()
    await asyncio.sleep(3)
    await edge.settle()
    assert edge.metrics.fills_abandoned == 1


@in_memory()
async def test_who_keeps_looking_at_what_is_never_there_goes_past_the_cache(
    edge: MemoryEdge,
) -> None:
    edge.origin(serving(b"film", FRESH))
    busy = Busy(str(edge.store.parts / "nowhere"))
    edge.store.permit = lambda _name: None  # type: ignore[method-assign, assignment]
    with patch.object(edge.store, "begin_part", lambda _name, _n, _claim=None: busy):
        film = await edge.get("/film")
    assert (film.seen, film.detail) == ((200, b"film", "pass"), "contended")
