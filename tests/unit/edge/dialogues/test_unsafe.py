"""Dialogues after which something stored is gone, or there: unsafe methods, purges, posts."""

from __future__ import annotations

import asyncio

import pytest

from headrace.edge.purge_allowance import Allowance
from headrace.store import StoreError
from tests.harness.breakable_store import SLICE
from tests.harness.dialogues import chunked, in_memory, reply, replying
from tests.harness.memory_edge import MemoryEdge
from tests.harness.memory_network import any_request, playbook, reset, serving, taken, until
from tests.unit.edge.dialogues.bodies import FILM, FRESH, OTHER, TAG

POSTS = {"cache": {"store_post_answers": True}}
HERE = "Content-Location: /form"


# Invalidation.


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
def test_an_unsafe_request_removes_what_it_has_changed(method: str) -> None:
    @in_memory()
    async def dialogue(edge: MemoryEdge) -> None:
        edge.origin(serving(b"old", FRESH))
        await edge.get("/film")
        edge.origin(serving(b"done"))
        assert (await edge.get("/film", method=method)).seen == (200, b"done", "pass")
        edge.origin(serving(b"new", FRESH))
        assert (await edge.get("/film")).seen == (200, b"new", "miss")

    dialogue()


@in_memory()
async def test_a_failed_unsafe_request_removes_nothing(edge: MemoryEdge) -> None:
    edge.origin(serving(b"old", FRESH))
    await edge.get("/film")
    edge.origin(replying(reply(403)))
    await edge.get("/film", method="DELETE")
    assert (await edge.get("/film")).seen == (200, b"old", "hit")


@in_memory()
async def test_location_and_content_location_of_the_same_host_go_too(edge: MemoryEdge) -> None:
    edge.origin(serving(b"old", FRESH))
    for path in ("/one", "/two", "/three"):
        await edge.get(path)
    away = "Content-Location: http://elsewhere/three"
    edge.origin(replying(reply(200, "Location: /two", away)))
    await edge.get("/one", method="POST")
    edge.origin(serving(b"new", FRESH))
    assert (await edge.get("/one")).body == b"new"
    assert (await edge.get("/two")).body == b"new"
    assert (await edge.get("/three")).body == b"old"


@in_memory()
async def test_nothing_stored_means_no_rule(edge: MemoryEdge) -> None:
    edge.origin(serving(b"done"))
    await edge.get("/film", method="POST")
    assert not edge.store.pending_purges(10)


@in_memory()
async def test_a_fill_that_runs_meanwhile_is_not_kept(edge: MemoryEdge) -> None:
    event = asyncio.Event()
    slow = playbook(any_request, until(event), reply(200, FRESH, body=b"old"), taken)
    edge.origin(slow, serving(b"done"))
    film = edge.begin("/film")
    await asyncio.sleep(1)
    await edge.get("/film", method="POST")
    event.set()
    assert (await film.done()).body == b"old"
    edge.origin(serving(b"new", FRESH))
    assert (await edge.get("/film")).seen == (200, b"new", "miss")


@in_memory()
async def test_without_allowance_the_records_go_themselves(edge: MemoryEdge) -> None:
    edge.context.invalidations = Allowance(per_s=0.0, at_once=0)
    edge.origin(serving(b"old", FRESH))
    await edge.get("/film")
    await edge.get("/film")
    edge.origin(serving(b"done"))
    await edge.get("/film", method="POST")
    assert not edge.store.pending_purges(10)
    edge.origin(serving(b"new", FRESH))
    assert (await edge.get("/film")).seen == (200, b"new", "miss")


@in_memory()
async def test_trouble_with_an_invalidation_does_not_fail_the_request(edge: MemoryEdge) -> None:
    edge.origin(serving(b"old", FRESH))
    await edge.get("/film")
    edge.break_store("variants", StoreError("damaged"), times=1)
    assert (await edge.get("/film", method="POST")).status == 200
    assert edge.metrics.store_write_errors == 1


# Purges.


@in_memory()
async def test_a_purge_removes_what_matches(edge: MemoryEdge) -> None:
    edge.origin(serving(b"old", FRESH, "Cache-Tag: x"))
    for _ in range(2):
        await edge.get("/a/film")
        await edge.get("/b/film")
    edge.purge("prefix", b"s\nh/a/")
    edge.origin(serving(b"new", FRESH))
    assert (await edge.get("/a/film")).body == b"new"
    assert (await edge.get("/b/film")).body == b"old"


