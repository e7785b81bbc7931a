"""Dialogues about ranges and slices: what is asked for, and what is put together."""

from __future__ import annotations

import asyncio

import pytest

from tests.harness.breakable_store import SLICE
from tests.harness.dialogues import chunked, in_memory, reply, replying
from tests.harness.memory_edge import MemoryEdge
from tests.harness.memory_network import any_request, playbook, reset, serving, taken, until
from tests.unit.edge.dialogues.bodies import BRIEF, FILM, FRESH, OTHER, TAG


def part(body: bytes, start: int, end: int, *fields: str) -> bytes:
    """Return a 206 with these bytes."""
    span = f"Content-Range: bytes {start}-{end - 1}/{len(body)}"
    return reply(206, span, *fields, body=body[start:end])


@in_memory()
async def test_a_range_fetches_only_its_slices(edge: MemoryEdge) -> None:
    edge.origin(serving(FILM, FRESH, TAG))
    film = await edge.get("/film", range=f"{SLICE + 5}-{SLICE + 9}")
    assert film.seen == (206, FILM[SLICE + 5 : SLICE + 10], "miss")
    assert film.fields["content-range"] == f"bytes {SLICE + 5}-{SLICE + 9}/{len(FILM)}"
    assert edge.asked == [f"GET /film {SLICE}-{2 * SLICE - 1}"]
    assert edge.numbers("/film") == [1]


@in_memory()
async def test_the_rest_is_completed_from_what_is_missing(edge: MemoryEdge) -> None:
    edge.origin(serving(FILM, FRESH, TAG))
    await edge.get("/film", range=f"{SLICE}-{SLICE}")
    film = await edge.get("/film")
    assert film.seen == (200, FILM, "partial")
    assert film.cache_status.startswith("fwd=partial")
    assert edge.numbers("/film") == [0, 1, 2, 3]
    assert edge.network.requests[-1].fields["if-range"] == '"a"'
    assert (await edge.get("/film")).seen == (200, FILM, "hit")


@in_memory()
async def test_several_ranges_come_in_parts(edge: MemoryEdge) -> None:
    edge.origin(serving(FILM, FRESH, TAG, "Content-Type: video/mp4"))
    await edge.get("/film")
    film = await edge.get("/film", range=f"0-9,{2 * SLICE - 5}-{2 * SLICE + 4}")
    assert (film.status, film.word) == (206, "hit")
    assert film.fields["content-type"].startswith("multipart/byteranges; boundary=")
    assert FILM[:10] in film.body
    assert FILM[2 * SLICE - 5 : 2 * SLICE + 5] in film.body
    assert film.body.count(b"Content-Type: video/mp4") == 2


@in_memory(limits={"ranges": 2})
async def test_too_many_ranges_bring_the_whole(edge: MemoryEdge) -> None:
    edge.origin(serving(b"0123456789", FRESH, TAG))
    await edge.get("/film")
    assert (await edge.get("/film", range="0-0,2-2,4-4")).seen == (200, b"0123456789", "hit")


@in_memory()
async def test_a_range_behind_the_end_is_not_satisfied(edge: MemoryEdge) -> None:
    edge.origin(serving(b"0123456789", FRESH, TAG))
    await edge.get("/film")
    film = await edge.get("/film", range="10-")
    assert film.seen == (416, b"", "hit")
    assert film.fields["content-range"] == "bytes */10"
    assert "etag" not in film.fields


@in_memory()
async def test_an_origins_416_answers_the_one_who_asked(edge: MemoryEdge) -> None:
    edge.origin(serving(b"0123456789", FRESH, TAG))
    film = await edge.get("/film", range=f"{SLICE}-")
    assert (film.status, film.body) == (416, b"")


@in_memory()
async def test_if_range_decides_between_part_and_whole(edge: MemoryEdge) -> None:
    edge.origin(serving(b"0123456789", FRESH, TAG))
    await edge.get("/film")
    same = await edge.get("/film", 'If-Range: "a"', range="1-2")
    assert same.seen == (206, b"12", "hit")
    other = await edge.get("/film", 'If-Range: "b"', range="1-2")
    assert other.seen == (200, b"0123456789", "hit")


@in_memory()
async def test_conditions_are_answered_from_the_store(edge: MemoryEdge) -> None:
    edge.origin(serving(b"0123456789", FRESH, TAG))
    await edge.get("/film")
    assert (await edge.get("/film", 'If-None-Match: "a"')).seen == (304, b"", "hit")
    assert (await edge.get("/film", 'If-Match: "b"')).seen == (412, b"", "hit")


@in_memory()
async def test_a_suffix_range_asks_for_the_first_slice_to_learn_the_length(
    edge: MemoryEdge,
) -> None:
    edge.origin(serving(FILM, FRESH, TAG))
    film = await edge.get("/film", range="-10")
    assert (film.status, film.body) == (206, FILM[-10:])
    assert edge.asked[0] == f"GET /film 0-{SLICE - 1}"


