"""Dialogues of several clients about one object: one fill serves all, or each goes his own way."""

from __future__ import annotations

import asyncio

import pytest

from tests.harness.breakable_store import SLICE
from tests.harness.dialogues import in_memory, reply
from tests.harness.memory_edge import MemoryEdge
from tests.harness.memory_exchange import MemoryExchange
from tests.harness.memory_network import (
    Script,
    any_request,
    playbook,
    reset,
    serving,
    stall,
    taken,
    until,
)  # fmt: skip
from tests.unit.edge.dialogues.bodies import BRIEF, FILM, FRESH, TAG

NO_STORE = "Cache-Control: no-store"


async def both(*exchanges: MemoryExchange) -> None:
    """Wait for several answers."""
    for exchange in exchanges:
        await exchange.done()


def held(answer: bytes) -> tuple[asyncio.Event, Script]:
    """Return an event, and what an origin does that answers when it is set."""
    event = asyncio.Event()
    return event, playbook(any_request, until(event), answer, taken)


@in_memory()
async def test_all_who_come_meanwhile_share_one_fill(edge: MemoryEdge) -> None:
    edge.origin(serving(FILM, FRESH, TAG))
    first = edge.begin("/film")
    second = edge.begin("/film")
    third = edge.begin("/film", range="5-9")
    await both(first, second, third)
    assert first.seen == (200, FILM, "miss")
    assert second.seen == (200, FILM, "collapsed")
    assert "collapsed" in second.cache_status
    assert third.seen == (206, FILM[5:10], "collapsed")
    assert edge.asked == ["GET /film"]


@in_memory()
async def test_a_slow_client_holds_nobody_up(edge: MemoryEdge) -> None:
    edge.origin(serving(FILM, FRESH, TAG))
    slow = edge.begin("/film", reads=10)
    fast = edge.begin("/film")
    assert (await fast.done()).seen == (200, FILM, "collapsed")
    assert not slow.outcome
    slow.read()
    assert (await slow.done()).seen == (200, FILM, "miss")


@in_memory()
async def test_who_began_may_leave(edge: MemoryEdge) -> None:
    edge.origin(serving(FILM, FRESH, TAG))
    first = edge.begin("/film", reads=10)
    second = edge.begin("/film")
    await first.until_head()
    first.leave()
    assert (await second.done()).seen == (200, FILM, "collapsed")


@in_memory()
async def test_a_fill_that_nobody_waits_for_is_stored_all_the_same(edge: MemoryEdge) -> None:
    head = asyncio.Event()
    edge.origin(playbook(any_request, until(head), reply(200, FRESH, body=b"film"), taken))
    film = edge.begin("/film")
    await asyncio.sleep(1)
    film.leave()
    head.set()
    await edge.settle()
    assert (await edge.get("/film")).seen == (200, b"film", "hit")


@in_memory(limits={"unwatched_fills_per_address": 0})
async def test_a_fill_that_nobody_waits_for_ends_where_none_may_be_left(edge: MemoryEdge) -> None:
    edge.origin(playbook(any_request, stall))
    film = edge.begin("/film")
    await asyncio.sleep(1)
    film.leave()
    await edge.settle()
    assert edge.metrics.fills_abandoned == 1


@in_memory(timeouts={"lock_wait": "5s"})
async def test_who_has_waited_long_enough_asks_for_himself(edge: MemoryEdge) -> None:
    event, script = held(reply(200, FRESH, body=b"film"))
    edge.origin(script, serving(b"own"))
    first = edge.begin("/film")
    second = await edge.get("/film")
    assert second.seen == (200, b"own", "miss")
    assert second.detail == "lock_wait"
    event.set()
    assert (await first.done()).seen == (200, b"film", "miss")


@in_memory()
async def test_who_waited_for_what_may_not_be_stored_asks_for_himself(edge: MemoryEdge) -> None:
    event, script = held(reply(200, NO_STORE, body=b"his"))
    edge.origin(script, serving(b"mine", NO_STORE))
    first = edge.begin("/film")
    second = edge.begin("/film")
    await asyncio.sleep(1)
    event.set()
    await both(first, second)
    assert first.seen == (200, b"his", "miss")
    assert second.seen == (200, b"mine", "miss")


