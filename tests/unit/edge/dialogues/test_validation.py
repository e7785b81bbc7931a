"""Dialogues about what is stale: validated, served all the same, or replaced."""

from __future__ import annotations

import asyncio

from headrace.upstream.errors import Failure
from tests.harness.breakable_store import SLICE
from tests.harness.dialogues import in_memory, reply, replying
from tests.harness.memory_edge import MemoryEdge
from tests.harness.memory_network import any_request, playbook, serving, stall, taken, until
from tests.unit.edge.dialogues.bodies import BRIEF, FILM, FRESH, TAG

WHILE = {"cache": {"stale_while_revalidate": "1h"}}
ON_ERROR = {"cache": {"stale_if_error": "1h"}}


async def stale(edge: MemoryEdge, body: bytes = b"film", *fields: str) -> None:
    """Store something that is stale by now."""
    edge.origin(serving(body, BRIEF, *(fields or (TAG,))))
    assert (await edge.get("/film")).seen == (200, body, "miss")
    await asyncio.sleep(11)


@in_memory()
async def test_a_304_makes_it_fresh_again(edge: MemoryEdge) -> None:
    await stale(edge)
    edge.origin(replying(reply(304, FRESH, TAG)))
    film = await edge.get("/film")
    assert film.seen == (200, b"film", "revalidated")
    assert film.cache_status == "fwd=stale; ttl=600; stored"
    assert edge.network.requests[-1].fields["if-none-match"] == '"a"'
    assert (await edge.get("/film")).word == "hit"


@in_memory()
async def test_a_304_for_another_representation_means_a_new_fetch(edge: MemoryEdge) -> None:
    await stale(edge)
    edge.origin(replying(reply(304, 'ETag: "z"')), serving(b"other", FRESH, 'ETag: "z"'))
    film = await edge.get("/film")
    assert film.seen == (200, b"other", "miss")
    assert "if-none-match" not in edge.network.requests[-1].fields


@in_memory()
async def test_a_200_replaces_what_is_stored(edge: MemoryEdge) -> None:
    await stale(edge)
    edge.origin(serving(b"other", FRESH, 'ETag: "b"'))
    assert (await edge.get("/film")).seen == (200, b"other", "miss")
    assert (await edge.get("/film")).seen == (200, b"other", "hit")


@in_memory()
async def test_a_404_replaces_what_is_stored(edge: MemoryEdge) -> None:
    await stale(edge)
    edge.origin(replying(reply(404, "Cache-Control: no-store", body=b"no")))
    assert (await edge.get("/film")).seen == (404, b"no", "miss")


@in_memory()
async def test_an_error_is_passed_on_when_nothing_stale_may_be_served(edge: MemoryEdge) -> None:
    await stale(edge)
    edge.origin(replying(reply(503, body=b"oh")))
    assert (await edge.get("/film")).seen == (503, b"oh", "miss")


@in_memory(service=ON_ERROR)
async def test_what_is_stale_hides_an_error(edge: MemoryEdge) -> None:
    await stale(edge)
    edge.origin(replying(reply(503, body=b"oh")))
    film = await edge.get("/film")
    assert film.seen == (200, b"film", "stale_hit")
    assert film.detail == "status_503"


@in_memory(service=ON_ERROR)
async def test_what_is_stale_hides_a_broken_connection(edge: MemoryEdge) -> None:
    await stale(edge)
    edge.origin(replying(b"HTTP/1.1 999 What\r\n\r\n"))
    assert (await edge.get("/film")).seen == (200, b"film", "stale_hit")


@in_memory(service={"cache": {"stale_if_unreachable": "1h"}})
async def test_what_is_stale_hides_an_origin_that_cannot_be_reached(edge: MemoryEdge) -> None:
    await stale(edge)
    edge.network.fails("o", Failure.CONNECT_REFUSED)
    edge.context.origin.idle.retain(set())
    assert (await edge.get("/film")).seen == (200, b"film", "stale_hit")


@in_memory(service=WHILE)
async def test_what_is_stale_is_sent_while_it_is_validated(edge: MemoryEdge) -> None:
    await stale(edge)
    answer = asyncio.Event()
    edge.origin(playbook(any_request, until(answer), reply(304, FRESH, TAG), taken))
    for _ in range(2):
        film = await edge.get("/film")
        assert film.seen == (200, b"film", "stale_hit")
    assert len(edge.asked) == 2
    answer.set()
    await edge.settle()
    assert (await edge.get("/film")).word == "hit"


@in_memory(service=WHILE)
async def test_a_failed_validation_in_the_background_changes_nothing(edge: MemoryEdge) -> None:
    await stale(edge)
    edge.origin(replying(reply(503)))
    for _ in range(2):
        assert (await edge.get("/film")).seen == (200, b"film", "stale_hit")
        await edge.settle()
    assert len(edge.asked) == 3


@in_memory(service=WHILE)
async def test_a_new_object_in_the_background_replaces_the_old(edge: MemoryEdge) -> None:
    await stale(edge)
    edge.origin(serving(FILM, FRESH, 'ETag: "b"'))
    assert (await edge.get("/film")).seen == (200, b"film", "stale_hit")
    await edge.settle()
    assert (await edge.get("/film")).seen == (200, FILM, "hit")


@in_memory(service=WHILE)
async def test_what_may_not_be_stored_any_more_ends_in_the_background(edge: MemoryEdge) -> None:
    await stale(edge)
    edge.origin(serving(b"mine", "Cache-Control: private"))
    assert (await edge.get("/film")).seen == (200, b"film", "stale_hit")
    await edge.settle()


