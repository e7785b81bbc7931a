"""Dialogues with a store in trouble, at each step: the client gets an answer all the same."""

from __future__ import annotations

import asyncio
import errno
import os
from unittest.mock import patch

import lmdb
import msgspec
import pytest
from structlog.testing import capture_logs

from headrace.edge.housekeeping import Housekeeping
from headrace.store import StoreError, StoreFull
from headrace.store.errors import IndexDamaged
from headrace.store.index import Index
from headrace.store.refusals import Cause
from tests.harness.breakable_store import SLICE
from tests.harness.dialogues import chunked, in_memory, reply, replying
from tests.harness.memory_edge import MemoryEdge
from tests.harness.memory_network import any_request, playbook, serving, taken, until
from tests.unit.edge.dialogues.bodies import BRIEF, FILM, FRESH, OTHER, TAG

IO = OSError(errno.EIO, "broken")
FULL = OSError(errno.ENOSPC, "full")
BAD = StoreError("the index is damaged")


@pytest.mark.parametrize("what", ["vary_of", "lookup"])
def test_an_index_that_cannot_be_read_leads_to_the_origin(what: str) -> None:
    @in_memory()
    async def dialogue(edge: MemoryEdge) -> None:
        edge.origin(serving(b"film", FRESH))
        edge.break_store("whole", BAD)
        edge.break_store(what, BAD)
        film = await edge.get("/film", "TE: trailers")  # no miss that goes straight
        assert film.seen == (200, b"film", "pass")
        assert film.detail == "store_failed"
        edge.mend_store()
        assert (await edge.get("/film")).seen == (200, b"film", "miss")

    dialogue()


@pytest.mark.parametrize("error", [IO, FULL, BAD], ids=["io", "full", "index"])
@pytest.mark.parametrize(
    "what", ["begin_part", "set_head", "write", "publish", "finish", "record", "delete", "slices"]
)
@pytest.mark.parametrize("size", [4, len(FILM)], ids=["small", "large"])
def test_a_miss_comes_whole_whatever_the_store_does(what: str, error: Exception, size: int) -> None:
    @in_memory()
    async def dialogue(edge: MemoryEdge) -> None:
        if what in ("write", "publish") and isinstance(error, StoreError):
            return  # a file is no index
        body = FILM[:size]
        edge.origin(serving(body, FRESH, TAG))
        edge.break_store(what, error)
        first, second = edge.begin("/film"), edge.begin("/film")
        await asyncio.gather(first.done(), second.done())
        assert (first.status, first.body) == (200, body)
        assert (second.status, second.body) == (200, body)
        edge.mend_store()
        await edge.settle()
        await asyncio.sleep(10)
        film = await edge.get("/film")
        assert (film.status, film.body) == (200, body)

    dialogue()


@pytest.mark.parametrize("after", range(7))
@pytest.mark.parametrize("known", [True, False], ids=["length", "chunked"])
def test_a_disk_that_fills_up_in_mid_body(after: int, known: bool) -> None:
    @in_memory()
    async def dialogue(edge: MemoryEdge) -> None:
        pieces = tuple(FILM[at : at + 20_000] for at in range(0, len(FILM), 20_000))
        edge.origin(
            serving(FILM, FRESH, TAG) if known else replying(chunked(200, FRESH, pieces=pieces))
        )
        left = after

        def before(what: str) -> None:
            nonlocal left
            if what == "write":
                left -= 1
                if left < 0:
                    raise OSError(errno.ENOSPC, "full")

        edge.store.before = before
        film = await edge.get("/film")
        assert film.seen == (200, FILM, "miss")
        edge.store.before = lambda _what: None
        assert edge.metrics.store_disk_full
        again = await edge.get("/film")
        assert (again.status, again.body) == (200, FILM)

    dialogue()