@in_memory()
async def test_a_soft_purge_lets_what_is_there_be_validated(edge: MemoryEdge) -> None:
    edge.origin(serving(b"old", FRESH, TAG))
    await edge.get("/film")
    edge.purge(soft=True)
    edge.origin(replying(reply(304, FRESH, TAG)))
    assert (await edge.get("/film")).seen == (200, b"old", "revalidated")
    assert (await edge.get("/film")).word == "hit"


@pytest.mark.parametrize("at", [0, 1, SLICE - 1, SLICE, 2 * SLICE + 5, len(FILM)])
@pytest.mark.parametrize("what", ["purge", "evict", "soft"])
def test_a_body_that_began_comes_whole_whatever_goes(at: int, what: str) -> None:
    @in_memory()
    async def dialogue(edge: MemoryEdge) -> None:
        edge.origin(serving(FILM, FRESH, TAG))
        await edge.get("/film")
        edge.close_files()
        film = edge.begin("/film", reads=at + 1)
        await film.until_body(at)
        if what == "evict":
            edge.evict("/film")
        else:
            edge.purge(soft=what == "soft")
        film.read()
        await film.done()
        if film.outcome == "complete":
            assert film.body == FILM
        else:
            assert film.outcome == "representation_lost"
            assert FILM.startswith(film.body)
        edge.origin(serving(OTHER, FRESH, 'ETag: "b"'))
        assert (await edge.get("/film")).body in (FILM, OTHER)

    dialogue()


@pytest.mark.parametrize("operation", range(40))
@pytest.mark.parametrize("what", ["purge", "evict"])
def test_something_goes_before_any_operation_of_the_store(operation: int, what: str) -> None:
    """A purge or an eviction of everything before the n-th thing that is asked of the store."""

    @in_memory()
    async def dialogue(edge: MemoryEdge) -> None:
        edge.origin(serving(FILM, FRESH, TAG))
        await edge.get("/film", range=f"{SLICE}-{SLICE}")
        edge.close_files()
        left = operation

        def before(_what: str) -> None:
            nonlocal left
            left -= 1
            if left == -1:
                if what == "purge":
                    edge.purge()
                else:
                    edge.evict("/film")

        edge.store.before = before
        first = edge.begin("/film")
        second = edge.begin("/film", range=f"{SLICE - 5}-{2 * SLICE + 5}")
        await asyncio.gather(first.done(), second.done())
        edge.store.before = lambda _what: None
        assert (first.outcome, first.status, first.body) == ("complete", 200, FILM)
        assert (second.outcome, second.status) == ("complete", 206)
        assert second.body == FILM[SLICE - 5 : 2 * SLICE + 6]

    dialogue()


# Answers to POST.


@in_memory(service=POSTS)
async def test_an_answer_to_a_post_serves_later_gets(edge: MemoryEdge) -> None:
    edge.origin(serving(b"result", FRESH, HERE))
    assert (await edge.get("/form", method="POST", body=b"x")).seen == (200, b"result", "pass")
    film = await edge.get("/form")
    assert film.seen == (200, b"result", "hit")
    assert len(edge.asked) == 1


@pytest.mark.parametrize(
    "answer",
    [
        reply(200, FRESH, body=b"no location"),
        reply(500, FRESH, HERE, body=b"failed"),
        reply(200, HERE, body=b"no lifetime"),
        reply(200, FRESH, HERE, body=FILM),
        chunked(200, FRESH, HERE, pieces=(FILM,)),
        b"HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nContent-Location: /form\r\n\r\nto close",
    ],
    ids=["location", "status", "lifetime", "long", "chunked", "close"],
)
def test_an_answer_to_a_post_that_is_not_kept(answer: bytes) -> None:
    @in_memory(service=POSTS)
    async def dialogue(edge: MemoryEdge) -> None:
        edge.origin(replying(answer))
        await edge.get("/form", method="POST", body=b"x")
        assert not edge.stored("/form")

    dialogue()