@in_memory()
async def test_an_origin_without_ranges_brings_the_whole(edge: MemoryEdge) -> None:
    edge.origin(replying(reply(200, FRESH, TAG, body=FILM)))
    film = await edge.get("/film", range=f"{SLICE + 5}-{SLICE + 9}")
    assert film.seen == (206, FILM[SLICE + 5 : SLICE + 10], "miss")


@in_memory()
async def test_a_range_that_no_slice_can_hold_is_the_origins(edge: MemoryEdge) -> None:
    edge.origin(replying(reply(416, "Content-Range: bytes */10")))
    film = await edge.get("/film", range=f"{SLICE * 2**32}-")
    assert film.seen == (416, b"", "pass")
    assert film.detail == "range"


@in_memory()
async def test_a_range_of_unknown_length_gets_the_whole(edge: MemoryEdge) -> None:
    edge.origin(replying(chunked(200, FRESH, TAG, pieces=(b"0123456789",))))
    film = await edge.get("/film", range="1-2")
    assert film.seen == (200, b"0123456789", "miss")
    assert (await edge.get("/film", range="1-2")).seen == (206, b"12", "hit")


@in_memory()
async def test_an_evicted_slice_is_fetched_again(edge: MemoryEdge) -> None:
    edge.origin(serving(FILM, FRESH, TAG))
    await edge.get("/film")
    edge.close_files()
    edge.evict("/film", 2)
    film = await edge.get("/film")
    assert film.seen == (200, FILM, "partial")
    assert edge.asked[1] == f"GET /film {2 * SLICE}-{len(FILM) - 1}"


@in_memory()
async def test_a_slice_evicted_in_mid_body_is_fetched_again(edge: MemoryEdge) -> None:
    edge.origin(serving(FILM, FRESH, TAG))
    await edge.get("/film")
    edge.close_files()
    film = edge.begin("/film", reads=100)
    await film.until_head()
    edge.evict("/film", 2)
    edge.close_files()
    film.read()
    assert (await film.done()).seen == (200, FILM, "hit")
    assert len(edge.asked) == 2


@in_memory()
async def test_a_missing_slice_without_a_strong_validator_means_a_new_fetch(
    edge: MemoryEdge,
) -> None:
    edge.origin(serving(FILM, FRESH))
    await edge.get("/film")
    edge.close_files()
    edge.evict("/film", 2)
    film = await edge.get("/film")
    assert film.seen == (200, FILM, "miss")
    assert edge.asked == ["GET /film", "GET /film"]


@in_memory()
async def test_a_lost_slice_without_a_strong_validator_breaks_off_in_mid_body(
    edge: MemoryEdge,
) -> None:
    edge.origin(serving(FILM, FRESH))
    await edge.get("/film")
    edge.close_files()
    film = edge.begin("/film", reads=100)
    await film.until_head()
    edge.evict("/film", 2)
    film.read()
    assert (await film.done()).outcome == "representation_lost"
    assert not edge.stored("/film")


@in_memory()
async def test_a_changed_object_is_noticed_before_the_head(edge: MemoryEdge) -> None:
    edge.origin(serving(FILM, FRESH, TAG))
    await edge.get("/film", range="0-0")
    edge.origin(serving(OTHER, FRESH, 'ETag: "b"'))
    film = await edge.get("/film")
    assert (film.status, film.body) == (200, OTHER)
    assert film.fields["etag"] == '"b"'


@in_memory()
async def test_a_changed_object_in_mid_body_breaks_off(edge: MemoryEdge) -> None:
    edge.origin(serving(FILM, FRESH, TAG))
    await edge.get("/film")
    edge.close_files()
    film = edge.begin("/film", reads=100)
    await film.until_head()
    edge.evict("/film", 2)
    edge.origin(replying(reply(200, FRESH, 'ETag: "b"', body=OTHER)))
    film.read()
    assert (await film.done()).outcome == "representation_lost"
    assert (await edge.get("/film")).body == OTHER


@in_memory()
async def test_a_changed_object_of_another_length_is_forgotten(edge: MemoryEdge) -> None:
    edge.origin(serving(FILM, FRESH, TAG))
    await edge.get("/film", range="0-0")
    edge.origin(replying(part(OTHER + b"x", SLICE, 2 * SLICE, FRESH, 'ETag: "b"')), serving(OTHER))
    film = await edge.get("/film", range=f"{SLICE}-{SLICE}")
    assert (film.status, film.body) == (206, OTHER[SLICE : SLICE + 1])