@in_memory()
async def test_after_a_full_disk_nothing_is_stored_for_a_while(edge: MemoryEdge) -> None:
    edge.origin(serving(b"film", FRESH))
    edge.break_store("write", FULL, times=1)
    assert (await edge.get("/film")).seen == (200, b"film", "miss")
    film = await edge.get("/film")
    assert (film.seen, film.detail) == ((200, b"film", "miss"), "store-full")
    await asyncio.sleep(11)
    assert (await edge.get("/film")).cache_status == "fwd=uri-miss; ttl=600; stored"


@in_memory()
async def test_a_full_disk_is_said_once_and_where(edge: MemoryEdge) -> None:
    edge.origin(serving(b"film", FRESH))
    edge.break_store("begin_part", FULL)
    with capture_logs() as lines:
        for number in range(50):
            assert (await edge.get(f"/{number}")).seen == (200, b"film", "miss")
            await asyncio.sleep(1)
        edge.break_store("begin_part", IO)
        assert (await edge.get("/other")).seen == (200, b"film", "miss")
        edge.mend_store()
        await asyncio.sleep(11)
        edge.break_store("begin_part", IO)
        assert (await edge.get("/again")).seen == (200, b"film", "miss")
    edge.mend_store()
    failed = [line for line in lines if line["event"] == "store_write_failed"]
    assert [line["problem"] for line in failed] == [str(FULL), str(IO), str(IO)]
    assert {line["cache_dir"] for line in failed} == {str(edge.store.path)}
    assert edge.metrics.store_disk_full >= 50


@in_memory()
async def test_in_a_damaged_index_what_still_can_be_is_stored(edge: MemoryEdge) -> None:
    edge.origin(serving(b"film", FRESH))
    edge.break_store("finish", IndexDamaged("a page"), times=1)
    assert (await edge.get("/film")).seen == (200, b"film", "miss")
    refusal = edge.store.state.refusal()
    assert refusal is not None
    assert refusal.cause is Cause.INDEX_DAMAGED
    assert (await edge.get("/other")).seen == (200, b"film", "miss")
    assert (await edge.get("/other")).seen == (200, b"film", "hit")


@in_memory()
async def test_a_full_store_counts_as_a_full_disk(edge: MemoryEdge) -> None:
    edge.origin(serving(b"film", FRESH))
    edge.break_store("finish", StoreFull("full"), times=1)
    assert (await edge.get("/film")).seen == (200, b"film", "miss")
    assert edge.metrics.store_disk_full == 1


def test_a_disk_that_is_full_before_the_first_byte(monkeypatch: pytest.MonkeyPatch) -> None:
    @in_memory()
    async def dialogue(edge: MemoryEdge) -> None:
        def allocate(_fd: int, _offset: int, _size: int) -> None:
            raise OSError(errno.ENOSPC, "full")

        edge.origin(serving(FILM, FRESH, TAG))
        monkeypatch.setattr(os, "posix_fallocate", allocate)
        assert (await edge.get("/film")).seen == (200, FILM, "miss")

    dialogue()


@in_memory(service={"cache": {"stale_while_revalidate": "1h"}})
async def test_trouble_with_a_validation_in_the_background(edge: MemoryEdge) -> None:
    edge.origin(serving(b"film", BRIEF, TAG))
    await edge.get("/film")
    await asyncio.sleep(11)
    for error in (IO, BAD):
        edge.break_store("begin_part", error, times=1)
        film = await edge.get("/film")
        assert (film.status, film.body) == (200, b"film")
    edge.mend_store()


@in_memory()
async def test_trouble_with_what_a_304_renewed(edge: MemoryEdge) -> None:
    edge.origin(serving(b"film", BRIEF, TAG))
    await edge.get("/film")
    await asyncio.sleep(11)
    edge.origin(playbook(any_request, reply(304, FRESH, TAG), taken), serving(b"film", FRESH, TAG))
    edge.break_store("record", BAD, times=1)
    film = await edge.get("/film")
    assert film.seen == (200, b"film", "revalidated")
    assert (await edge.get("/film")).seen == (200, b"film", "miss")  # the record is still stale


