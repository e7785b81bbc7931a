"""Whatever origins answer and clients do, a fill gives back all it has taken.

A fill is run in memory against an origin that plays a script, while clients join and leave
between any two of its steps. Counted in the end: responses that were not closed, places, fills
left behind, descriptors, and what the edge still remembers.
"""

from __future__ import annotations

import asyncio
import gc
import itertools
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headrace.cache.record import StoredResponse
from headrace.cache.slice_requests import SliceRequest
from headrace.config.edge import EDGE
from headrace.config.loader import validate_document
from headrace.edge.context import WorkerContext
from headrace.edge.fill.asked import FillRequest
from headrace.edge.fill.names import part_name, version_of
from headrace.edge.fill.refs import FillRefs
from headrace.edge.fill.result import Failed, Filled, Uncacheable
from headrace.edge.service.resource import Resource
from headrace.edge.service.services import compile_services
from headrace.http.message import Field, Headers, Request
from headrace.http.parser import ParsedResponseHead, RequestHead
from headrace.store import Part, Store, StoreSettings
from headrace.telemetry.metrics import WorkerMetrics
from headrace.upstream.errors import Failure, OriginError
from headrace.upstream.sockets import SocketNetwork

SLICE = 64 * 1024
TOTAL = 3 * SLICE + 100
STORABLE: tuple[Field, ...] = ((b"cache-control", b"max-age=600"), (b"etag", b'"a"'))
_paths = itertools.count()


@dataclass(frozen=True)
class Script:
    """What the origin does: nothing but fail, or a head, then a body in so many pieces."""

    name: str
    status: int = 200
    fields: tuple[Field, ...] = STORABLE
    body: int = TOTAL
    pieces: int = 4
    fails: Failure | None = None
    fails_in_body: bool = False


def part_of(start: int, end: int, total: int | None = TOTAL) -> tuple[Field, ...]:
    of = b"*" if total is None else b"%d" % total
    return (*STORABLE, (b"content-range", b"bytes %d-%d/%s" % (start, end - 1, of)))


OTHER = ((b"cache-control", b"max-age=600"), (b"etag", b'"b"'))
SCRIPTS = [
    Script("stored"),
    Script("stored, of unknown length", body=-1),
    Script("no-store", fields=((b"cache-control", b"no-store"),)),
    Script("private, of unknown length", fields=((b"cache-control", b"private"),), body=-1),
    Script("another", fields=OTHER),
    Script("another, no-store", fields=((b"etag", b'"b"'), (b"cache-control", b"no-store"))),
    Script("empty", body=0),
    Script("first part", 206, part_of(0, SLICE), SLICE),
    Script("second part", 206, part_of(SLICE, 2 * SLICE), SLICE),
    Script("rest", 206, part_of(SLICE, TOTAL), TOTAL - SLICE),
    Script("unaligned part", 206, part_of(5, 10), 5),
    Script("part without total", 206, part_of(SLICE, 2 * SLICE, None), SLICE),
    Script("no part", 206, STORABLE, 5),
    Script("not modified", 304, ((b"etag", b'"a"'),), 0),
    Script("other not modified", 304, ((b"etag", b'"z"'),), 0),
    Script("not found", 404, (), 10),
    Script("not satisfiable", 416, ((b"content-range", b"bytes */9"),), 0),
    Script("moved", 302, ((b"location", b"/x"),), 0),
    Script("forbidden", 403, (), 10),
    Script("unavailable", 503, (), 10),
    Script("reset", fails=Failure.HEAD_RESET),
    Script("nobody", fails=Failure.NO_ORIGIN),
    Script("cut", fails=Failure.BODY_SHORT, fails_in_body=True),
    Script("cut, no-store", fields=(), fails=Failure.BODY_SHORT, fails_in_body=True),
]


