"""Dialogues about what is not stored yet: fetched, passed on, and stored if it may be."""

from __future__ import annotations

import asyncio

from tests.harness.breakable_store import SLICE
from tests.harness.dialogues import chunked, in_memory, reply, replying
from tests.harness.memory_edge import MemoryEdge
from tests.harness.memory_network import any_request, playbook, serving, stall, taken, until
from tests.unit.edge.dialogues.bodies import FILM, FRESH, TAG


@in_memory()
async def test_a_miss_is_stored_and_the_next_request_hits(edge: MemoryEdge) -> None:
    edge.origin(serving(b"film", FRESH))
    film = await edge.get("/film")
    assert film.seen == (200, b"film", "miss")
    assert film.cache_status == "fwd=uri-miss; ttl=600; stored"
    film = await edge.get("/film")
    assert film.seen == (200, b"film", "hit")
    assert film.fields["age"] == "0"
    assert edge.asked == ["GET /film"]


@in_memory()
async def test_a_large_object_comes_in_slices(edge: MemoryEdge) -> None:
    edge.origin(serving(FILM, FRESH, TAG))
    assert (await edge.get("/film")).seen == (200, FILM, "miss")
    assert edge.numbers("/film") == [0, 1, 2, 3]
    assert (await edge.get("/film")).seen == (200, FILM, "hit")


@in_memory()
async def test_a_body_comes_while_the_origin_still_sends(edge: MemoryEdge) -> None:
    rest = asyncio.Event()
    head = reply(200, FRESH, body=FILM[:1000], length=2000)
    edge.origin(playbook(any_request, head, until(rest), FILM[1000:2000], taken))
    film = edge.begin("/film")
    await film.until_body(1000)
    assert not film.outcome
    rest.set()
    assert (await film.done()).seen == (200, FILM[:2000], "miss")


@in_memory()
async def test_a_body_of_unknown_length_is_stored(edge: MemoryEdge) -> None:
    pieces = tuple(FILM[at : at + 50_000] for at in range(0, len(FILM), 50_000))
    edge.origin(replying(chunked(200, FRESH, TAG, pieces=pieces)))
    film = await edge.get("/film")
    assert film.seen == (200, FILM, "miss")
    assert film.framing == "chunked"
    film = await edge.get("/film")
    assert film.seen == (200, FILM, "hit")
    assert film.framing == f"length {len(FILM)}"


@in_memory()
async def test_a_body_that_ends_with_a_slice_is_stored_whole(edge: MemoryEdge) -> None:
    edge.origin(replying(chunked(200, FRESH, pieces=(FILM[:SLICE], FILM[SLICE : 2 * SLICE]))))
    assert (await edge.get("/film")).seen == (200, FILM[: 2 * SLICE], "miss")
    assert (await edge.get("/film")).seen == (200, FILM[: 2 * SLICE], "hit")


@in_memory()
async def test_an_empty_body_is_stored(edge: MemoryEdge) -> None:
    edge.origin(serving(b"", FRESH))
    assert (await edge.get("/empty")).seen == (200, b"", "miss")
    assert (await edge.get("/empty")).seen == (200, b"", "hit")
    edge.close_files()
    assert (await edge.get("/empty", "Cache-Control: max-age=60")).seen == (200, b"", "hit")


@in_memory()
async def test_an_old_client_gets_a_body_of_unknown_length_to_the_close(edge: MemoryEdge) -> None:
    edge.origin(replying(chunked(200, FRESH, pieces=(b"film",))))
    film = await edge.get("/film", version="1.0")
    assert film.seen == (200, b"film", "miss")
    assert film.framing == "close"
    assert not film.client.open


@in_memory()
async def test_a_redirect_and_an_error_are_stored_when_they_may_be(edge: MemoryEdge) -> None:
    edge.origin(replying(reply(301, FRESH, "Location: /other"), reply(404, FRESH, body=b"no")))
    assert (await edge.get("/moved")).seen == (301, b"", "miss")
    assert (await edge.get("/nothing")).seen == (404, b"no", "miss")
    assert (await edge.get("/moved")).seen == (301, b"", "hit")
    assert (await edge.get("/nothing")).seen == (404, b"no", "hit")


