"""Dialogues about what is stored and fresh: hot, in the store only, in one slice or several."""

from __future__ import annotations

import asyncio
from typing import Any
from unittest.mock import patch

import msgspec
import pytest

from headrace.edge.hot import HotResponses
from headrace.edge.request import promote
from headrace.store import StoreError
from tests.harness.breakable_store import SLICE
from tests.harness.dialogues import in_memory
from tests.harness.memory_edge import MemoryEdge
from tests.harness.memory_network import serving
from tests.unit.edge.dialogues.bodies import BRIEF, FILM, FRESH, TAG

LARGE = FILM[: 40 * 1024]  # too large for memory, small enough for one slice


@in_memory()
async def test_a_second_hit_is_hot(edge: MemoryEdge) -> None:
    edge.origin(serving(b"film", FRESH))
    await edge.get("/film")
    await edge.get("/film")
    film = await edge.get("/film")
    assert film.hot
    assert film.seen == (200, b"film", "hit")
    assert film.cache_status == "hit; ttl=600"


@in_memory()
async def test_a_fault_before_there_is_a_task_is_answered(edge: MemoryEdge) -> None:
    edge.origin(serving(b"film", FRESH))
    with patch.object(edge.context.resources, "find", side_effect=KeyError):
        film = await edge.get("/film")
    assert film.status == 500
    assert (await edge.get("/film")).seen == (200, b"film", "miss")


@in_memory()
async def test_a_hot_answer_to_every_kind_of_client(edge: MemoryEdge) -> None:
    edge.origin(serving(b"film", FRESH))
    await edge.get("/film")
    await edge.get("/film")
    head = await edge.head("/film")
    assert (head.hot, head.seen, head.fields["content-length"]) == (True, (200, b"", "hit"), "4")
    old = await edge.get("/film", version="1.0")
    assert old.seen == (200, b"film", "hit")
    assert not old.client.open
    part = await edge.get("/film", range="1-2")
    assert (part.hot, part.seen) == (True, (206, b"il", "hit"))
    part = await edge.get("/film", range="2-2")
    assert (part.hot, part.seen) == (True, (206, b"l", "hit"))


@in_memory()
async def test_ranges_that_a_hot_answer_cannot_give_take_the_longer_way(edge: MemoryEdge) -> None:
    edge.origin(serving(b"film", FRESH))
    await edge.get("/film")
    await edge.get("/film")
    assert (await edge.get("/film", range="9-")).seen == (416, b"", "hit")
    assert (await edge.get("/film", range="0-0,2-2")).status == 206
    assert (await edge.get("/film", range="x")).seen == (200, b"film", "hit")
    assert (await edge.head("/film", range="0-0")).seen == (200, b"", "hit")
    assert len(edge.asked) == 1


@in_memory()
async def test_a_mapped_body_is_hot_too(edge: MemoryEdge) -> None:
    edge.origin(serving(LARGE, FRESH))
    await edge.get("/film")
    for _ in range(2):
        assert (await edge.get("/film")).seen == (200, LARGE, "hit")
    assert (await edge.get("/film", range="5-9")).seen == (206, LARGE[5:10], "hit")
    assert (await edge.get("/film")).hot


@in_memory()
async def test_ranges_of_a_body_in_slices_are_hot_while_they_are_open(edge: MemoryEdge) -> None:
    edge.origin(serving(FILM, FRESH, TAG))
    await edge.get("/film")
    await edge.get("/film")
    film = await edge.get("/film", range=f"{SLICE - 2}-{SLICE + 1}")
    assert (film.hot, film.seen) == (True, (206, FILM[SLICE - 2 : SLICE + 2], "hit"))
    whole = await edge.get("/film")
    assert (whole.hot, whole.seen) == (False, (200, FILM, "hit"))
    bodies = edge.context.bodies
    for slice_id in list(bodies._bodies):
        del bodies._bodies[slice_id]
    film = await edge.get("/film", range=f"{SLICE - 2}-{SLICE + 1}")
    assert (film.hot, film.seen) == (False, (206, FILM[SLICE - 2 : SLICE + 2], "hit"))


