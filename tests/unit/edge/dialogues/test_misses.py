"""Dialogues about what is not stored yet, and is then."""

from __future__ import annotations

import asyncio

from tests.harness.dialogues import in_memory
from tests.harness.memory_edge import MemoryEdge
from tests.harness.memory_network import any_request, playbook, serving


@in_memory()
async def test_a_miss_is_stored_and_the_next_request_hits(edge: MemoryEdge) -> None:
    edge.origin(serving(b"film", "Cache-Control: max-age=10"))
    film = await edge.get("/film")
    assert film.seen == (200, b"film", "miss")
    assert film.cache_status == "fwd=uri-miss; ttl=10; stored"
    film = await edge.get("/film")
    assert film.seen == (200, b"film", "hit")
    assert film.fields["age"] == "0"
    assert edge.asked == ["GET /film"]


@in_memory(service={"cache": {"stale_if_error": "1h"}})
async def test_a_stale_response_hides_a_failing_origin(edge: MemoryEdge) -> None:
    edge.origin(serving(b"film", "Cache-Control: max-age=10", 'ETag: "a"'))
    film = await edge.get("/film")
    assert film.seen == (200, b"film", "miss")
    await asyncio.sleep(11)
    edge.origin(playbook(any_request, b"HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n"))
    film = await edge.get("/film")
    assert film.seen == (200, b"film", "stale_hit")