class FakeResponse:
    """Stands for `FailoverResponse`. `opened` counts those that nobody has closed."""

    opened = 0

    def __init__(self, script: Script) -> None:
        FakeResponse.opened += 1
        self.script = script
        self.head = ParsedResponseHead(
            script.status, b"", (1, 1), Headers(script.fields), script.body, True
        )
        self.status = script.status
        self.complete = self.by_server = False
        self.received_bytes = self.server_bytes = self.read_bytes = self.digest = 0
        self.left = TOTAL if script.body < 0 else script.body
        self.piece = max(1, self.left // script.pieces)
        self.closed = False

    async def read_into(self, buffer: memoryview) -> int:
        await asyncio.sleep(0)
        if self.closed:
            raise AssertionError("read after it was closed")
        if self.script.fails_in_body and self.received_bytes >= SLICE + 10:
            raise OriginError(Failure.BODY_SHORT, "cut")
        size = min(self.piece, self.left, len(buffer))
        buffer[:size] = b"\0" * size
        self.left -= size
        self.received_bytes += size
        return size

    def close(self) -> None:
        if not self.closed:
            self.closed = True
            FakeResponse.opened -= 1


class FakeFetcher:
    """Stands for `Fetcher`: one script for all requests."""

    def __init__(self, script: Script, patience: int) -> None:
        self.script = script
        self.patience = patience  # turns of the loop before the head comes

    async def request(self, *_args: Any, **options: Any) -> FakeResponse:
        for _ in range(self.patience):
            await asyncio.sleep(0)
        options["on_interim"](ParsedResponseHead(103, b"", (1, 1), Headers(()), 0, True))
        if self.script.fails is not None and not self.script.fails_in_body:
            raise OriginError(self.script.fails, "scripted")
        return FakeResponse(self.script)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    path: Path = tmp_path_factory.mktemp("store")
    claim = Store.claim(path)
    opened = Store.open(
        path, StoreSettings(1 << 30, SLICE, checksum_on_open=False), clock=lambda: 0.0
    )
    gc.collect()
    gc.freeze()  # what was there before need not be looked through after each example
    yield opened
    gc.unfreeze()
    opened.close()
    claim.release()


def make_edge(
    loop: asyncio.AbstractEventLoop, store: Store, limits: dict[str, int]
) -> WorkerContext:
    document = {
        "cache_dir": "/c",
        "listen": [{"address": "127.0.0.1:1"}],
        "store": {"slice": SLICE},
        "limits": limits,
        "service": [{"name": "s", "hosts": ["*"], "origins": ["http://o:1"]}],
    }
    config = validate_document(document, EDGE, str, base=Path("/"))
    return WorkerContext(
        loop, config, compile_services(config), store, WorkerMetrics(), SocketNetwork(loop)
    )


def ask_of(kind: str, edge: WorkerContext, resource: Resource) -> SliceRequest:
    """What is asked; for a stored response, with one that has its first slice."""
    if kind == "whole":
        return SliceRequest()
    if kind == "range":
        return SliceRequest(1, 1)
    stored = StoredResponse(
        key=resource.key, variant=b"", vary=(), status=200, headers=STORABLE,
        response_time=time.time(), corrected_age_s=0.0, lifetime_s=600.0,
        stale_while_revalidate_s=0.0, stale_if_error_s=0.0, flags=0, length=TOTAL,
        slice_bytes=SLICE, generation=edge.store.generation(), tags=(),
        version=version_of(
            resource.key, b"", Headers(STORABLE), edge.store.generation(), SLICE, os.urandom
        ),
    )  # fmt: skip
    part = edge.store.begin_part(part_name(resource.key_hash, b""), 0)
    assert isinstance(part, Part)
    part.set_head(stored)
    part.write(b"\0" * SLICE, 0)
    assert part.finish(stored, SLICE)
    part.close()
    if kind == "complete":
        return SliceRequest(1, 1, stored)
    return SliceRequest(0, None, stored, validate=True)


@dataclass
class Seen:
    """What one run of a fill came to."""

    result: object
    interims: int


async def run(
    store: Store, script: Script, kind: str, *, owned: bool, watched: bool, moves: list[str],
    limits: dict[str, int], patience: int = 3,
) -> Seen:  # fmt: skip
    loop = asyncio.get_running_loop()
    edge = make_edge(loop, store, limits)
    edge.upstreams.fetcher = cast("Any", FakeFetcher(script, patience))
    target = b"/%d" % next(_paths)
    head = RequestHead(b"GET", target, (1, 1), Headers(()), b"h", 0, True, True)
    resource = edge.resources.find(head, tls=False)
    wanted = ask_of(kind, edge, resource)
    request: Request = resource.request(head)
    name = part_name(resource.key_hash, b"")
    part = store.begin_part(name, wanted.first)
    assert isinstance(part, Part)
    interims = 0

    def interim(_head: object) -> None:
        nonlocal interims
        interims += 1

    asked = FillRequest(resource, request, "192.0.2.1", b"", wanted, interim)
    fill = edge.fills.begin(asked, part, owned=owned, watched=watched)
    if fill is None:
        part.close()
    result: object = None
    if fill is not None:
        result = await _play(edge, fill, moves, owned=owned, watched=watched)
    await edge.settle()
    assert edge.places.total == 0
    assert edge.unwatched.total == 0
    assert not edge.fills.entries
    edge.stop()
    return Seen(result, interims)


async def _play(
    edge: WorkerContext, fill: Any, moves: list[str], *, owned: bool, watched: bool
) -> object:
    owner = FillRefs([])
    others: list[FillRefs] = []
    if watched:
        owner.hold(fill, owner=owned)
    for move in moves:
        match move:
            case "wait":
                await asyncio.sleep(0)
            case "owner leaves":
                owner.release()
            case "other joins" if edge.fills.running(fill.asked.name, fill.asked.number):
                others.append(FillRefs([]))
                others[-1].hold(fill)
            case "other leaves" if others:
                others.pop().release()
    result = await asyncio.wait_for(asyncio.shield(fill.result), 5)
    if isinstance(result, Uncacheable) and owned and "owner leaves" not in moves:
        response = result.take()
        if response is not None:
            response.close()
    for who in (owner, *others):
        who.release()
    return result


def descriptors() -> int:
    gc.collect()  # the edge itself, and what it has open, is in circles
    return len(os.listdir("/proc/self/fd"))


MOVES = st.lists(
    st.sampled_from(["wait", "wait", "owner leaves", "other joins", "other leaves"]), max_size=14
)
LIMITS = st.sampled_from(
    [
        {},
        {"unwatched_fills_per_address": 0},
        {"unwatched_bytes_per_address": 0, "unwatched_rate": 0},
        {"unwatched_bytes_per_address": SLICE + 5, "unwatched_rate": 0},
        {"origin_requests_per_address": 1},
    ]
)


@given(
    st.sampled_from(SCRIPTS), st.sampled_from(["whole", "range", "validate", "complete"]),
    st.booleans(), st.booleans(), MOVES, LIMITS, st.integers(0, 6),
)  # fmt: skip
@settings(max_examples=200)
def test_every_way_out_gives_everything_back(
    store: Store,
    script: Script,
    kind: str,
    owned: bool,
    watched: bool,
    moves: list[str],
    limits: dict[str, int],
    patience: int,
) -> None:
    FakeResponse.opened = 0
    before = descriptors() - len(store.spares)
    asyncio.run(
        run(
            store, script, kind, owned=owned and watched, watched=watched, moves=moves,
            limits=limits, patience=patience,
        )
    )  # fmt: skip
    assert FakeResponse.opened == 0
    assert descriptors() - len(store.spares) <= before


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.name)
@pytest.mark.parametrize("kind", ["whole", "range", "validate", "complete"])
def test_only_the_request_that_began_it_is_handed_a_response(
    store: Store, script: Script, kind: str
) -> None:
    FakeResponse.opened = 0
    for owned in (False, True):
        seen = asyncio.run(run(store, script, kind, owned=owned, watched=True, moves=[], limits={}))
        if isinstance(seen.result, Uncacheable) and not owned:
            assert seen.result.response is None
        assert seen.interims == owned
    assert FakeResponse.opened == 0


