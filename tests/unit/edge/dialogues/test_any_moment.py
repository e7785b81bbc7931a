"""Conversations that are disturbed at each moment: the client leaves, or the store fails.

Whatever happens, no client gets wrong bytes as a whole answer, and nothing is left.
"""

from __future__ import annotations

import asyncio
import errno
from collections.abc import Awaitable, Callable

import pytest

from headrace.store import StoreError
from tests.harness.breakable_store import SLICE
from tests.harness.dialogues import in_memory, reply
from tests.harness.memory_edge import MemoryEdge
from tests.harness.memory_exchange import MemoryExchange
from tests.harness.memory_network import OriginConnection
from tests.unit.edge.dialogues.bodies import BRIEF, FILM, TAG

Prepare = Callable[[MemoryEdge, str], Awaitable[None]]
Ask = Callable[[MemoryEdge, str], MemoryExchange]
SERVICE = {"cache": {"store_post_answers": True, "stale_while_revalidate": "0s"}}
BETWEEN = slice(SLICE - 5, SLICE + 5)


async def film(connection: OriginConnection) -> None:
    """Serve the film under every path: whole, in ranges, validated, and as an answer to POST."""
    while True:
        heard = await connection.request()
        await connection.body(heard)
        location = f"Content-Location: {heard.target}"
        if heard.fields.get("if-none-match") == '"a"':
            connection.send(reply(304, BRIEF, TAG))
            continue
        wanted = heard.fields.get("range", "").removeprefix("bytes=")
        start, _, last = wanted.partition("-")
        first, end = int(start or 0), min(int(last or len(FILM)) + 1, len(FILM))
        status, body = (206, FILM[first:end]) if wanted else (200, FILM)
        span = f"Content-Range: bytes {first}-{end - 1}/{len(FILM)}"
        if heard.method == "POST":
            body = FILM[:1000]
        head = reply(status, BRIEF, TAG, location, *([span] if wanted else []), length=len(body))
        connection.send(head)
        for at in range(0, len(body), 30_000):
            if heard.method != "HEAD":
                connection.send(body[at : at + 30_000])


async def nothing(_edge: MemoryEdge, _path: str) -> None:
    """Nothing is stored."""


async def stored(edge: MemoryEdge, path: str) -> None:
    """All is stored, and nothing open."""
    await edge.get(path)
    edge.close_files()


async def gapped(edge: MemoryEdge, path: str) -> None:
    """Two slices are missing."""
    await edge.get(path)
    edge.close_files()
    edge.evict(path, 1, 3)


async def stale(edge: MemoryEdge, path: str) -> None:
    """All is stored, and stale."""
    await edge.get(path)
    edge.close_files()
    await asyncio.sleep(11)


CONVERSATIONS: dict[str, tuple[Prepare, Ask, bytes]] = {
    "miss": (nothing, lambda edge, path: edge.begin(path), FILM),
    "hit": (stored, lambda edge, path: edge.begin(path), FILM),
    "completed": (gapped, lambda edge, path: edge.begin(path), FILM),
    "range": (
        gapped,
        lambda edge, path: edge.begin(path, range=f"{BETWEEN.start}-{BETWEEN.stop - 1}"),
        FILM[BETWEEN],
    ),
    "validated": (stale, lambda edge, path: edge.begin(path), FILM),
    "head": (stale, lambda edge, path: edge.begin(path, method="HEAD"), b""),
    "passed": (
        nothing, lambda edge, path: edge.begin(path, "Cache-Control: no-store"), FILM
    ),
    "posted": (
        stored, lambda edge, path: edge.begin(path, method="POST", body=b"data"), FILM[:1000]
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CONVERSATIONS)
@pytest.mark.parametrize("reads", [10, 1 << 40], ids=["slow", "fast"])
def test_a_client_leaves_at_each_turn(name: str, reads: int) -> None:
    prepare, ask, whole = CONVERSATIONS[name]

    @in_memory(service=SERVICE, limits={"unwatched_fills_per_address": 1})
    async def dialogue(edge: MemoryEdge) -> None:
        edge.origin(film)
        for turns in range(25):
            path = f"/{turns}"
            await prepare(edge, path)
            exchange, follower = ask(edge, path), ask(edge, path)
            exchange._reads = float(reads)
            for _ in range(turns):
                await asyncio.sleep(0)
            was_over = bool(exchange.outcome)
            exchange.leave()
            await follower.done()
            assert (follower.outcome, follower.body) == ("complete", whole)
            await edge.settle()
            if was_over:
                break

    dialogue()


FAULTS: dict[str, tuple[Exception, bool]] = {
    "index-once": (StoreError("damaged"), False),
    "index-from-then-on": (StoreError("damaged"), True),
    "io-once": (OSError(errno.EIO, "broken"), False),
    "full-from-then-on": (OSError(errno.ENOSPC, "full"), True),
}


@pytest.mark.parametrize("name", CONVERSATIONS)
@pytest.mark.parametrize("fault", FAULTS)
def test_the_store_fails_at_each_operation(name: str, fault: str) -> None:
    prepare, ask, whole = CONVERSATIONS[name]
    error, lasting = FAULTS[fault]

    @in_memory(service=SERVICE)
    async def dialogue(edge: MemoryEdge) -> None:
        edge.origin(film)
        for operation in range(30):
            path = f"/{operation}"
            await prepare(edge, path)
            left = operation

            def before(what: str) -> None:
                nonlocal left
                left -= 1
                of_a_file = what in ("write", "publish", "open_slice", "begin_part")
                fits = not of_a_file or isinstance(error, OSError)
                if fits and (left == -1 or (lasting and left < 0)):
                    raise type(error)(*error.args)

            edge.store.before = before
            exchange = await ask(edge, path).done()
            edge.store.before = lambda _what: None
            if exchange.outcome == "complete" and exchange.status in (200, 206):
                assert exchange.body == whole
            else:
                assert exchange.outcome != "complete" or exchange.status in (502, 503)
                assert exchange.outcome == "complete" or whole.startswith(exchange.body)
            if isinstance(error, StoreError):
                assert exchange.status in (200, 206)
            await edge.settle()
            await asyncio.sleep(6)  # after a full disk
            again = await ask(edge, path).done()
            assert (again.outcome, again.body) == ("complete", whole)
            if left >= 0:
                break  # it asks no more of the store than that

    dialogue()
