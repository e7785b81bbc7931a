"""Dialogues about small misses: answered without a task, and in every other way as all are.

Whatever an origin says over a kept connection, the client, the store and the origin must see the
same as on the longer way.
"""

from __future__ import annotations

import asyncio
import functools
import re
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from headrace.edge.fill import together
from headrace.edge.request import handler
from headrace.edge.request.response import Response
from headrace.store import StoreSettings
from tests.harness import breakable_store
from tests.harness.dialogues import chunked, in_memory, reply
from tests.harness.memory_edge import MemoryEdge
from tests.harness.memory_network import (
    OriginConnection,
    Script,
    Step,
    any_request,
    close,
    playbook,
    reset,
    serving,
    stall,
    taken,
    until,
    wait,
)  # fmt: skip
from tests.unit.edge.dialogues.bodies import FILM, FRESH, TAG

INLINE_BYTES = 4096


@pytest.fixture(autouse=True)
def _inline(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep small bodies in the index, as a usual edge does."""
    settings = functools.partial(StoreSettings, inline_bytes=INLINE_BYTES)
    monkeypatch.setattr(breakable_store, "StoreSettings", settings)


WARM = reply(200, FRESH, body=b"warm")
SMALL = reply(200, FRESH, TAG, body=b"small")
FILM_REPLY = reply(200, FRESH, TAG, body=FILM[:20_000])


def kept(*steps: Step) -> Script:
    """Return an origin that does this at the second request on its connection."""
    return playbook(any_request, WARM, any_request, *steps)


async def warm(edge: MemoryEdge, *scripts: Script) -> None:
    """Have the edge keep a connection to an origin that follows these scripts."""
    edge.origin(*scripts)
    assert (await edge.get("/warm")).body == b"warm"


def is_straight(edge: MemoryEdge) -> bool:
    """Return whether a miss is under way, and no task for it."""
    return edge.context.fills.entries == 1 and not edge.context.tasks._running


@in_memory()
async def test_a_small_miss_takes_no_task(edge: MemoryEdge) -> None:
    go = asyncio.Event()
    await warm(edge, kept(until(go), SMALL, taken))
    film = edge.begin("/film")
    await asyncio.sleep(1)
    assert is_straight(edge)
    assert edge.metrics.fills_active == 1
    go.set()
    assert (await film.done()).seen == (200, b"small", "miss")
    assert film.cache_status == "fwd=uri-miss; ttl=599; stored"  # it was under way for a second
    assert (edge.metrics.fills_active, edge.metrics.fills_started) == (0, 2)
    assert edge.metrics.fills_completed == 2
    assert edge.metrics.bytes_from_origin == len(b"warmsmall")
    assert (await edge.get("/film")).seen == (200, b"small", "hit")
    assert edge.asked == ["GET /warm", "GET /film"]
    assert edge.network.connects == ["o"]


@in_memory()
async def test_all_who_come_meanwhile_share_what_went_straight(edge: MemoryEdge) -> None:
    go = asyncio.Event()
    await warm(edge, kept(until(go), SMALL, taken))
    first = edge.begin("/film")
    await asyncio.sleep(1)
    assert is_straight(edge)
    others = [edge.begin("/film") for _ in range(50)]
    await asyncio.sleep(1)
    go.set()
    assert (await first.done()).seen == (200, b"small", "miss")
    for other in others:
        assert (await other.done()).seen == (200, b"small", "collapsed")
    assert edge.asked == ["GET /warm", "GET /film"]


@pytest.mark.parametrize("came", [b"", reply(200, FRESH, body=b"of old", length=len(FILM))])
@in_memory()
async def test_nobody_follows_a_dead_worker_while_another_goes_straight(
    edge: MemoryEdge, came: bytes
) -> None:
    dead, other, go = edge.worker(), edge.worker(), asyncio.Event()
    edge.origin(playbook(any_request, came, stall))
    dead.begin("/film")
    await asyncio.sleep(1)
    dead.kill()
    assert list(edge.store.parts.iterdir())  # what it left
    await warm(edge, kept(until(go), SMALL, taken))
    first = edge.begin("/film")
    await asyncio.sleep(1)
    assert is_straight(edge)
    follower = other.begin("/film")
    await asyncio.sleep(1)
    assert (follower.status, len(other.context.fills._remotes)) == (0, 1)
    before = list(other.context.fills._remotes.values())
    await asyncio.sleep(1)
    assert list(other.context.fills._remotes.values()) == before  # it waits, and asks no more
    go.set()
    assert (await first.done()).seen == (200, b"small", "miss")
    assert (await follower.done()).body == b"small"
    assert edge.asked == ["GET /film", "GET /warm", "GET /film"]


@in_memory()
async def test_another_worker_waits_for_what_went_straight(edge: MemoryEdge) -> None:
    go = asyncio.Event()
    await warm(edge, kept(until(go), SMALL, taken))
    first = edge.begin("/film")
    await asyncio.sleep(1)
    other = edge.worker()
    others = [other.begin("/film") for _ in range(5)]
    await asyncio.sleep(0.1)
    assert is_straight(edge)
    assert len(other.context.fills._remotes) == 1  # one looks for all
    go.set()
    assert (await first.done()).seen == (200, b"small", "miss")
    began = edge.loop.time()
    for each in others:
        assert (await each.done()).seen == (200, b"small", "hit")
    assert edge.loop.time() - began < 0.03
    assert edge.asked == ["GET /warm", "GET /film"]


@in_memory()
async def test_another_worker_follows_what_a_fill_continues(edge: MemoryEdge) -> None:
    go = asyncio.Event()
    head, rest = FILM_REPLY[:-1000], FILM_REPLY[-1000:]
    await warm(edge, kept(head, until(go), rest, taken))
    first = edge.begin("/film")
    second = edge.worker().begin("/film")
    await asyncio.sleep(1)
    assert not is_straight(edge)
    go.set()
    assert (await first.done()).seen == (200, FILM[:20_000], "miss")
    assert (await second.done()).seen == (200, FILM[:20_000], "collapsed")
    assert edge.asked == ["GET /warm", "GET /film"]


@in_memory()
async def test_another_worker_takes_over_from_one_that_died(edge: MemoryEdge) -> None:
    other = edge.worker()
    other.origin(kept(stall), serving(b"again", FRESH))
    assert (await other.get("/warm")).body == b"warm"
    other.begin("/film")
    await asyncio.sleep(0.1)
    assert is_straight(other)
    film = edge.begin("/film")
    await asyncio.sleep(0.1)
    other.kill()
    assert (await film.done()).seen == (200, b"again", "miss")


@in_memory()
async def test_what_a_client_leaves_behind_is_stored(edge: MemoryEdge) -> None:
    go = asyncio.Event()
    await warm(edge, kept(until(go), SMALL, taken))
    film = edge.begin("/film")
    await asyncio.sleep(1)
    film.leave()
    assert edge.context.unwatched.total == 1
    go.set()
    await edge.settle_fills()
    assert (await edge.get("/film")).seen == (200, b"small", "hit")
    assert edge.asked == ["GET /warm", "GET /film"]


@in_memory(limits={"unwatched_fills_per_address": 0})
async def test_what_a_client_may_not_leave_behind_is_broken_off(edge: MemoryEdge) -> None:
    await warm(edge, kept(stall), serving(b"again", FRESH))
    film = edge.begin("/film")
    await asyncio.sleep(1)
    film.leave()
    await edge.settle_fills()
    assert edge.network.open_streams == []
    assert edge.context.upstreams.open_places == 0
    assert (await edge.get("/film")).seen == (200, b"again", "miss")


@in_memory()
async def test_a_purge_meanwhile_keeps_it_out_of_the_store(edge: MemoryEdge) -> None:
    go = asyncio.Event()
    await warm(edge, kept(until(go), SMALL, taken, any_request, reply(200, FRESH, body=b"new")))
    film = edge.begin("/film")
    await asyncio.sleep(1)
    edge.purge()
    go.set()
    assert (await film.done()).seen == (200, b"small", "miss")
    assert edge.stored("/film") == ()
    assert (await edge.get("/film")).seen == (200, b"new", "miss")


@in_memory()
async def test_stopping_breaks_it_off(edge: MemoryEdge) -> None:
    await warm(edge, kept(stall))
    edge.begin("/film")
    await asyncio.sleep(1)
    assert is_straight(edge)
    edge.context.stop()
    await asyncio.sleep(0)
    assert edge.context.fills.entries == 0
    assert edge.network.open_streams == []
    assert edge.context.places.total == 0


@in_memory()
async def test_who_waits_until_nothing_runs_waits_for_it(edge: MemoryEdge) -> None:
    await warm(edge, kept(wait(5), SMALL, taken))
    film = edge.begin("/film")
    await asyncio.sleep(1)
    await edge.settle()
    assert film.seen == (200, b"small", "miss")
    assert edge.asked == ["GET /warm", "GET /film"]


@in_memory(limits={"origin_requests_per_address": 5})
async def test_a_network_gets_no_more_places_than_it_may(edge: MemoryEdge) -> None:
    gone = asyncio.Event()
    edge.origin(playbook(any_request, until(gone), WARM, any_request, stall))
    first = [edge.begin(f"/warm{n}") for n in range(5)]
    await asyncio.sleep(1)
    gone.set()
    for each in first:
        await each.done()
    waiting = [edge.begin(f"/film{n}") for n in range(5)]
    await asyncio.sleep(1)
    assert not edge.context.tasks._running
    assert edge.context.places.total == 5
    sixth = await edge.get("/film6")
    assert (sixth.status, sixth.word) == (503, "error")
    for each in waiting:
        each.leave()


@in_memory()
async def test_a_kept_connection_that_the_origin_closed_is_replaced(edge: MemoryEdge) -> None:
    await warm(edge, kept(close), serving(b"again", FRESH))
    assert (await edge.get("/film")).seen == (200, b"again", "miss")
    assert edge.asked == ["GET /warm", "GET /film", "GET /film"]
    assert edge.metrics.origin_failures == {}


@in_memory(timeouts={"origin_first_byte": "3s"})
async def test_a_silent_origin_has_no_more_time_than_it_may(edge: MemoryEdge) -> None:
    await warm(edge, kept(stall))
    began = edge.loop.time()
    film = await edge.get("/film")
    assert film.status == 504
    assert edge.loop.time() - began == pytest.approx(3, abs=0.01)


@pytest.mark.parametrize("came", [b"", SMALL[:20], SMALL[:-1]])
def test_nothing_puts_off_the_end_of_waiting(came: bytes) -> None:
    @in_memory(timeouts={"origin_first_byte": "3s", "origin_between_bytes": "3s"})
    async def dialogue(edge: MemoryEdge) -> None:
        async def stir(connection: OriginConnection) -> None:
            for _ in range(400):
                connection.stir()
                await asyncio.sleep(0.05)

        steps: tuple[Step, ...] = (came, taken) if came else ()
        await warm(edge, kept(*steps, stir))
        began = edge.loop.time()
        await edge.get("/film")
        assert edge.loop.time() - began < 4

    dialogue()


@pytest.mark.parametrize("said", [SMALL, reply(200, FRESH, body=FILM[:20_000])])
def test_a_connection_stays_with_its_origin_over_a_reload(said: bytes) -> None:
    @in_memory()
    async def dialogue(edge: MemoryEdge) -> None:
        go = asyncio.Event()
        await warm(edge, kept(until(go), said, taken, any_request, SMALL, taken))
        edge.network.origin("p", serving(b"of p", FRESH))
        film = edge.begin("/film")
        await asyncio.sleep(1)
        assert is_straight(edge)
        edge.reload(service=[{"name": "s", "hosts": ["*"], "origins": ["http://p", "http://o"]}])
        go.set()
        assert (await film.done()).status == 200
        await edge.settle_fills()
        assert (await edge.get("/other")).body == b"of p"
        assert [heard.host for heard in edge.network.requests] == ["o", "o", "p"]

    dialogue()


@in_memory()
async def test_the_log_says_whom_a_client_left_waiting(edge: MemoryEdge) -> None:
    await warm(edge, kept(wait(5), SMALL, taken))
    film = edge.begin("/film")
    await asyncio.sleep(1)
    answer = film.context
    assert isinstance(answer, Response)
    film.leave()
    assert [used.origin for used in answer.attempt_logs] == ["o"]
    await edge.settle_fills()


@pytest.mark.parametrize("error", [OSError(28, "full"), ValueError("odd")])
def test_a_store_that_fails_harms_nobody(error: Exception) -> None:
    @in_memory()
    async def dialogue(edge: MemoryEdge) -> None:
        await warm(edge, kept(SMALL, taken, any_request, SMALL, taken))
        await edge.settle_fills()
        edge.break_store("store_together", error, times=1)
        assert (await edge.get("/film")).seen == (200, b"small", "miss")
        assert edge.context.fills.entries == edge.context.places.total == 0
        await asyncio.sleep(10)  # a full disk is left alone for a while
        assert (await edge.get("/film")).seen == (200, b"small", "miss")
        assert edge.numbers("/film") == [0]

    dialogue()


@pytest.mark.parametrize("what", ["vary_of", "permit"])
def test_a_fault_of_ours_leaves_nobody_waiting(what: str) -> None:
    @in_memory()
    async def dialogue(edge: MemoryEdge) -> None:
        await warm(edge, kept(SMALL, taken))
        edge.break_store(what, ValueError("a fault"), times=1)
        assert (await edge.get("/film")).status == 500
        assert edge.context.fills.entries == edge.context.places.total == 0
        assert (await edge.get("/film")).seen == (200, b"small", "miss")

    dialogue()


@in_memory()
async def test_a_request_that_cannot_be_made_leaves_nothing(edge: MemoryEdge) -> None:
    await warm(edge, kept(SMALL, taken))
    fetcher = edge.context.upstreams.fetcher

    def fail(*_arguments: Any) -> Any:
        raise ValueError("a fault")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fetcher, "begin", fail)
        assert (await edge.get("/film")).status == 500
    assert edge.context.fills.entries == edge.context.places.total == 0
    assert (await edge.get("/film")).seen == (200, b"small", "miss")


@in_memory()
async def test_who_has_its_answer_finds_it_stored_everywhere(edge: MemoryEdge) -> None:
    await warm(edge, kept(SMALL, taken))
    other = edge.worker()
    found: list[int] = []
    film = edge.begin("/film")
    respond = film.respond

    def look_first(*arguments: Any) -> None:
        found.append(len(other.stored("/film")))
        respond(*arguments)

    vars(film)["respond"] = look_first
    assert (await film.done()).seen == (200, b"small", "miss")
    assert found == [1]


LONG = FILM[:20_000]
BYTEWISE = tuple(step for byte in SMALL for step in (bytes((byte,)), taken))
SAID: dict[str, tuple[Step, ...]] = {
    "small": (SMALL, taken),
    "empty": (reply(200, FRESH), taken),
    "in two": (SMALL[:-5], taken, SMALL[-5:], taken),
    "in a head's two": (SMALL[:20], taken, SMALL[20:], taken),
    "in two, slowly": (SMALL[:-5], taken, wait(3), SMALL[-5:], taken),
    "byte by byte": BYTEWISE,
    "large": (reply(200, FRESH, TAG, body=LONG), taken),
    "large in two": (reply(200, FRESH, body=LONG)[:9000], reply(200, FRESH, body=LONG)[9000:]),
    "chunked": (chunked(200, FRESH, pieces=(b"sm", b"all")), taken),
    "to the close": (b"HTTP/1.1 200 OK\r\nCache-Control: max-age=600\r\n\r\nsmall", taken, close),
    "not kept": (reply(200, FRESH, "Connection: close", body=b"small"), taken),
    "HTTP/1.0": (b"HTTP/1.0 200 OK\r\nContent-Length: 1\r\nCache-Control: max-age=6\r\n\r\nx",),
    "interim": (b"HTTP/1.1 100 Continue\r\n\r\n", taken, SMALL, taken),
    "interim at once": (b"HTTP/1.1 103 Early\r\nLink: </a>\r\n\r\n" + SMALL, taken),
    "switching": (b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\n\r\n", taken),
    "two answers": (SMALL + reply(200, FRESH, body=b"false"), taken),
    "a byte more": (SMALL + b"!", taken),
    "garbage": (b"\x00\xff\r\n\r\n", taken),
    "a head without end": (b"HTTP/1.1 200 OK\r\n" + b"x: y\r\n" * 4000, taken),
    "ends in the head": (SMALL[:20], taken, close),
    "ends in the body": (SMALL[:-1], taken, close),
    "breaks in the body": (SMALL[:-1], taken, reset),
    "breaks at once": (reset,),
    "silent": (stall,),
    "silent in the head": (SMALL[:20], stall),
    "silent in the body": (SMALL[:-1], stall),
    "two lengths": (b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab", taken),
    "not to be stored": (reply(200, "Cache-Control: no-store", body=b"own"), taken),
    "private": (reply(200, "Cache-Control: private, max-age=9", body=b"own"), taken),
    "stale": (reply(200, "Cache-Control: max-age=0", body=b"old"), taken),
    "varies": (reply(200, FRESH, "Vary: Accept-Language", body=b"en"), taken),
    "varies always": (reply(200, FRESH, "Vary: *", body=b"own"), taken),
    "a cookie": (reply(200, FRESH, "Set-Cookie: a=b", body=b"own"), taken),
    "tagged": (reply(200, FRESH, "Cache-Tag: a, b", "Age: 5", body=b"small"), taken),
    "gone": (reply(404, FRESH, body=b"gone"), taken),
    "moved": (reply(301, FRESH, "Location: /b"), taken),
    "nothing to say": (b"HTTP/1.1 204 No\r\nCache-Control: max-age=9\r\n\r\n", taken),
    "not modified": (b"HTTP/1.1 304 Same\r\n\r\n", taken),
    "a part": (b"HTTP/1.1 206 P\r\nContent-Range: bytes 0-0/5\r\nContent-Length: 1\r\n\r\ns",),
    "in trouble": (reply(503, FRESH, body=b"no"), taken),
    "too often": (reply(429, body=b"no"), taken),
}


Story = dict[str, object]
OWN = frozenset(("cache-status", "content-length"))  # what else is seen of them


def _roughly(cache_status: str) -> str:
    """Return it with no second in it that passed while an answer was read."""
    return re.sub(r"(?<=ttl=)\d+", lambda ttl: str(round(int(ttl[0]) / 10)), cache_status)


async def told(edge: MemoryEdge, fields: tuple[str, ...], *steps: Step) -> Story:
    """Return all that can be seen when an origin does this at a second request."""
    await warm(edge, kept(*steps), serving(b"again", FRESH))
    began = edge.loop.time()
    film = await edge.get("/film", *fields)
    took_s = edge.loop.time() - began
    metrics = edge.metrics
    story: Story = {
        "seen": (*film.seen, film.outcome, film.framing, _roughly(film.cache_status)),
        "fields": {name: value for name, value in film.fields.items() if name not in OWN},
        "interims": film.interims,
        "took": round(took_s, 0),
        "kept open": len(edge.network.open_streams),
        "stored": [
            (stored.variant, stored.status, stored.length, stored.headers, stored.tags)
            for stored in edge.stored("/film")
        ],
    }
    await edge.settle_fills()
    story["counted"] = (
        metrics.fills_started, metrics.fills_completed, metrics.fills_failed,
        metrics.fills_active, metrics.bytes_from_origin, dict(metrics.origin_requests),
        dict(metrics.origin_failures), dict(metrics.origin_errors), metrics.requests_miss,
    )  # fmt: skip
    story["places"] = (edge.context.places.total, edge.context.upstreams.open_places)
    again = await edge.get("/film", *fields)
    story["again"] = (again.seen, again.fields.get("age"))
    story["asked"] = edge.asked
    return story


def both_ways(
    monkeypatch: pytest.MonkeyPatch, tell: Callable[[MemoryEdge], Awaitable[Story]], **edge: Any
) -> tuple[Story, Story]:
    """Return what can be seen of the straight way, and of the longer one."""
    stories: list[Story] = []

    @in_memory(**edge)
    async def dialogue(edge: MemoryEdge) -> None:
        stories.append(await tell(edge))

    dialogue()
    monkeypatch.setattr(handler, "go_straight", lambda *_arguments: False)
    dialogue()
    monkeypatch.undo()
    straight, longer = stories
    return straight, longer


@pytest.mark.parametrize("said", SAID)
def test_both_ways_look_the_same(monkeypatch: pytest.MonkeyPatch, said: str) -> None:
    straight, longer = both_ways(monkeypatch, lambda edge: told(edge, (), *SAID[said]))
    assert straight == longer


@pytest.mark.parametrize(
    "field",
    [
        "Accept-Language: en", "Cache-Control: no-cache", "Cookie: a=b",
        "Authorization: Basic eA==", "Range: bytes=0-1", "If-None-Match: \"a\"",
        "Connection: close", "Via: 1.1 other",
    ],
)  # fmt: skip
@pytest.mark.parametrize("said", ["small", "varies", "in two", "private"])
def test_both_ways_look_the_same_to_any_request(
    monkeypatch: pytest.MonkeyPatch, said: str, field: str
) -> None:
    straight, longer = both_ways(monkeypatch, lambda edge: told(edge, (field,), *SAID[said]))
    assert straight == longer


@pytest.mark.parametrize("said", ["small", "in two", "in trouble", "breaks in the body", "silent"])
def test_both_ways_look_the_same_with_several_origins(
    monkeypatch: pytest.MonkeyPatch, said: str
) -> None:
    async def tell(edge: MemoryEdge) -> Story:
        edge.network.origin("p", serving(b"small", FRESH, TAG))
        return await told(edge, (), *SAID[said])

    pool = {"origins": ["http://o", "http://p"]}
    straight, longer = both_ways(monkeypatch, tell, service=pool)
    assert straight == longer


@pytest.mark.parametrize("turns", range(12))
def test_a_client_may_leave_at_any_moment(turns: int) -> None:
    @in_memory()
    async def dialogue(edge: MemoryEdge) -> None:
        async def slowly(connection: OriginConnection) -> None:
            for at in range(0, len(SMALL), 40):
                connection.send(SMALL[at : at + 40])
                await asyncio.sleep(0)

        await warm(edge, kept(slowly, taken), serving(b"again", FRESH))
        film = edge.begin("/film")
        for _ in range(turns):
            await asyncio.sleep(0)
        film.leave()
        await edge.settle_fills()
        assert edge.context.places.total == edge.context.upstreams.open_places == 0
        assert (await edge.get("/film")).seen == (200, b"small", "hit")

    dialogue()


async def warm_of_many(edge: MemoryEdge, count: int, go: asyncio.Event) -> None:
    """Have the edge keep so many connections, whose next answer waits for `go`."""
    begun = asyncio.Event()
    edge.origin(playbook(any_request, until(begun), WARM, any_request, until(go), SMALL, taken))
    first = [edge.begin(f"/warm{n}") for n in range(count)]
    await asyncio.sleep(1)
    begun.set()
    for each in first:
        await each.done()


@pytest.mark.parametrize("count", [1, 5, together.MOST + 5])
def test_what_comes_in_one_turn_is_stored_at_once(count: int) -> None:
    @in_memory(limits={"origin_requests_per_address": 200})
    async def dialogue(edge: MemoryEdge) -> None:
        go = asyncio.Event()
        await warm_of_many(edge, count, go)
        films = [edge.begin(f"/film{n}") for n in range(count)]
        await asyncio.sleep(1)
        stored_at_once: list[int] = []
        store = edge.store.store_together

        def store_together(small: Any) -> list[bool]:
            assert stored_at_once or not any(film.status for film in films)
            stored_at_once.append(len(small))
            return store(small)

        edge.store.store_together = store_together  # type: ignore[method-assign]
        go.set()
        for film in films:
            assert (await film.done()).seen == (200, b"small", "miss")
        assert sum(stored_at_once) == count
        assert len(stored_at_once) == -(-count // together.MOST)
        assert edge.context.fills.entries == edge.context.places.total == 0
        for number in range(count):
            assert (await edge.get(f"/film{number}")).seen == (200, b"small", "hit")

    dialogue()


def while_it_waits(edge: MemoryEdge, do: Callable[[], object]) -> None:
    """Do something once, when an answer has come and is not stored yet."""
    waiting = edge.context.together
    add = waiting.add
    done: list[object] = []

    def added(arrived: together.Arrived) -> None:
        add(arrived)
        if not done:
            done.append(do())

    waiting.add = added  # type: ignore[method-assign]


@in_memory()
async def test_who_leaves_while_it_waits_leaves_it_stored(edge: MemoryEdge) -> None:
    await warm(edge, kept(SMALL, taken))
    film = edge.begin("/film")
    while_it_waits(edge, film.leave)
    await asyncio.sleep(1)
    assert not film.status
    assert edge.context.fills.entries == edge.context.places.total == 0
    assert (await edge.get("/film")).seen == (200, b"small", "hit")
    assert edge.asked == ["GET /warm", "GET /film"]


@in_memory()
async def test_who_asks_for_it_while_it_waits_has_it_too(edge: MemoryEdge) -> None:
    await warm(edge, kept(SMALL, taken))
    others: list[Any] = []
    while_it_waits(edge, lambda: others.extend(edge.begin("/film") for _ in range(3)))
    assert (await edge.get("/film")).seen == (200, b"small", "miss")
    for other in others:
        assert (await other.done()).seen == (200, b"small", "hit")
    assert edge.asked == ["GET /warm", "GET /film"]


@in_memory()
async def test_a_purge_while_it_waits_keeps_it_out(edge: MemoryEdge) -> None:
    await warm(edge, kept(SMALL, taken, any_request, SMALL, taken))
    while_it_waits(edge, edge.purge)
    assert (await edge.get("/film")).seen == (200, b"small", "miss")
    assert edge.stored("/film") == ()


@in_memory()
async def test_stopping_while_it_waits_breaks_it_off(edge: MemoryEdge) -> None:
    await warm(edge, kept(SMALL, taken))
    film = edge.begin("/film")
    while_it_waits(edge, edge.context.stop)
    await asyncio.sleep(1)
    assert not film.status
    assert edge.context.fills.entries == edge.context.places.total == 0
    assert edge.stored("/film") == ()
    assert edge.network.open_streams == []


@in_memory()
async def test_an_answer_that_fails_half_way_is_broken_off(edge: MemoryEdge) -> None:
    await warm(edge, kept(SMALL, taken))
    film = edge.begin("/film")

    def respond(status: int, *_others: Any) -> None:
        film.start(status, [], 5)
        film.push()
        raise ValueError("a fault")

    film.respond = respond  # type: ignore[method-assign, assignment]
    await asyncio.sleep(1)
    assert film.outcome == "internal_error"
    assert edge.context.fills.entries == edge.context.places.total == 0
