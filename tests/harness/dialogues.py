"""Tests as dialogues with a whole edge in memory: client says, origin says, client gets.

Everything from the handler to the store's index and the origin client's parser is the real thing;
clients are `memory_exchange`, origins `memory_network`, the loop's clock jumps, and the edge's
clock is the loop's. The store's files are in a temporary directory, in memory where possible.
There is no socket.

    @in_memory(service={"cache": {"stale_if_error": "1h"}})
    async def test_a_stale_response_hides_a_failing_origin(edge: MemoryEdge) -> None:
        edge.origin(serving(b"film", "Cache-Control: max-age=10", 'ETag: "a"'))
        film = await edge.get("/film")
        assert film.seen == (200, b"film", "miss")
        await asyncio.sleep(11)
        edge.origin(playbook(any_request, b"HTTP/1.1 503 No\\r\\nContent-Length: 0\\r\\n\\r\\n"))
        film = await edge.get("/film")
        assert film.seen == (200, b"film", "stale_hit")

`get` asks and waits for the end. `begin` asks and returns at once, for whatever is to happen in
between: the exchange can `read` slowly and `leave`. `client()` is a connection for several
requests, for TLS, or from another address. Between any two steps a test may `purge`, `evict`,
`cut` or `damage` what is stored, and let the store fail (`break_store`, until `mend_store`).

`edge.worker()` is another worker of the same edge: same store, same origins. `kill` ends a worker
as a signal would: whoever follows what it writes sees a dead writer.

When the dialogue has ended, clients that are still there leave, and nothing may be left: no place,
no unwatched fill, no table entry, no copy of a posted answer, no file of the store that is open,
no connection to an origin, no fault that was logged. `edge.walked` are the transitions between
`steps` that were taken.

For tests that explore interleavings: `in_memory(step=...)` is awaited wherever something waits on a
client or an origin ("flushed", "read body", "connect o", "send o", "receive o"), and
`edge.store.before(what)` is called before each operation of the store, which is named as in
`OPERATIONS`.
"""

from __future__ import annotations

import asyncio
import gc
import inspect
from collections.abc import Awaitable, Callable
from typing import Any

from tests.harness.breakable_store import SLICE, BreakableStore, open_files, temporary_store
from tests.harness.memory_edge import MemoryEdge, StepHook
from tests.harness.memory_network import MemoryNetwork, OriginConnection, Script
from tests.harness.virtual_time import run_virtually
from tests.harness.walked_steps import Transition, watched_lookups

Dialogue = Callable[..., Awaitable[None]]


# What origins say.


def reply(status: int, *fields: str, body: bytes = b"", length: int | None = None) -> bytes:
    """Return a response's bytes; `length` is what it announces, if not what comes."""
    stated = len(body) if length is None else length
    lines = [f"HTTP/1.1 {status} Scripted", f"Content-Length: {stated}", *fields, "", ""]
    return "\r\n".join(lines).encode("latin-1") + body


def chunked(status: int, *fields: str, pieces: tuple[bytes, ...], trailers: str = "") -> bytes:
    """Return a response in chunks; `trailers` are whole lines with their ends."""
    lines = [f"HTTP/1.1 {status} Scripted", "Transfer-Encoding: chunked", *fields, "", ""]
    chunks = b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces)
    return "\r\n".join(lines).encode() + chunks + b"0\r\n" + trailers.encode() + b"\r\n"


def replying(*answers: bytes) -> Script:
    """Return an origin that reads a request, body and all, for each answer; then it closes."""

    async def script(connection: OriginConnection) -> None:
        for answer in answers:
            heard = await connection.request()
            await connection.body(heard)
            connection.send(answer)
            await connection.taken()

    return script


def in_memory(
    *,
    service: dict[str, Any] | None = None,
    services: list[dict[str, Any]] | None = None,
    step: StepHook | None = None,
    walked: set[Transition] | None = None,
    room_bytes: int = 1 << 60,
    **document: Any,
) -> Callable[[Dialogue], Callable[..., None]]:
    """Make a test of a dialogue, which gets an edge in memory as its first argument.

    `service` is added to a service "s" for every host, whose origin is "o"; `services` stand in
    its stead. Other keywords are tables of the configuration: `limits={"ranges": 3}`.
    """

    def decorate(dialogue: Dialogue) -> Callable[..., None]:
        def test(*arguments: Any, **fixtures: Any) -> None:
            one = {"name": "s", "hosts": ["*"], "origins": ["http://o"], **(service or {})}
            if "pool" in one:
                del one["origins"]
            whole = {
                "cache_dir": "/c",
                "listen": [{"address": "127.0.0.1:1"}],
                "node_id": "edge",
                **document,
                "store": {"slice": SLICE, **document.get("store", {})},
                "service": services or [one],
            }
            run_dialogue(
                lambda edge: dialogue(edge, *arguments, **fixtures), whole,
                step=step, walked=walked, room_bytes=room_bytes,
            )  # fmt: skip

        signature = inspect.signature(dialogue)
        rest = list(signature.parameters.values())[1:]
        test.__name__ = getattr(dialogue, "__name__", "dialogue")
        test.__doc__ = dialogue.__doc__
        test.__module__ = dialogue.__module__
        for name, value in vars(dialogue).items():
            setattr(test, name, value)  # pytest's marks
        test.__signature__ = signature.replace(parameters=rest)  # type: ignore[attr-defined]
        return test

    return decorate


def run_dialogue(
    dialogue: Callable[[MemoryEdge], Awaitable[None]],
    document: dict[str, Any],
    *,
    step: StepHook | None = None,
    walked: set[Transition] | None = None,
    room_bytes: int = 1 << 60,
) -> None:
    """Run a dialogue with an edge of this configuration, and check that nothing is left."""
    walked = set() if walked is None else walked

    async def run(store: BreakableStore) -> None:
        faults: list[dict[str, Any]] = []
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _loop, context: faults.append(context))
        async with MemoryNetwork(step=step, room_bytes=room_bytes) as network:
            edge = MemoryEdge(network, store, document, walked, step)
            try:
                await dialogue(edge)
            except BaseException:
                edge.break_off()
                raise
            await edge.finish()
        assert not faults, faults

    with temporary_store() as store, watched_lookups(walked):
        run_virtually(run(store))
        left = open_files(store.path)
        if left:
            gc.collect()
            left = open_files(store.path)
        assert not left, f"open in the end: {left}"