@pytest.mark.parametrize(
    "script",
    [
        script
        for script in SCRIPTS
        if (script.fails and script.fields)
        or (script.status >= 400 and script.status not in (404, 410, 416))
    ],
    ids=lambda script: script.name,
)
def test_a_failure_leaves_what_is_stored(store: Store, script: Script) -> None:
    async def still_there() -> None:
        loop = asyncio.get_running_loop()
        edge = make_edge(loop, store, {})
        edge.upstreams.fetcher = cast("Any", FakeFetcher(script, 1))
        head = RequestHead(b"GET", b"/%d" % next(_paths), (1, 1), Headers(()), b"h", 0, True, True)
        resource = edge.resources.find(head, tls=False)
        wanted = ask_of("complete", edge, resource)
        name = part_name(resource.key_hash, b"")
        part = store.begin_part(name, 1)
        assert isinstance(part, Part)
        asked = FillRequest(resource, resource.request(head), "192.0.2.1", b"", wanted)
        fill = edge.fills.begin(asked, part, owned=False, watched=True)
        assert fill is not None
        refs = FillRefs([])
        refs.hold(fill)
        await fill.result
        refs.release()
        await edge.settle()
        assert wanted.stored is not None
        found = store.lookup(resource.key_hash, b"")
        assert found is not None
        assert msgspec.structs.replace(found) == wanted.stored
        assert store.has_slice(wanted.stored.version, 0)
        edge.stop()

    asyncio.run(still_there())


def test_a_fill_that_is_left_before_its_first_step_gives_everything_back(store: Store) -> None:
    FakeResponse.opened = 0
    limits = {"unwatched_fills_per_address": 0}
    seen = asyncio.run(
        run(store, SCRIPTS[0], "whole", owned=True, watched=True, moves=["owner leaves"],
            limits=limits)
    )  # fmt: skip
    assert seen.result == Failed(503, "abandoned")
    assert FakeResponse.opened == 0


def test_who_waits_no_more_for_a_fill_is_forgotten_and_takes_no_other_along(store: Store) -> None:
    async def wait() -> None:
        edge = make_edge(asyncio.get_running_loop(), store, {})
        edge.upstreams.fetcher = cast("Any", FakeFetcher(Script("stored"), 20))
        head = RequestHead(b"GET", b"/%d" % next(_paths), (1, 1), Headers(()), b"h", 0, True, True)
        resource = edge.resources.find(head, tls=False)
        part = store.begin_part(part_name(resource.key_hash, b""), 0)
        assert isinstance(part, Part)
        asked = FillRequest(
            resource, resource.request(head), "192.0.2.1", b"", SliceRequest(), None
        )
        fill = edge.fills.begin(asked, part, owned=False, watched=False)
        assert fill is not None
        waiting = [asyncio.create_task(fill.brought()) for _ in range(3)]
        await asyncio.sleep(0)
        for leaving in waiting[:2]:
            leaving.cancel()
        await asyncio.wait(waiting[:2])
        assert len(fill._waiters) == 1
        assert isinstance(await waiting[2], Filled)
        assert not fill._waiters
        await edge.settle()
        edge.stop()

    asyncio.run(wait())
