"""One worker of an edge in memory: handler, fills, store and origin client are the real ones.

Dialogues are written with it: see `tests.harness.dialogues`, which also has an example.
"""

from __future__ import annotations

import asyncio
import math
import os
import random
from collections.abc import Awaitable, Callable
from concurrent.futures import Executor, Future
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, cast

from headrace.cache.record import StoredResponse
from headrace.config.edge import EDGE
from headrace.config.loader import validate_document
from headrace.edge.clock import Clock
from headrace.edge.context import WorkerContext
from headrace.edge.load.client_load import ClientLoad
from headrace.edge.request.accounting import Accounting
from headrace.edge.service.resource import Resource
from headrace.edge.service.services import compile_services
from headrace.http.message import Headers
from headrace.http.parser import RequestHead
from headrace.store import PurgeRule, Store
from headrace.store.layout import slice_file, slice_key
from headrace.telemetry.access_log import AccessLog
from headrace.telemetry.metrics import WorkerMetrics
from tests.harness.breakable_store import EPOCH_S, OPERATIONS, BreakableStore, die_with
from tests.harness.memory_exchange import CLIENT_ADDRESS, MemoryClient, MemoryExchange
from tests.harness.memory_network import MemoryNetwork, Script
from tests.harness.walked_steps import Transition, WatchedHandler

StepHook = Callable[[str], Awaitable[None]]
LONGEST_S = 24 * 3600.0
Kind = Literal["url", "prefix", "tag", "all"]