@in_memory()
async def test_trouble_with_forgetting_what_has_changed(edge: MemoryEdge) -> None:
    edge.origin(serving(b"film", BRIEF, TAG))
    await edge.get("/film")
    await asyncio.sleep(11)
    edge.origin(replying(reply(304, 'ETag: "z"')), serving(b"new!", FRESH))
    edge.break_store("delete", BAD, times=1)
    film = await edge.get("/film")
    assert (film.status, film.word) == (502, "error")
    assert (await edge.get("/film")).seen == (200, b"new!", "miss")


@in_memory()
async def test_trouble_with_what_a_head_tells(edge: MemoryEdge) -> None:
    edge.origin(serving(b"film", BRIEF, TAG))
    await edge.get("/film")
    await asyncio.sleep(11)
    edge.break_store("record", BAD, times=1)
    film = await edge.head("/film")
    assert film.seen == (200, b"", "pass")
    edge.break_store("vary_of", BAD, times=2)
    assert (await edge.head("/other")).seen == (200, b"", "pass")


@pytest.mark.parametrize("what", ["open_slice", "has_slice", "slices"])
@pytest.mark.parametrize("error", [IO, BAD], ids=["io", "index"])
def test_a_stored_body_that_cannot_be_opened(what: str, error: Exception) -> None:
    @in_memory()
    async def dialogue(edge: MemoryEdge) -> None:
        edge.origin(serving(FILM, FRESH, TAG))
        await edge.get("/film")
        edge.close_files()
        edge.evict("/film", 3)
        edge.break_store(what, error)
        film = await edge.get("/film")
        if isinstance(error, StoreError):
            assert (film.status, film.body) == (200, FILM)
        else:
            assert film.status in (200, 502)

    dialogue()


@in_memory()
async def test_trouble_in_the_middle_of_a_body_cuts_it_off(edge: MemoryEdge) -> None:
    edge.origin(serving(FILM, FRESH, TAG))
    await edge.get("/film")
    edge.close_files()
    film = edge.begin("/film", reads=10)
    await film.until_head()
    edge.close_files()
    edge.break_store("open_slice", BAD)
    film.read()
    assert (await film.done()).outcome == "io_error"


@in_memory()
async def test_no_descriptor_left_is_a_503(edge: MemoryEdge) -> None:
    edge.origin(serving(FILM, FRESH, TAG))
    await edge.get("/film")
    edge.close_files()
    edge.break_store("open_slice", OSError(errno.EMFILE, "none left"))
    assert (await edge.get("/film")).status == 503


@pytest.mark.parametrize("hot", [True, False], ids=["hot", "cold"])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_purges_that_cannot_be_read_lead_past_what_is_stored(hot: bool, method: str) -> None:
    @in_memory()
    async def dialogue(edge: MemoryEdge) -> None:
        edge.origin(serving(b"old!", FRESH))
        await edge.get("/film")
        await edge.get("/film")
        if not hot:
            edge.close_files()
        edge.purge()
        edge.origin(serving(b"new!", FRESH))
        edge.break_store("rules_since", BAD)
        film = await edge.get("/film", method=method)
        assert (film.status, film.word, film.detail) == (200, "pass", "store_failed")
        assert film.body == (b"new!" if method == "GET" else b"")
        assert (await edge.get("/film", method="POST")).seen == (200, b"new!", "pass")
        edge.mend_store()
        assert (await edge.get("/film")).seen == (200, b"new!", "miss")

    dialogue()


@in_memory()
async def test_housekeeping_continues_after_purges_that_cannot_be_read(edge: MemoryEdge) -> None:
    keeping = Housekeeping(edge.context)
    edge.purge()
    edge.break_store("rules_since", BAD, times=1)
    await asyncio.sleep(3)
    assert edge.metrics.purges == 0
    await asyncio.sleep(3)
    assert edge.metrics.purges == 1
    keeping.stop()