@in_memory(store={"checksum": "off"})
async def test_a_cold_hit_is_promoted_without_a_task(edge: MemoryEdge) -> None:
    edge.origin(serving(b"film", FRESH))
    await edge.get("/film")
    edge.close_files()
    film = edge.begin("/film")
    assert (film.outcome, film.hot, film.seen) == ("complete", True, (200, b"film", "hit"))
    edge.close_files()
    edge.resource("/film").hot = None
    assert (await edge.get("/film", "Cache-Control: max-age=60")).seen == (200, b"film", "hit")


@in_memory(store={"checksum": "off"})
async def test_a_cold_mapped_body_is_promoted(edge: MemoryEdge) -> None:
    edge.origin(serving(LARGE, FRESH))
    await edge.get("/film")
    edge.close_files()
    film = edge.begin("/film")
    assert (film.outcome, film.hot, film.seen) == ("complete", True, (200, LARGE, "hit"))


@in_memory(store={"memory": 0})
async def test_nothing_is_promoted_without_memory_for_it(edge: MemoryEdge) -> None:
    edge.origin(serving(b"film", FRESH))
    for word in ("miss", "hit", "hit"):
        film = await edge.get("/film")
        assert (film.hot, film.seen) == (False, (200, b"film", word))


@pytest.mark.parametrize("memory", [0, 1])
def test_a_small_body_of_the_index_is_sent_without_being_held(memory: int) -> None:
    @in_memory(store={"memory": memory})
    async def dialogue(edge: MemoryEdge) -> None:
        edge.keep_small_bodies_inside()
        edge.origin(serving(b"film", FRESH, TAG, "Via: 1.0 other"))
        await edge.get("/film")
        film = edge.begin("/film")
        assert (film.outcome, film.hot, film.seen) == ("complete", True, (200, b"film", "hit"))
        assert edge.resource("/film").hot is None
        head = await edge.head("/film")
        assert (head.hot, head.seen) == (True, (200, b"", "hit"))
        assert head.fields["content-length"] == "4"
        old = await edge.get("/film", version="1.0")
        assert (old.hot, old.seen, old.client.open) == (True, (200, b"film", "hit"), False)
        assert edge.metrics.requests_hit == 3

    dialogue()


@pytest.mark.parametrize("service", [{}, {"debug": True}, {"server_timing": True}], ids=str)
def test_a_hit_is_told_of_alike_whether_it_is_held_or_not(service: dict[str, Any]) -> None:
    @in_memory(service=service)
    async def dialogue(edge: MemoryEdge) -> None:
        edge.keep_small_bodies_inside()
        edge.origin(serving(b"film", FRESH, TAG, "Via: 1.0 other", "X-Odd: 100%d"))
        await edge.get("/film")
        with patch.object(HotResponses, "admits", return_value=False):
            once = await edge.get("/film")
        assert edge.resource("/film").hot is None
        held = await edge.get("/film")
        assert edge.resource("/film").hot is not None
        assert (once.seen, once.fields) == (held.seen, held.fields)

    dialogue()


@in_memory()
async def test_what_is_asked_for_again_is_held(edge: MemoryEdge) -> None:
    edge.keep_small_bodies_inside()
    edge.origin(serving(b"film", FRESH))
    await edge.get("/film")
    edge.context.hot.held_bytes += edge.context.hot.memory_bytes  # as if it were full
    await edge.get("/film")
    assert edge.resource("/film").hot is None
    edge.context.hot.held_bytes -= edge.context.hot.memory_bytes
    await edge.get("/film")
    assert edge.resource("/film").hot is not None


@in_memory()
async def test_a_small_body_of_the_index_that_is_damaged_is_fetched_again(edge: MemoryEdge) -> None:
    edge.keep_small_bodies_inside()
    edge.origin(serving(b"film", FRESH))
    await edge.get("/film")
    index = edge.store.index
    with index.write() as change:
        key, piece = change.first_from(index.bodies, b"") or (b"", b"")
        change.put(index.bodies, key, piece[:-1] + b"?")
    assert (await edge.get("/film")).seen[:2] == (200, b"film")
    assert (await edge.get("/film")).seen == (200, b"film", "hit")