@in_memory()
async def test_who_waited_for_a_failed_fill_tries_once_more(edge: MemoryEdge) -> None:
    event = asyncio.Event()
    edge.origin(playbook(any_request, until(event), reset), serving(b"film", FRESH))
    first = edge.begin("/film")
    second = edge.begin("/film")
    await asyncio.sleep(1)
    event.set()
    await both(first, second)
    assert first.status == 502
    assert second.seen == (200, b"film", "miss")


@in_memory()
async def test_who_waited_in_vain_twice_gets_the_error(edge: MemoryEdge) -> None:
    edge.origin(playbook(any_request, reset))
    exchanges = [edge.begin("/film") for _ in range(3)]
    await both(*exchanges)
    assert [exchange.status for exchange in exchanges] == [502, 502, 502]
    assert len(edge.asked) == 2


@in_memory()
async def test_a_purge_while_the_fill_runs_sends_those_who_come_after_to_the_origin(
    edge: MemoryEdge,
) -> None:
    event, script = held(reply(200, FRESH, body=b"old"))
    edge.origin(script, serving(b"new", FRESH))
    first = edge.begin("/film")
    await asyncio.sleep(1)
    edge.purge()
    second = edge.begin("/film")
    await asyncio.sleep(1)
    event.set()
    await both(first, second)
    assert first.seen == (200, b"old", "miss")
    assert second.seen == (200, b"new", "pass")
    assert second.detail == "purged"
    assert (await edge.get("/film")).seen == (200, b"new", "miss")


@in_memory(limits={"origin_requests_per_address": 1})
async def test_a_network_has_only_so_many_requests_under_way(edge: MemoryEdge) -> None:
    edge.origin(playbook(any_request, stall))
    one = edge.begin("/one")
    await asyncio.sleep(1)
    for refused in (
        await edge.get("/two"),
        await edge.head("/two"),
        await edge.get("/t", method="POST"),
    ):
        assert (refused.status, refused.word) == (503, "error")
    bypass = await edge.get("/one", "Cache-Control: no-store")
    assert bypass.status == 503
    edge.origin(serving(b"two", FRESH))
    other = await edge.get("/two", address="198.51.100.1")
    assert other.seen == (200, b"two", "miss")
    one.leave()


@in_memory(limits={"origin_requests_per_address": 1})
async def test_a_missing_slice_needs_a_place_too(edge: MemoryEdge) -> None:
    edge.origin(serving(FILM, FRESH, TAG))
    await edge.get("/film", range="0-0")
    edge.origin(playbook(any_request, stall))
    one = edge.begin("/one")
    await asyncio.sleep(1)
    film = await edge.get("/film", range=f"{SLICE}-{SLICE}")
    assert (film.status, film.word) == (503, "error")
    one.leave()


@in_memory()
async def test_two_who_miss_one_slice_share_its_fill(edge: MemoryEdge) -> None:
    edge.origin(serving(FILM, FRESH, TAG))
    await edge.get("/film")
    edge.close_files()
    edge.evict("/film", 1)
    first = edge.begin("/film", range=f"{SLICE}-{SLICE + 9}")
    second = edge.begin("/film", range=f"{SLICE}-{SLICE + 9}")
    await both(first, second)
    assert first.body == second.body == FILM[SLICE : SLICE + 10]
    assert (first.word, second.word) == ("partial", "partial")
    assert "collapsed" in second.cache_status
    assert len(edge.asked) == 2


@in_memory()
async def test_who_waits_for_a_slice_that_another_could_not_get_tries_himself(
    edge: MemoryEdge,
) -> None:
    edge.origin(serving(FILM, FRESH, TAG))
    await edge.get("/film", range="0-0")
    event = asyncio.Event()
    edge.origin(playbook(any_request, until(event), reply(503), taken), serving(FILM, FRESH, TAG))
    wanted = f"{SLICE}-{SLICE}"
    first = edge.begin("/film", range=wanted)
    second = edge.begin("/film", range=wanted)
    await asyncio.sleep(1)
    event.set()
    await both(first, second)
    assert first.status == 502
    assert second.seen == (206, FILM[SLICE : SLICE + 1], "partial")