@pytest.mark.parametrize("status", [404, 410, 416, 302])
def test_an_origin_without_the_object_removes_what_is_stored(status: int) -> None:
    @in_memory()
    async def dialogue(edge: MemoryEdge) -> None:
        edge.origin(serving(FILM, FRESH, TAG))
        await edge.get("/film", range="0-0")
        edge.origin(replying(reply(status, body=b"no")))
        film = await edge.get("/film", range=f"{SLICE}-{SLICE}")
        assert film.status == status
        assert all(stored.status == status for stored in edge.stored("/film"))

    dialogue()


@in_memory()
async def test_an_error_for_a_missing_slice_leaves_what_is_stored(edge: MemoryEdge) -> None:
    edge.origin(serving(FILM, FRESH, TAG))
    await edge.get("/film", range="0-0")
    edge.origin(replying(reply(503)))
    film = await edge.get("/film", range=f"{SLICE}-{SLICE}")
    assert (film.status, film.word) == (502, "error")
    assert edge.numbers("/film") == [0]


@in_memory()
async def test_a_part_that_was_not_asked_for_fails_only_that_request(edge: MemoryEdge) -> None:
    edge.origin(serving(FILM, FRESH, TAG))
    await edge.get("/film", range="0-0")
    edge.origin(replying(part(FILM, 5, 10, FRESH, TAG)))
    film = await edge.get("/film", range=f"{SLICE}-{SLICE}")
    assert (film.status, film.word) == (502, "error")
    assert edge.numbers("/film") == [0]


@in_memory()
async def test_a_part_that_became_private_removes_what_is_stored(edge: MemoryEdge) -> None:
    edge.origin(serving(FILM, FRESH, TAG))
    await edge.get("/film", range="0-0")
    edge.origin(serving(FILM, "Cache-Control: private", TAG))
    film = await edge.get("/film", range=f"{SLICE}-{SLICE}")
    assert film.seen == (206, FILM[SLICE : SLICE + 1], "miss")
    assert not edge.stored("/film")


@in_memory()
async def test_credentials_complete_only_what_says_that_they_do_not_matter(
    edge: MemoryEdge,
) -> None:
    public = "Cache-Control: public, max-age=600"
    edge.origin(serving(FILM, public, TAG))
    await edge.get("/film", range="0-0")
    film = await edge.get("/film", "Authorization: x", range=f"{SLICE}-{SLICE}")
    assert film.body == FILM[SLICE : SLICE + 1]
    assert edge.network.requests[-1].fields["authorization"] == "x"
    edge.origin(serving(FILM, FRESH, TAG))
    film = await edge.get("/film", "Authorization: x", range=f"{2 * SLICE}-{2 * SLICE}")
    assert film.status == 502
    edge.origin(serving(FILM, "Cache-Control: private", TAG))
    film = await edge.get("/film", "Authorization: x", range=f"{2 * SLICE}-{2 * SLICE}")
    assert film.status == 502
    assert edge.numbers("/film") == [0, 1]


@in_memory()
async def test_what_is_for_everybody_is_completed_without_credentials(edge: MemoryEdge) -> None:
    edge.origin(serving(FILM, FRESH, TAG))
    await edge.get("/film", range="0-0")
    film = await edge.get("/film", "Authorization: x", range=f"{SLICE}-{SLICE}")
    assert film.body == FILM[SLICE : SLICE + 1]
    assert "authorization" not in edge.network.requests[-1].fields


@in_memory()
async def test_a_broken_body_is_continued_for_those_who_wait(edge: MemoryEdge) -> None:
    cut = asyncio.Event()
    head = reply(200, FRESH, TAG, body=FILM[: SLICE + 10], length=len(FILM))
    edge.origin(playbook(any_request, head, taken, until(cut), reset), serving(FILM, FRESH, TAG))
    film = edge.begin("/film")
    await film.until_body(SLICE)
    cut.set()
    assert (await film.done()).body in (FILM, FILM[: SLICE + 10])


@in_memory()
async def test_a_stale_object_is_validated_once_for_any_range(edge: MemoryEdge) -> None:
    edge.origin(serving(FILM, BRIEF, TAG))
    await edge.get("/film")
    await asyncio.sleep(11)
    edge.origin(replying(reply(304, BRIEF, TAG)))
    film = await edge.get("/film", range="5-9")
    assert film.seen == (206, FILM[5:10], "revalidated")
    assert edge.network.requests[-1].fields["if-none-match"] == '"a"'


@in_memory()
async def test_a_stale_object_that_changed_brings_its_first_slice(edge: MemoryEdge) -> None:
    edge.origin(serving(FILM, BRIEF, TAG))
    await edge.get("/film")
    await asyncio.sleep(11)
    edge.origin(serving(OTHER, FRESH, 'ETag: "b"'))
    film = await edge.get("/film", range=f"{SLICE}-{SLICE}")
    assert (film.status, film.body) == (206, OTHER[SLICE : SLICE + 1])
    assert edge.asked[1:] == [f"GET /film 0-{SLICE - 1}", f"GET /film {SLICE}-{2 * SLICE - 1}"]