@in_memory(store={"checksum": "on_open"})
async def test_a_body_is_checked_before_it_is_sent(edge: MemoryEdge) -> None:
    edge.origin(serving(b"film", FRESH))
    await edge.get("/film")
    edge.close_files()
    assert (await edge.get("/film")).seen == (200, b"film", "hit")
    edge.close_files()
    assert (await edge.get("/film")).hot


@in_memory()
async def test_age_and_ttl_follow_the_clock(edge: MemoryEdge) -> None:
    edge.origin(serving(b"film", FRESH))
    await edge.get("/film")
    await edge.get("/film")
    await asyncio.sleep(100)
    film = await edge.get("/film")
    assert (film.hot, film.fields["age"], film.cache_status) == (True, "100", "hit; ttl=500")


@in_memory()
async def test_a_hot_answer_is_renewed_while_the_store_has_it(edge: MemoryEdge) -> None:
    edge.origin(serving(LARGE, FRESH))
    await edge.get("/film")
    await edge.get("/film")
    for _ in range(4):
        await asyncio.sleep(1.5)
        assert (await edge.get("/film")).hot
    edge.evict("/film")
    await asyncio.sleep(3)
    assert (await edge.get("/film")).seen == (200, LARGE, "miss")


@in_memory()
async def test_a_hot_answer_ends_when_another_worker_replaced_it(edge: MemoryEdge) -> None:
    edge.origin(serving(b"film", FRESH))
    await edge.get("/film")
    await edge.get("/film")
    other = edge.worker()
    other.purge("all", soft=True)
    edge.origin(serving(b"new!", FRESH))
    assert (await other.get("/film")).seen == (200, b"new!", "miss")
    assert (await edge.get("/film")).seen == (200, b"new!", "hit")


@in_memory()
async def test_the_check_behind_a_hot_answer_drops_what_is_gone(edge: MemoryEdge) -> None:
    edge.origin(serving(b"film", FRESH))
    await edge.get("/film")
    await edge.get("/film")
    edge.evict("/film")
    await asyncio.sleep(1.6)
    assert (await edge.get("/film")).hot  # as long as it is trusted
    await asyncio.sleep(0)
    assert (await edge.get("/film")).seen == (200, b"film", "miss")


@in_memory()
async def test_a_hot_answer_ends_with_its_lifetime(edge: MemoryEdge) -> None:
    edge.origin(serving(b"film", BRIEF))
    await edge.get("/film")
    await edge.get("/film")
    await asyncio.sleep(11)
    assert (await edge.get("/film")).word == "miss"


@in_memory()
async def test_a_hot_answer_ends_while_its_check_is_due(edge: MemoryEdge) -> None:
    edge.origin(serving(b"film", FRESH))
    await edge.get("/film")
    await edge.get("/film")
    await asyncio.sleep(1.6)
    film = edge.begin("/film")
    edge.purge()
    assert film.hot
    assert (await edge.get("/film")).word == "miss"


@in_memory(service={"server_timing": True, "debug": True})
async def test_a_service_that_is_debugged_says_more(edge: MemoryEdge) -> None:
    edge.origin(serving(b"film", FRESH))
    film = await edge.get("/film")
    assert 'key="' in film.cache_status
    assert film.fields["server-timing"].startswith("cache;desc=miss, edge;dur=")
    await edge.get("/film")
    assert (await edge.get("/film")).fields["server-timing"] == "cache;desc=hit"


@in_memory()
async def test_a_connection_is_kept_for_the_next_request(edge: MemoryEdge) -> None:
    edge.origin(serving(b"film", FRESH))
    client = edge.client()
    for word in ("miss", "hit", "hit"):
        film = await edge.begin("/film", client=client).done()
        assert film.seen == (200, b"film", word)
    film = await edge.begin("/film", "Connection: close", client=client).done()
    assert (film.seen, client.open) == ((200, b"film", "hit"), False)