@in_memory(service=POSTS)
async def test_a_posted_answer_that_breaks_off_is_not_kept(edge: MemoryEdge) -> None:
    cut = reply(200, FRESH, HERE, body=b"re", length=6)
    edge.origin(playbook(any_request, cut, taken, reset))
    assert (await edge.get("/form", method="POST")).outcome == "origin_failed"
    assert not edge.stored("/form")


@in_memory(service=POSTS)
async def test_a_posted_answer_whose_client_leaves_is_not_kept(edge: MemoryEdge) -> None:
    edge.origin(serving(b"result", FRESH, HERE))
    answer = edge.begin("/form", method="POST", reads=3)
    await answer.until_body(2)
    answer.leave()
    await edge.settle()
    assert not edge.stored("/form")


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_purge_takes_a_posted_answer_with_it(when: str) -> None:
    @in_memory(service=POSTS)
    async def dialogue(edge: MemoryEdge) -> None:
        head, body = asyncio.Event(), asyncio.Event()
        begun = reply(200, FRESH, HERE, body=b"re", length=6)
        edge.origin(playbook(any_request, until(head), begun, until(body), b"sult", taken))
        answer = edge.begin("/form", method="POST")
        await asyncio.sleep(1)
        if when == "before":
            edge.purge()
        head.set()
        await answer.until_body(2)
        if when == "after":
            edge.purge()
        body.set()
        assert (await answer.done()).body == b"result"
        edge.origin(serving(b"new", FRESH))
        assert (await edge.get("/form")).seen == (200, b"new", "miss")

    dialogue()


@in_memory(service=POSTS)
async def test_a_posted_answer_gives_way_to_a_fill(edge: MemoryEdge) -> None:
    event = asyncio.Event()
    slow = playbook(any_request, until(event), reply(200, FRESH, body=b"by get"), taken)
    edge.origin(slow, serving(b"by post", FRESH, HERE))
    film = edge.begin("/form")
    await asyncio.sleep(1)
    await edge.get("/form", method="POST")
    event.set()
    assert (await film.done()).body == b"by get"


@pytest.mark.parametrize("what", ["begin_part", "set_head", "finish"])
def test_trouble_with_a_posted_answer_does_not_fail_it(what: str) -> None:
    @in_memory(service=POSTS)
    async def dialogue(edge: MemoryEdge) -> None:
        edge.origin(serving(b"result", FRESH, HERE))
        edge.break_store(what, StoreError("damaged"))
        assert (await edge.get("/form", method="POST")).seen == (200, b"result", "pass")
        assert not edge.stored("/form")

    dialogue()


# The mirror.

MIRRORED = {
    "pool": [
        {"name": "p", "origin": [{"url": "http://o"}]},
        {"name": "m", "origin": [{"url": "http://m"}]},
    ],
    "route": [{"name": "r", "path": "/*", "mirror": "m"}],
}


@pytest.mark.parametrize(
    ("answer", "word"),
    [
        (reply(200, FRESH, body=b"film"), "same"),
        (reply(200, FRESH, body=b"filn"), "body"),
        (reply(200, FRESH, body=b"longer"), "length"),
        (reply(404, body=b"film"), "status"),
        (b"HTTP/1.1 999\r\n\r\n", "failed"),
    ],
    ids=["same", "body", "length", "status", "failed"],
)
def test_what_is_fetched_is_compared_with_the_mirror(answer: bytes, word: str) -> None:
    @in_memory(service=MIRRORED)
    async def dialogue(edge: MemoryEdge) -> None:
        edge.origin(serving(b"film", FRESH))
        edge.origin(replying(answer), host="m")
        assert (await edge.get("/film")).seen == (200, b"film", "miss")
        await edge.settle()
        assert edge.metrics.mirror_compared[word] == 1

    dialogue()


@in_memory(service=MIRRORED)
async def test_only_so_many_are_compared_at_once(edge: MemoryEdge) -> None:
    edge.origin(serving(b"film", FRESH))
    event = asyncio.Event()
    slow = playbook(any_request, until(event), reply(200, body=b"film"), taken)
    edge.origin(slow, host="m")
    for number in range(9):
        await edge.get(f"/film{number}")
    await asyncio.sleep(1)
    event.set()
    await edge.settle()
    assert edge.metrics.mirror_compared["left_out"] == 1
