"""A worker of a scene: the real handler, context and store on a loop that the scene turns."""

from __future__ import annotations

import asyncio
import os
import traceback
from collections.abc import Callable
from typing import Any

from headrace.edge.body.growing_slice import LIVE_SLICES, LocalSlice
from headrace.edge.body.remote_slice import RemoteSlice
from headrace.edge.clock import Clock
from headrace.edge.context import WorkerContext
from headrace.edge.load.client_load import ClientLoad
from headrace.edge.request.accounting import Accounting
from headrace.edge.request.handler import EdgeHandler
from headrace.edge.tasks import Tasks
from headrace.store import Part, locks
from headrace.store.follower import PartFollower
from headrace.telemetry.access_log import AccessLog
from headrace.telemetry.metrics import WorkerMetrics
from tests.harness.interleaved.ground import ORIGIN, Ground, Trouble
from tests.harness.memory_network import Heard, MemoryNetwork, OriginConnection
from tests.harness.stepped_loop import SharedTime, SteppedLoop

EPOCH_S = 1_700_000_000.0
OnHeard = Callable[[int, Heard, OriginConnection], None]


class WatchedTasks(Tasks):
    """Notes what fails by a fault of ours."""

    def __init__(self) -> None:
        super().__init__()
        self.faults: list[str] = []

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._running.discard(task)
        error = None if task.cancelled() else task.exception()
        if error is not None:
            where = traceback.extract_tb(error.__traceback__)[-3:]
            calls = " > ".join(f"{frame.name}:{frame.lineno}" for frame in where)
            self.faults.append(f"{error!r} in {calls}")


class PlayedWorker:
    """One worker process, as far as it is not sockets and messages."""

    def __init__(
        self, number: int, ground: Ground, shared_time: SharedTime, trouble: Trouble,
        on_heard: OnHeard,
    ) -> None:  # fmt: skip
        self.number = number
        self.alive = True
        self.loop = SteppedLoop(shared_time)
        self.network = MemoryNetwork()
        self.store = ground.store(trouble)
        drawn = iter(range(1, 1 << 30))
        clock = Clock(
            now=lambda: EPOCH_S + shared_time.now_s,
            monotonic=lambda: shared_time.now_s,
            random_bytes=lambda size: (next(drawn) << 8 | number).to_bytes(size, "big"),
            chance=lambda: 0.5,
        )

        async def listen(connection: OriginConnection) -> None:
            while True:
                on_heard(number, await connection.request(), connection)

        self.network.origin(ORIGIN, listen)
        self.metrics = WorkerMetrics()
        with self.loop.inside():
            self.edge = WorkerContext(
                self.loop, ground.config, ground.services, self.store, self.metrics,
                self.network, clock,
            )  # fmt: skip
            self.tasks = self.edge.tasks = WatchedTasks()
        self.handler = EdgeHandler(
            self.edge, Accounting(self.metrics, AccessLog(None), ClientLoad(self.edge.classified))
        )

    def leftovers(self) -> str:
        """Return what is still held although nothing runs; "" when nothing is."""
        edge = self.edge
        held = {
            "places": edge.places.total,
            "unwatched fills": edge.unwatched.total,
            "entries of the table": edge.fills.entries,
            "slices followed": len(edge.fills._remotes),
            "tasks": len(edge.tasks._running),
            "requests at origins": edge.upstreams.open_places,
            "connections in use": len(self.network.open_streams) - len(edge.origin.idle),
        }
        return ", ".join(f"{count} {what}" for what, count in held.items() if count)

    def kill(self) -> None:
        """Die as by SIGKILL: nothing runs any more, and the system closes what was open."""
        self.alive = False
        for part in self._parts():
            if part.fd >= 0:
                locks.unlock(part.fd)  # a mapping keeps the file open, for the simulation alone
                os.close(part.fd)
                part.fd = -1
        for follower in self._followers():
            follower.close()
        for fill in self.edge.fills._fills.values():
            while fill.interest._followed_fds:
                os.close(fill.interest._followed_fds.pop())
        self.store._permits.close()
        spares = self.store.spares._spares
        while spares:
            os.close(spares.pop()[0])
        for stream in self.network.streams:
            stream.close()

    def _parts(self) -> list[Part]:
        parts = [fill.slices.first_part for fill in self.edge.fills._fills.values()]
        slices = [each for each in list(LIVE_SLICES) if each.loop is self.loop]
        parts += [each.part for each in slices if isinstance(each, LocalSlice)]
        return [part for part in parts if part is not None]

    def _followers(self) -> list[PartFollower]:
        slices = [each for each in list(LIVE_SLICES) if each.loop is self.loop]
        return [each.follower for each in slices if isinstance(each, RemoteSlice)]

    def close(self, trouble: Trouble) -> None:
        """Give everything back; what was killed can no longer change anything."""
        if not self.alive:
            trouble.kind = "broken"
        with self.loop.inside():
            self.edge.stop()
            running = list(self.network._running)
        for task in running:
            task.cancel()
        for _turn in range(20):
            if self.loop.is_ready:
                self.loop.turn()
        self.edge.hot.clear()
        self.store.close()
        self.loop.close()