@in_memory()
async def test_an_index_whose_pages_are_broken_leads_to_the_origin(edge: MemoryEdge) -> None:
    edge.origin(serving(FILM, FRESH, TAG))
    await edge.get("/film")
    edge.close_files()
    (stored,) = edge.stored("/film")
    key_hash = edge.resource("/film").key_hash
    edge.purge()
    with patch.object(Index, "read", side_effect=lmdb.CorruptedError("broken")):
        film = await edge.get("/film")
        assert (film.seen, film.detail) == ((200, FILM, "pass"), "store_failed")
        assert (await edge.get("/film", method="POST")).status == 200
        with pytest.raises(StoreError):
            edge.store.slices(stored)
        with pytest.raises(StoreError):
            edge.store.has_slice(stored.version, 0)
        with pytest.raises(StoreError):
            edge.store.variants(key_hash)


# Damage.


@in_memory(store={"checksum": "on_open"})
async def test_a_damaged_slice_is_fetched_again(edge: MemoryEdge) -> None:
    edge.origin(serving(FILM, FRESH, TAG))
    await edge.get("/film")
    edge.close_files()
    edge.damage("/film", 1)
    film = await edge.get("/film")
    assert film.seen == (200, FILM, "hit")  # by what was known when the head was sent
    assert edge.metrics.store_corrupt == 1


@in_memory(store={"checksum": "off"})
async def test_a_slice_that_was_cut_short_is_fetched_again(edge: MemoryEdge) -> None:
    edge.origin(serving(FILM, FRESH, TAG))
    await edge.get("/film")
    edge.close_files()
    edge.cut("/film", 1)
    assert (await edge.get("/film")).body == FILM


@in_memory(store={"checksum": "off"})
async def test_a_body_that_is_cut_short_while_it_is_sent_breaks_off(edge: MemoryEdge) -> None:
    edge.origin(serving(FILM, FRESH, TAG))
    await edge.get("/film")
    film = edge.begin("/film", reads=10)
    await film.until_head()
    edge.cut("/film", 0)
    film.read()
    assert (await film.done()).outcome == "store_failed"
    assert (await edge.get("/film")).body == FILM


@in_memory(store={"checksum": "off"})
async def test_a_hot_body_that_is_cut_short_is_fetched_again(edge: MemoryEdge) -> None:
    body = FILM[: 40 * 1024]
    edge.origin(serving(body, FRESH, TAG))
    await edge.get("/film")
    await edge.get("/film")
    edge.cut("/film")
    assert (await edge.get("/film")).seen == (200, body, "miss")


@in_memory()
async def test_a_record_whose_slice_is_too_short_is_no_whole_one(edge: MemoryEdge) -> None:
    edge.origin(serving(b"film", FRESH, TAG))
    await edge.get("/film")
    (stored,) = edge.stored("/film")
    longer = msgspec.structs.replace(stored, length=5)
    edge.store.record(longer, edge.resource("/film").key_hash)
    edge.origin(serving(b"other", FRESH, TAG))
    edge.close_files()
    film = await edge.get("/film")
    assert (film.status, film.body) == (200, b"other")


@in_memory()
async def test_a_full_disk_while_others_wait_for_the_next_slice(edge: MemoryEdge) -> None:
    rest = asyncio.Event()
    head = reply(200, FRESH, TAG, body=FILM[: SLICE + 5], length=len(FILM))
    edge.origin(playbook(any_request, head, until(rest), FILM[SLICE + 5 :], taken), serving(OTHER))
    first = edge.begin("/film")
    await first.until_body(SLICE)
    second = edge.begin("/film")
    edge.break_store("write", FULL)
    rest.set()
    await asyncio.gather(first.done(), second.done())
    assert first.seen == (200, FILM, "miss")
    assert second.body == FILM