@in_memory(timeouts={"lock_wait": "5s"})
async def test_who_waits_too_long_for_a_slice_gets_a_504(edge: MemoryEdge) -> None:
    edge.origin(serving(FILM, FRESH, TAG))
    await edge.get("/film", range="0-0")
    edge.origin(playbook(any_request, stall))
    first = edge.begin("/film", range=f"{SLICE}-{SLICE}")
    second = await edge.get("/film", range=f"{SLICE}-{SLICE}")
    assert (second.status, second.word) == (504, "error")
    first.leave()


@in_memory()
async def test_who_waits_for_a_slice_of_what_has_changed_gets_the_new(edge: MemoryEdge) -> None:
    edge.origin(serving(FILM, FRESH, TAG))
    await edge.get("/film", range="0-0")
    event = asyncio.Event()
    new = FILM[::-1]
    whole = reply(200, FRESH, 'ETag: "b"', body=new)
    edge.origin(playbook(any_request, until(event), whole, taken, stall), serving(new, FRESH))
    first = edge.begin("/film", range=f"{SLICE}-{SLICE}")
    second = edge.begin("/film", range=f"{SLICE}-{SLICE}")
    await asyncio.sleep(1)
    event.set()
    await both(first, second)
    assert first.body == second.body == new[SLICE : SLICE + 1]


@pytest.mark.parametrize("count", [1, 2, 5])
def test_clients_leave_at_any_turn(count: int) -> None:
    """Each of several clients leaves at each turn of the loop, and nothing is left."""

    @in_memory(limits={"unwatched_fills_per_address": count % 2})
    async def dialogue(edge: MemoryEdge) -> None:
        edge.origin(serving(FILM, FRESH, TAG, piece_bytes=SLICE // 2))
        for turns in range(0, 60, count):
            exchanges = [edge.begin(f"/film{turns}", reads=50_000) for _ in range(count)]
            for exchange in exchanges:
                for _ in range(turns):
                    await asyncio.sleep(0)
                exchange.leave()
        await edge.settle()

    dialogue()


@in_memory()
async def test_a_validation_that_others_wait_for_serves_all(edge: MemoryEdge) -> None:
    edge.origin(serving(b"film", BRIEF, TAG))
    await edge.get("/film")
    await asyncio.sleep(11)
    event, script = held(reply(304, FRESH, TAG))
    edge.origin(script)
    first, second = edge.begin("/film"), edge.begin("/film")
    await asyncio.sleep(1)
    event.set()
    await both(first, second)
    assert first.seen == (200, b"film", "revalidated")
    assert second.body == b"film"
    assert len(edge.asked) == 2


@in_memory()
async def test_another_range_of_a_body_under_way_waits_for_its_slice(edge: MemoryEdge) -> None:
    rest = asyncio.Event()
    head = reply(200, FRESH, TAG, body=FILM[: SLICE + 5], length=len(FILM))
    edge.origin(
        playbook(any_request, head, until(rest), FILM[SLICE + 5 :], taken, stall),
        serving(FILM, FRESH, TAG),
    )
    first = edge.begin("/film")
    await first.until_body(SLICE)
    following = edge.begin("/film", range=f"{SLICE}-{SLICE + 9}")
    behind = edge.begin("/film", range=f"{2 * SLICE}-{2 * SLICE + 9}")
    beyond = await edge.get("/film", range=f"{3 * SLICE}-{3 * SLICE + 9}")
    assert beyond.body == FILM[3 * SLICE : 3 * SLICE + 10]
    rest.set()
    await both(first, following, behind)
    assert first.body == FILM
    assert following.body == FILM[SLICE : SLICE + 10]
    assert behind.body == FILM[2 * SLICE : 2 * SLICE + 10]