@in_memory()
async def test_an_uncacheable_answer_goes_to_the_one_who_asked(edge: MemoryEdge) -> None:
    edge.origin(replying(reply(200, "Cache-Control: no-store", body=b"mine")))
    first = await edge.get("/film")
    assert first.seen == (200, b"mine", "miss")
    assert first.detail == "no-store"
    second = await edge.get("/film")  # at once past the fills: nothing follows for a while
    assert second.seen == (200, b"mine", "pass")
    await asyncio.sleep(11)
    assert (await edge.get("/film")).seen == (200, b"mine", "miss")
    assert len(edge.asked) == 3


@in_memory()
async def test_a_requests_own_reason_prevents_no_storing_for_others(edge: MemoryEdge) -> None:
    edge.origin(serving(b"film", FRESH))
    film = await edge.get("/film", "Authorization: Basic x")
    assert film.seen == (200, b"film", "miss")
    assert film.detail == "authorization"
    assert (await edge.get("/film")).cache_status == "fwd=uri-miss; ttl=600; stored"


@in_memory()
async def test_who_says_more_than_is_asked_asks_for_himself(edge: MemoryEdge) -> None:
    edge.origin(serving(b"film", "Cache-Control: no-store"))
    film = await edge.get("/film", "Cookie: who=me")
    assert film.seen == (200, b"film", "miss")
    shared, own = edge.network.requests
    assert "cookie" not in shared.fields
    assert own.fields["cookie"] == "who=me"


@in_memory()
async def test_an_origin_in_trouble_is_not_asked_twice(edge: MemoryEdge) -> None:
    edge.origin(replying(reply(500, body=b"oh")))
    film = await edge.get("/film", "Cookie: who=me")
    assert film.seen == (500, b"oh", "miss")
    assert len(edge.asked) == 1


@in_memory()
async def test_early_hints_reach_the_one_who_began(edge: MemoryEdge) -> None:
    hints = b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\nConnection: x\r\nX: 1\r\n\r\n"
    edge.origin(playbook(any_request, hints, reply(200, FRESH, body=b"film"), taken))
    first = edge.begin("/film")
    second = edge.begin("/film")
    await asyncio.gather(first.done(), second.done())
    assert first.interims == [(103, [(b"link", b"</a.css>")])]
    assert second.interims == []
    assert second.seen == (200, b"film", "collapsed")


@in_memory()
async def test_a_part_that_nobody_asked_for_is_an_error(edge: MemoryEdge) -> None:
    edge.origin(replying(reply(206, FRESH, "Content-Range: bytes 5-8/10", body=b"film")))
    film = await edge.get("/film")
    assert (film.status, film.word) == (502, "error")
    assert not edge.stored("/film")


@in_memory(service={"cache": {"max_object": 1000}})
async def test_what_is_too_large_is_passed_on(edge: MemoryEdge) -> None:
    edge.origin(serving(FILM, FRESH))
    film = await edge.get("/film")
    assert film.seen == (200, FILM, "miss")
    assert film.detail == "too-large"
    assert not edge.stored("/film")


@in_memory()
async def test_a_body_longer_than_it_said_is_cut_off(edge: MemoryEdge) -> None:
    edge.origin(replying(reply(200, FRESH, body=b"film and more", length=4)))
    film = await edge.get("/film")
    assert film.seen == (200, b"film", "miss")


@in_memory()
async def test_a_short_body_is_no_whole_one(edge: MemoryEdge) -> None:
    edge.origin(replying(reply(200, FRESH, body=b"fi", length=4)))
    film = await edge.get("/film")
    assert film.outcome == "origin_failed"
    assert not edge.stored("/film")


@in_memory()
async def test_a_head_without_a_body_in_time_is_an_error(edge: MemoryEdge) -> None:
    edge.origin(playbook(any_request, reply(200, FRESH, length=4), stall))
    film = await edge.get("/film")
    assert (film.status, film.word) == (502, "error")