@in_memory()
async def test_a_hit_by_tls_is_for_hosts_that_the_certificate_covers(edge: MemoryEdge) -> None:
    edge.origin(serving(b"film", FRESH))
    client = edge.client(covers=("h",))
    for word in ("miss", "hit", "hit"):
        assert (await edge.begin("/film", client=client).done()).word == word
    assert (await edge.begin("/film", client=client, host="other").done()).status == 421
    client = edge.client(covers=("other",))
    assert (await edge.begin("/film", client=client).done()).status == 421


@in_memory()
async def test_a_hot_answer_is_checked_before_it_is_trusted_again(edge: MemoryEdge) -> None:
    edge.origin(serving(b"film", FRESH))
    await edge.get("/film")
    await edge.get("/film")
    await asyncio.sleep(5)
    edge.break_store("vary_of", StoreError("damaged"), times=2)
    assert (await edge.get("/film")).seen == (200, b"film", "hit")
    await asyncio.sleep(5)
    edge.origin(serving(b"other", FRESH, "Vary: X-Kind"))
    edge.evict("/film")
    await edge.worker().get("/film", "X-Kind: a")
    assert (await edge.get("/film")).body == b"other"


@pytest.mark.parametrize("size", [4, len(LARGE)], ids=["small", "large"])
@pytest.mark.parametrize("trouble", ["cut", "gone", "not in memory", "short record"])
def test_what_cannot_be_promoted_takes_the_longer_way(size: int, trouble: str) -> None:
    @in_memory(store={"checksum": "off"})
    async def dialogue(edge: MemoryEdge) -> None:
        body = LARGE[:size]
        edge.origin(serving(body, FRESH, TAG))
        await edge.get("/film")
        edge.close_files()
        if trouble == "cut":
            edge.path_of("/film").write_bytes(b"")
        elif trouble == "gone":
            edge.path_of("/film").unlink()
        elif trouble == "short record":
            (stored,) = edge.stored("/film")
            longer = msgspec.structs.replace(stored, length=size + 1)
            edge.store.record(longer, edge.resource("/film").key_hash)
            body += b"x"
            edge.origin(serving(body, FRESH, TAG))
        if trouble == "not in memory":
            with patch.object(promote, "read_at_once", side_effect=BlockingIOError):
                film = await edge.get("/film")
        else:
            film = await edge.get("/film")
        assert (film.status, film.body) == (200, body)

    dialogue()


@pytest.mark.parametrize("body", [b"film", LARGE, FILM], ids=["memory", "file", "slices"])
@pytest.mark.parametrize("range", [None, "1-2"])
@pytest.mark.parametrize("hot", ["hot", "open", "closed"])
@in_memory()
async def test_each_hit_counts_once_for_eviction(
    edge: MemoryEdge, body: bytes, range: str | None, hot: str
) -> None:
    edge.origin(serving(body, FRESH))
    await edge.get("/film")
    (stored,) = edge.stored("/film")
    last = (len(body) - 1) // stored.slice_bytes
    assert edge.hits("/film") == edge.hits("/film", last) == 0
    for hits in (1, 2, 3):
        if hot == "closed":
            edge.close_files()
        if hot != "hot":
            edge.context.hot.clear()
        film = await edge.get("/film", range=range)
        assert film.body == (body if range is None else body[1:3])
        assert edge.hits("/film") == hits
        if range is None:
            assert edge.hits("/film", last) == hits


@in_memory()
async def test_a_range_of_which_some_is_not_open_counts_once_for_eviction(edge: MemoryEdge) -> None:
    edge.origin(serving(FILM, FRESH))
    await edge.get("/film")
    (stored,) = edge.stored("/film")
    assert len(FILM) > stored.slice_bytes
    await edge.get("/film")
    for hits in (2, 3):
        del edge.context.bodies._bodies[stored.version, 1]
        film = await edge.get("/film", range="0-")
        assert film.body == FILM
        assert edge.hits("/film") == hits
        assert edge.hits("/film", 1) == hits
