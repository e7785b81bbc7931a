"""What tests of conversations with scripted origins share: see `tests.harness.memory_network`."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from headrace.http.message import Field
from headrace.upstream.attempt_log import AttemptLog
from headrace.upstream.client import OriginClient, OriginTimeouts, RequestBody
from headrace.upstream.endpoint import Endpoint
from headrace.upstream.errors import Failure, OriginError
from headrace.upstream.failover_body import FailoverResponse
from headrace.upstream.fetcher import Fetcher
from headrace.upstream.pool import Pool, PoolState
from headrace.upstream.response import OriginResponse
from headrace.upstream.retry import RetryPolicy
from headrace.upstream.target import Target
from tests.harness.memory_network import MemoryNetwork
from tests.harness.virtual_time import run_virtually

from .test_pool import origin, pool

T = TypeVar("T")
TIMEOUTS = OriginTimeouts(connect_s=3.0, first_byte_s=15.0, between_bytes_s=10.0, idle_s=30.0)
HOST: Field = (b"host", b"a.test")


def head(status: int = 200, *fields: str) -> bytes:
    """Return a response's head."""
    lines = (f"HTTP/1.1 {status} Scripted", *fields)
    return "".join(f"{line}\r\n" for line in lines).encode() + b"\r\n"


def sized(body: bytes, *fields: str, status: int = 200, said: int | None = None) -> bytes:
    """Return a response that says its length, or another one."""
    length = len(body) if said is None else said
    return head(status, f"Content-Length: {length}", *fields) + body


def part(whole: bytes, start: int, end: int, *fields: str) -> bytes:
    """Return a 206 with the bytes from `start` up to `end`."""
    where = f"Content-Range: bytes {start}-{end - 1}/{len(whole)}"
    return sized(whole[start:end], where, *fields, status=206)


async def read_all(response: OriginResponse | FailoverResponse, size: int = 64 * 1024) -> bytes:
    """Return the rest of a body, read into a buffer of this size."""
    found, buffer = b"", memoryview(bytearray(size))
    while received := await response.read_into(buffer):
        found += buffer[:received]
    return found


async def failing(work: Awaitable[object]) -> Failure:
    """Return how this fails."""
    try:
        await work
    except OriginError as error:
        return error.failure
    raise AssertionError("it did not fail")


@dataclass(slots=True)
class Noted:
    """Events, as they came."""

    events: list[tuple[Any, ...]] = field(default_factory=list)

    def tried(self, attempt_log: AttemptLog) -> None:
        self.events.append(("tried", attempt_log.origin))

    def waited(self, attempt_log: AttemptLog, seconds: float) -> None:
        self.events.append(("waited", attempt_log.origin, round(seconds, 6)))

    def failed(self, attempt_log: AttemptLog, origin: str, reason: str, problem: str) -> None:
        self.events.append(("failed", origin, reason))

    def retried(self, reason: str) -> None:
        self.events.append(("retried", reason))

    def switched(self, attempt_log: AttemptLog, reason: str, at: int) -> None:
        self.events.append(("switched", attempt_log.origin, reason, at))

    def switch_failed(self, attempt_log: AttemptLog, reason: str, at: int) -> None:
        self.events.append(("switch_failed", reason, at))

    def hedged(self, attempt_log: AttemptLog, server: str) -> None:
        self.events.append(("hedged", server))

    def ejected(self, attempt_log: AttemptLog, origin: str) -> None:
        self.events.append(("ejected", origin))

    def of(self, kind: str) -> list[tuple[Any, ...]]:
        """Return the events of one kind, without it."""
        return [event[1:] for event in self.events if event[0] == kind]


class Scene:
    """A network with scripted origins, and the client and fetcher of one worker."""

    def __init__(self, network: MemoryNetwork) -> None:
        self.network = network
        self.loop = asyncio.get_running_loop()
        self.client = OriginClient(self.loop, network, TIMEOUTS)
        self.noted = Noted()
        self.fetcher = Fetcher(
            self.client, self.loop, self.noted, unix_time=lambda: 1e9, chance=lambda: 0.5
        )
        self.state = self.pool("a", "b")
        self.retry = RetryPolicy()
        self.attempt_log = AttemptLog()

    def pool(self, *names: str, **more: object) -> PoolState:
        """Return (and use from now on) a pool of these origins."""
        made: Pool = replace(pool(*(origin(name) for name in names)), **more)  # type: ignore[arg-type]
        self.state = PoolState(made)
        return self.state

    async def ask(
        self,
        host: str = "a",
        method: bytes = b"GET",
        body: RequestBody | None = None,
        fields: tuple[Field, ...] = (),
        **more: Any,
    ) -> OriginResponse:
        """Send a request to one origin."""
        endpoint = Endpoint(host, 80, host.encode(), b"", None)
        return await self.client.request(
            endpoint, method, b"/x", [HOST, *fields], body=body, **more
        )

    async def get(self, host: str = "a") -> bytes:
        """Return the whole body that one origin has."""
        return await read_all(await self.ask(host))

    async def fetch(self, method: bytes = b"GET", *fields: Field, **more: Any) -> FailoverResponse:
        """Send a request to the pool."""
        target = Target(self.state, self.retry, b"key", b"/x?q", "192.0.2.0/24", "vod")
        self.attempt_log = AttemptLog()
        return await self.fetcher.request(
            target, method, [HOST, *fields], attempt_log=self.attempt_log, **more
        )

    def check(self) -> None:
        """Everything has come back: places, connections, tasks."""
        assert self.state.open_places == 0
        assert len(self.network.open_streams) == len(self.client.idle)


def conversation(
    talk: Callable[[Scene], Awaitable[T]],
    *,
    step: Callable[[str], Awaitable[None]] | None = None,
    room_bytes: int = 1 << 60,
) -> T:
    """Run a conversation by a clock that jumps, and check that nothing is left of it."""

    async def run() -> T:
        async with MemoryNetwork(step=step, room_bytes=room_bytes) as network:
            scene = Scene(network)
            found = await talk(scene)
            scene.check()
            scene.client.close()
            assert not network.open_streams
            return found

    return run_virtually(run())


def source(*pieces: bytes | Exception, pause_s: float = 0.0) -> Callable[[], Awaitable[bytes]]:
    """Return a request body's reader: it brings these pieces, then the end."""
    left = list(pieces)

    async def read() -> bytes:
        await asyncio.sleep(pause_s)
        piece = left.pop(0) if left else b""
        if isinstance(piece, Exception):
            raise piece
        return piece

    return read