@in_memory(service=WHILE)
async def test_nothing_is_begun_in_the_background_while_draining(edge: MemoryEdge) -> None:
    await stale(edge)
    edge.context.draining = True
    assert (await edge.get("/film")).seen == (200, b"film", "stale_hit")
    assert len(edge.asked) == 1


@in_memory(service=WHILE, limits={"unwatched_fills_per_address": 0})
async def test_a_network_that_may_leave_nothing_behind_validates_nothing(edge: MemoryEdge) -> None:
    await stale(edge)
    assert (await edge.get("/film")).seen == (200, b"film", "stale_hit")
    assert len(edge.asked) == 1


@in_memory(service=WHILE, limits={"unwatched_bytes_per_address": 1000, "unwatched_rate": 0})
async def test_a_background_fill_ends_with_its_networks_allowance(edge: MemoryEdge) -> None:
    await stale(edge)
    edge.origin(serving(FILM, FRESH, 'ETag: "b"'))
    assert (await edge.get("/film")).seen == (200, b"film", "stale_hit")
    await edge.settle()
    assert edge.metrics.fills_abandoned == 1


@in_memory(service=WHILE)
async def test_another_worker_validates_already(edge: MemoryEdge) -> None:
    await stale(edge)
    other = edge.worker()
    answer = asyncio.Event()
    edge.origin(playbook(any_request, until(answer), reply(304, FRESH, TAG), taken))
    assert (await other.get("/film")).word == "stale_hit"
    assert (await edge.get("/film")).word == "stale_hit"
    assert len(edge.asked) == 2
    answer.set()


@in_memory()
async def test_a_request_may_ask_for_what_is_fresher(edge: MemoryEdge) -> None:
    edge.origin(serving(b"film", FRESH, TAG))
    await edge.get("/film")
    await asyncio.sleep(100)
    edge.origin(replying(reply(304, FRESH, TAG)))
    for directive in ("no-cache", "max-age=10", "min-fresh=550"):
        film = await edge.get("/film", f"Cache-Control: {directive}")
        assert film.seen == (200, b"film", "revalidated")
        await asyncio.sleep(100)
    assert (await edge.get("/film", "Pragma: no-cache")).word == "revalidated"


@in_memory()
async def test_only_if_cached_gets_what_is_there_or_a_504(edge: MemoryEdge) -> None:
    film = await edge.get("/film", "Cache-Control: only-if-cached")
    assert (film.status, film.word) == (504, "error")
    await stale(edge)
    film = await edge.get("/film", "Cache-Control: only-if-cached")
    assert film.status == 504
    film = await edge.get("/film", "Cache-Control: only-if-cached, max-stale")
    assert film.seen == (200, b"film", "hit")


@in_memory()
async def test_a_request_that_is_not_to_be_stored_goes_past_the_cache(edge: MemoryEdge) -> None:
    edge.origin(serving(b"film", FRESH))
    film = await edge.get("/film", "Cache-Control: no-store")
    assert film.seen == (200, b"film", "bypass")
    assert not edge.stored("/film")


@in_memory(service={"cache": {"bypass_on_cookie": ["session"]}})
async def test_a_cookie_may_lead_past_the_cache(edge: MemoryEdge) -> None:
    edge.origin(serving(b"film", FRESH))
    assert (await edge.get("/film", "Cookie: session=1")).word == "bypass"
    assert (await edge.get("/film", "Cookie: other=1")).word == "miss"


def first_slice(*, sent: int) -> bytes:
    """Return a 206 with the film's first slice, of which not all comes at once."""
    span = f"Content-Range: bytes 0-{SLICE - 1}/{len(FILM)}"
    return reply(206, span, TAG, BRIEF, body=FILM[:sent], length=SLICE)


@in_memory()
async def test_who_comes_while_a_stale_object_is_completed_waits_for_that(
    edge: MemoryEdge,
) -> None:
    await stale(edge, FILM)
    edge.evict("/film", 0)
    edge.close_files()
    rest = asyncio.Event()
    completion = playbook(
        any_request, first_slice(sent=100), until(rest), FILM[100:SLICE], taken
    )  # fmt: skip
    edge.origin(completion, replying(reply(304, FRESH, TAG)))
    completing = edge.begin("/film", "Cache-Control: max-stale", range="0-9")
    assert (await completing.done()).seen == (206, FILM[:10], "partial")
    completing = edge.begin("/film", "Cache-Control: max-stale", range="0-999")
    waiting = edge.begin("/film", range="0-9")
    await asyncio.sleep(1)
    rest.set()
    assert (await completing.done()).body == FILM[:1000]
    assert (await waiting.done()).seen == (206, FILM[:10], "revalidated")


@in_memory(timeouts={"lock_wait": "5s"})
async def test_who_waits_too_long_for_such_a_completion_asks_for_himself(
    edge: MemoryEdge,
) -> None:
    await stale(edge, FILM)
    edge.evict("/film", 0)
    edge.close_files()
    edge.origin(playbook(any_request, first_slice(sent=100), stall), serving(FILM, BRIEF, TAG))
    completing = edge.begin("/film", "Cache-Control: max-stale", range="0-999")
    await asyncio.sleep(1)
    waiting = await edge.get("/film", range="0-9")
    assert (waiting.body, waiting.detail) == (FILM[:10], "lock_wait")
    completing.leave()
