"""Dialogues about one URL in several variants (RFC 9110 section 12.5.5)."""

from __future__ import annotations

import asyncio

from tests.harness.dialogues import in_memory, reply
from tests.harness.memory_edge import MemoryEdge
from tests.harness.memory_network import OriginConnection, any_request, playbook, taken, until
from tests.unit.edge.dialogues.bodies import BRIEF, FRESH

KEYED = {"key": {"request_fields": ["x-kind"]}}


async def by_kind(connection: OriginConnection) -> None:
    """Answer with the request's X-Kind, by which the answers vary."""
    while True:
        heard = await connection.request()
        kind = heard.fields.get("x-kind", "none")
        connection.send(reply(200, FRESH, "Vary: X-Kind", body=kind.encode()))


@in_memory(service=KEYED)
async def test_each_variant_is_stored_apart(edge: MemoryEdge) -> None:
    edge.origin(by_kind)
    for kind in ("a", "b"):
        film = await edge.get("/film", f"X-Kind: {kind}")
        assert film.seen == (200, kind.encode(), "miss")
    for kind in ("a", "b", "a"):
        for _ in range(2):
            film = await edge.get("/film", f"X-Kind: {kind}")
            assert film.seen == (200, kind.encode(), "hit")
    assert film.hot
    assert (await edge.get("/film")).seen == (200, b"none", "miss")


@in_memory(store={"checksum": "off"}, service=KEYED)
async def test_a_variant_is_promoted(edge: MemoryEdge) -> None:
    edge.origin(by_kind)
    await edge.get("/film", "X-Kind: a")
    edge.close_files()
    film = edge.begin("/film", "X-Kind: a")
    assert (film.hot, film.seen) == (True, (200, b"a", "hit"))
    assert (await edge.get("/film", "X-Kind: c")).word == "miss"


@in_memory(service={"cache": {"accept_encodings": ["gzip"]}})
async def test_who_waited_for_another_variant_looks_again(edge: MemoryEdge) -> None:
    first_head = asyncio.Event()
    varied = "Vary: Accept-Encoding"
    edge.origin(
        playbook(
            any_request, until(first_head),
            reply(200, FRESH, varied, "Content-Encoding: gzip", body=b"zipped"), taken,
        ),
        playbook(any_request, reply(200, FRESH, varied, body=b"plain"), taken),
    )  # fmt: skip
    first = edge.begin("/film", "Accept-Encoding: gzip")
    second = edge.begin("/film")
    await asyncio.sleep(1)
    first_head.set()
    await asyncio.gather(first.done(), second.done())
    assert first.seen == (200, b"zipped", "miss")
    assert second.seen == (200, b"plain", "miss")
    assert (await edge.get("/film")).seen == (200, b"plain", "hit")
    assert (await edge.get("/film", "Accept-Encoding: gzip")).body == b"zipped"


@in_memory()
async def test_vary_on_everything_is_not_stored(edge: MemoryEdge) -> None:
    edge.origin(playbook(any_request, reply(200, FRESH, "Vary: *", body=b"film"), taken))
    assert (await edge.get("/film")).seen == (200, b"film", "miss")
    assert not edge.stored("/film")


@in_memory(service=KEYED)
async def test_a_new_variant_of_what_varies_is_a_vary_miss(edge: MemoryEdge) -> None:
    edge.origin(by_kind)
    await edge.get("/film", "X-Kind: a")
    film = await edge.get("/film", "X-Kind: b")
    assert "fwd=vary-miss" in film.cache_status


@in_memory(service=KEYED)
async def test_a_stale_variant_is_renewed_alone(edge: MemoryEdge) -> None:
    async def brief(connection: OriginConnection) -> None:
        while True:
            heard = await connection.request()
            kind = heard.fields.get("x-kind", "none")
            connection.send(reply(200, BRIEF, "Vary: X-Kind", body=kind.encode()))

    edge.origin(brief)
    await edge.get("/film", "X-Kind: a")
    await asyncio.sleep(11)
    await edge.get("/film", "X-Kind: b")
    assert (await edge.get("/film", "X-Kind: a")).seen == (200, b"a", "miss")
    assert (await edge.get("/film", "X-Kind: b")).seen == (200, b"b", "hit")


@in_memory()
async def test_an_origin_that_varies_by_something_else_each_time_is_asked_only_so_often(
    edge: MemoryEdge,
) -> None:
    names = iter("abcdefgh")

    async def fickle(connection: OriginConnection) -> None:
        while True:
            await connection.request()
            connection.send(reply(200, FRESH, f"Vary: X-{next(names)}", body=b"film"))

    edge.origin(fickle)
    film = await edge.get("/film", *(f"X-{name}: 1" for name in "abcdefgh"))
    assert (film.status, film.body) == (200, b"film")
    assert len(edge.asked) <= 5