class _AtOnce(Executor):
    """Does on the loop what a thread would do: nothing waits for a disk here."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:  # noqa: BLE001 - it is whoever waits who gets it
            future.set_exception(error)
        return future


class MemoryEdge:
    """One worker. The first is made by `in_memory`, others by `worker`."""

    def __init__(
        self, network: MemoryNetwork, store: BreakableStore, document: dict[str, Any],
        walked: set[Transition], step: StepHook | None, number: int = 0, *,
        ahead_s: float = 0.0,
    ) -> None:  # fmt: skip
        """`ahead_s` is by how much its clock is ahead of the others'."""
        loop = asyncio.get_running_loop()
        chance = random.Random(number)
        clock = Clock(
            now=lambda: EPOCH_S + ahead_s + loop.time(),
            monotonic=loop.time,
            random_bytes=chance.randbytes,
            chance=chance.random,
        )
        config = validate_document(document, EDGE, str, base=Path("/"))
        self.loop = loop
        self.network = network
        self.store = store
        self.walked = walked
        self.metrics = WorkerMetrics()
        self.context = WorkerContext(
            loop, config, compile_services(config), store, self.metrics, network, clock
        )
        self.context.slices._threads = cast("Any", _AtOnce())
        self.accounting = Accounting(
            self.metrics, AccessLog(None), ClientLoad(self.context.classified)
        )
        self.handler = WatchedHandler(self.context, self.accounting, walked)
        self._document = document
        self._step = step
        self._clients: list[MemoryClient] = []
        self._workers: list[MemoryEdge] = []
        self._killed = False

    # What clients and origins say.

    def client(
        self, *, address: str = CLIENT_ADDRESS, covers: tuple[str, ...] | None = None
    ) -> MemoryClient:
        """Return a new client connection; with `covers` by TLS, with a certificate for these."""
        client = MemoryClient(
            self.handler, self.loop, address=address, covers=covers, step=self._step
        )
        self._clients.append(client)
        return client

    def begin(
        self,
        target: str,
        *fields: str,
        method: str = "GET",
        range: str | None = None,
        body: bytes = b"",
        version: str = "1.1",
        host: str = "h",
        address: str = CLIENT_ADDRESS,
        reads: float = math.inf,
        client: MemoryClient | None = None,
    ) -> MemoryExchange:
        """Ask, and return what is under way. `range` is "0-9", or "0-9,20-29"."""
        lines = [f"{method} {target} HTTP/{version}", f"Host: {host}", *fields]
        if range is not None:
            lines.append(f"Range: bytes={range}")
        if body and not any(line.lower().startswith("transfer-encoding") for line in lines):
            lines.append(f"Content-Length: {len(body)}")
        client = client or self.client(address=address)
        request = "\r\n".join([*lines, "", ""]).encode("latin-1") + body
        return client.ask(request, reads=reads)

    async def get(self, target: str, *fields: str, **options: Any) -> MemoryExchange:
        """Ask as `begin` does, and return the whole answer."""
        return await self.begin(target, *fields, **options).done()

    async def head(self, target: str, *fields: str, **options: Any) -> MemoryExchange:
        """Ask with HEAD, and return the answer."""
        return await self.get(target, *fields, method="HEAD", **options)

    def origin(self, *scripts: Script, host: str = "o") -> None:
        """Let the origin follow these scripts: see `MemoryNetwork.origin`.

        Connections that are kept from before are closed, so that the next request meets them.
        """
        self.network.origin(host, *scripts)
        for worker in self._all():
            worker.context.origin.idle.retain(set())

    def reload(self, **document: Any) -> None:
        """Have this worker serve by another configuration, which differs in these tables."""
        config = validate_document({**self._document, **document}, EDGE, str, base=Path("/"))
        self.context.adopt(config, compile_services(config))

    @property
    def asked(self) -> list[str]:
        """What origins were asked so far: "GET /film", or "GET /film 0-9" with a range."""
        return [
            heard.line + heard.fields.get("range", "").replace("bytes=", " ")
            for heard in self.network.requests
        ]

    # What happens to the store.

    def stored(self, target: str, *, host: str = "h") -> tuple[StoredResponse, ...]:
        """Return what is stored of a target, each variant."""
        return Store.variants(self.store, self.resource(target, host=host).key_hash)

    def numbers(self, target: str) -> list[int]:
        """Return which slices of a target's first variant are stored."""
        stored = self.stored(target)
        return Store.slices(self.store, stored[0]) if stored else []

    def resource(self, target: str, *, host: str = "h") -> Resource:
        """Return what a target leads to."""
        head = RequestHead(
            b"GET", target.encode(), (1, 1), Headers(()), host.encode(), 0, True, True
        )
        return self.context.resources.find(head, tls=False)

    def purge(self, kind: Kind = "all", value: bytes = b"", *, soft: bool = False) -> None:
        """Purge by a rule, as the admin process does."""
        Store.purge(self.store, PurgeRule(kind, value, soft=soft), durable=False)

    def evict(self, target: str, *numbers: int) -> None:
        """Remove slices of a target; all without `numbers`, and the record with the last."""
        for stored in self.stored(target):
            for number in numbers or Store.slices(self.store, stored):
                with self.store.transaction() as transaction:
                    transaction.drop_slice(slice_key(stored.version, number))

    def path_of(self, target: str, number: int = 0) -> Path:
        """Return the file of a stored slice."""
        (stored,) = self.stored(target)
        return Path(self.store.objects) / slice_file(slice_key(stored.version, number))

    def hits(self, target: str, number: int = 0) -> int:
        """Return how many hits of a stored slice the eviction knows of."""
        (stored,) = self.stored(target)
        return self.store.state.hits(self.store.slot(stored.version, number))

    def cut(self, target: str, number: int = 0) -> None:
        """Cut a stored slice's file short."""
        os.truncate(self.path_of(target, number), 4096)

    def damage(self, target: str, number: int = 0) -> None:
        """Change a byte at the end of a stored slice's file."""
        path = self.path_of(target, number)
        data = bytearray(path.read_bytes())
        data[-1] ^= 1
        path.write_bytes(data)

    def keep_small_bodies_inside(self) -> None:
        """Store whole small bodies in the index from now on."""
        inside = replace(self.store.settings, inline_bytes=16 * 1024)
        self.store.settings = self.store.committer._settings = inside

    def close_files(self) -> None:
        """Forget what is open and hot, as if it had not been asked for in a long time."""
        self.context.hot.clear()
        bodies = self.context.bodies
        for slice_id in list(bodies._bodies):
            del bodies._bodies[slice_id]

    def break_store(self, what: str, error: Exception, times: float = math.inf) -> None:
        """Let an operation of the store (see `OPERATIONS`) fail, so many times."""
        assert what in OPERATIONS
        self.store.__dict__.setdefault("faults", {})[what] = (error, times)

    def mend_store(self) -> None:
        """Let nothing fail any more."""
        self.store.__dict__["faults"] = {}

    # Workers.

    def worker(self, *, ahead_s: float = 0.0) -> MemoryEdge:
        """Return another worker on the same store and network; its clock may be another."""
        other = MemoryEdge(
            self.network, self.store, self._document, self.walked, self._step, len(self._all()),
            ahead_s=ahead_s,
        )  # fmt: skip
        self._workers.append(other)
        return other

    def kill(self) -> None:
        """End this worker as a signal would: nothing is given back but what dies with it."""
        self._killed = True
        table = self.context.fills
        for fill in {*table._fills.values(), *table._streams.values()}:
            growing = fill.slices._growing
            for part in (fill.slices.first_part, None if growing is None else growing.part):
                if part is not None:
                    die_with(part)
        for straight in list(table._straight.values()):
            straight.close()
        for client in self._clients:
            for exchange in client.exchanges:
                exchange.leave()
        self.context.tasks.cancel()
        self.context.upstreams.stop()
        self.context.origin.close()

    async def settle_fills(self) -> None:
        """Wait until no fill runs in this worker, whatever clients still do."""
        while self.context.fills.entries:
            await asyncio.sleep(0.01)
            assert self.loop.time() < LONGEST_S, "a fill does not end"

    # The end.

    def break_off(self) -> None:
        """End after a failure, without a look at what is left."""
        for worker in self._all():
            worker.context.stop()

    async def settle(self) -> None:
        """Wait until nothing runs in the background."""
        for worker in self._all():
            await worker.context.settle()

    async def finish(self) -> None:
        """Let everybody leave, and check that nothing is left."""
        self.mend_store()
        for worker in self._all():
            for client in worker._clients:
                for exchange in client.exchanges:
                    exchange.leave()
        await self.settle()
        await asyncio.sleep(0)
        for worker in self._all():
            worker._check_nothing_is_left()
        for worker in self._all():
            worker.context.stop()
            worker.close_files()
        await asyncio.sleep(0)
        assert not self.network.open_streams, "a connection to an origin is left"

    def _all(self) -> list[MemoryEdge]:
        return [self, *self._workers]

    def _check_nothing_is_left(self) -> None:
        if self._killed:
            return
        context = self.context
        assert context.places.total == 0, "a place is left"
        assert context.unwatched.total == 0, "an unwatched fill is left"
        assert context.fills.entries == 0, "an entry of the table is left"
        assert not context.fills._remotes, "another worker's part is still followed"
        assert context.upstreams.open_places == 0, "a place at an origin is left"
        tiering = context.tiering
        assert tiering is None or tiering.servers.open_places == 0, "a place at a server is left"
        assert self.handler._posts.held_bytes == 0, "a copy of a posted answer is left"
        assert self.metrics.fills_active == 0, "a fill counts as running"
