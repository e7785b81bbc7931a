"""Every place at an origin, every connection and every task comes back, whatever way out is taken.

The origins are scripted, their connections are not real, and each conversation is cancelled at
every turn of the loop that it takes.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from itertools import product

import pytest

from headrace.http.parser import ParsedResponseHead
from headrace.upstream.attempt_log import AttemptLog
from headrace.upstream.client import OriginClient, OriginTimeouts, RequestBody
from headrace.upstream.endpoint import Endpoint
from headrace.upstream.errors import OriginError
from headrace.upstream.fetcher import Fetcher
from headrace.upstream.network import Stream
from headrace.upstream.pool import Pool, PoolState
from headrace.upstream.retry import RetryPolicy
from headrace.upstream.retry_budget import RetryBudget
from headrace.upstream.sources import PeerSource, PeerState, SourceRules, Sources
from headrace.upstream.target import Target
from tests.harness.virtual_time import run_virtually

from .test_pool import origin, pool

BODY = b"0123456789"
TAG = b'ETag: "a"\r\n'
OK = b"HTTP/1.1 200 OK\r\n" + TAG + b"Content-Length: 10\r\n\r\n"
PART = b"HTTP/1.1 206 Part\r\n" + TAG + b"Content-Length: 7\r\nContent-Range: bytes 3-9/10\r\n\r\n"

Script = list[bytes | BaseException]
"""What comes on a connection, piece by piece; b"" is its end."""

RULES = SourceRules(first_byte_s=0.003, answer_s=0.008, connect_s=0.01, between_bytes_s=0.01)
SCRIPTS: dict[str, Script] = {
    "sound": [OK, BODY],
    "in pieces": [OK[:20], OK[20:] + BODY[:4], BODY[4:]],
    "breaks off": [OK + BODY[:3], ConnectionResetError()],
    "goes on": [PART + BODY[3:]],
    "goes on and breaks off": [PART + BODY[3:5], b""],
    "chunked": [b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"3\r\nabc\r\n0\r\n\r\n"],
    "until the end": [b"HTTP/1.1 200 OK\r\n\r\nabc", b""],
    "503": [b"HTTP/1.1 503 No\r\nContent-Length: 3\r\n\r\nabc"],
    "204": [b"HTTP/1.1 204 No\r\n\r\n"],
    "interim": [b"HTTP/1.1 103 Hints\r\n\r\n", OK, BODY],
    "no head": [b"220 smtp\r\n\r\n"],
    "closed": [b""],
    "hangs": [],
    "too much": [OK + BODY + b"HTTP/1.1 200 OK\r\n\r\n"],
}


class Line:
    """A connection that is none: it gives what its script says, a turn of the loop later."""

    def __init__(self, script: Script, lines: list[Line]) -> None:
        self.closed = False
        self.peer = ""
        self._script = deque(script)
        self._unread = b""
        lines.append(self)

    def send_now(self, _data: bytes) -> int:
        return 0

    def recv_now(self, _buffer: memoryview) -> int | None:
        return None

    def when_readable(self, then: Callable[[bool], None], timeout_s: float) -> None:
        raise NotImplementedError

    def stop_waiting(self) -> None:
        raise NotImplementedError

    async def recv_into(self, buffer: memoryview, timeout_s: float) -> int:
        await asyncio.sleep(0)
        if not self._unread:
            if not self._script:
                await asyncio.sleep(timeout_s)
                raise OSError("nothing came")
            came = self._script.popleft()
            if isinstance(came, BaseException):
                raise came
            self._unread = came
        size = min(len(self._unread), len(buffer))
        buffer[:size] = self._unread[:size]
        self._unread = self._unread[size:]
        return size

    async def send_all(self, _data: bytes | memoryview, _timeout_s: float) -> None:
        await asyncio.sleep(0)

    def idle_and_alive(self) -> bool:
        return not self.closed

    def close(self) -> None:
        self.closed = True


class Silent:
    """Events that nobody hears."""

    def tried(self, attempt_log: AttemptLog) -> None: ...
    def waited(self, attempt_log: AttemptLog, seconds: float) -> None: ...
    def failed(self, attempt_log: AttemptLog, origin: str, reason: str, problem: str) -> None: ...
    def retried(self, reason: str) -> None: ...
    def switched(self, attempt_log: AttemptLog, reason: str, at: int) -> None: ...
    def switch_failed(self, attempt_log: AttemptLog, reason: str, at: int) -> None: ...
    def hedged(self, attempt_log: AttemptLog, server: str) -> None: ...
    def ejected(self, attempt_log: AttemptLog, origin: str) -> None: ...


class ScriptedNetwork:
    """Connects to scripts: each origin's first, then its second, and so on; the last stays."""

    def __init__(self, scripts: dict[str, list[str]]) -> None:
        self.lines: list[Line] = []
        self._scripts = {host: deque(names) for host, names in scripts.items()}

    async def connect(self, endpoint: Endpoint, _limit_s: float) -> Line:
        await asyncio.sleep(0)
        names = self._scripts[endpoint.host]
        name = names.popleft() if len(names) > 1 else names[0]
        return Line(SCRIPTS[name], self.lines)

    def moved(self, _endpoint: Endpoint, _stream: Stream) -> bool:
        return False


class Scene:
    """Two origins, and one conversation with them."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        scripts: dict[str, list[str]],
        servers: tuple[str, ...] = (),
    ) -> None:
        """Ask those first that are `servers` of the network."""
        origins = [origin(name) for name in scripts if name not in servers]
        made: Pool = replace(pool(*origins), budget=10.0)
        self.state = PoolState(made)
        self.peers = tuple(PeerSource(origin(name), PeerState(), name, "x") for name in servers)
        self.sources = (
            Sources(self.peers, RULES, RetryBudget(1.0), b"h", b"/", lambda *_said: [])
            if servers
            else None
        )
        self.network = ScriptedNetwork(scripts)
        self.client = OriginClient(loop, self.network, OriginTimeouts(0.01, 0.01, 0.01, 30.0))
        self.fetcher = Fetcher(
            self.client, loop, Silent(), unix_time=lambda: 0.0, chance=lambda: 0.5
        )

    async def talk(self, method: bytes, content: bool, leaves: bool) -> None:
        body = None
        if content:
            pieces = [b"x", b""]

            async def read() -> bytes:
                await asyncio.sleep(0)
                return pieces.pop(0)

            body = RequestBody(read, None)

        def interim(_head: ParsedResponseHead) -> None:
            pass

        retry = RetryPolicy(backoff_s=0.0, total_s=0.05)
        try:
            response = await self.fetcher.request(
                Target(self.state, retry, b"key", b"/", sources=self.sources),
                method, [(b"host", b"h")], body=body, on_interim=interim,
            )  # fmt: skip
        except OriginError:
            return
        try:
            buffer = memoryview(bytearray(4))
            while await response.read_into(buffer):
                if leaves:
                    return
            await response.sent()
        except OriginError:
            pass
        finally:
            response.close()

    def check(self) -> None:
        assert self.state.open_places == 0
        assert sum(peer.state.active for peer in self.peers) == 0
        open_lines = [line for line in self.network.lines if not line.closed]
        assert len(open_lines) == len(self.client.idle)
        self.client.close()
        assert not [line for line in self.network.lines if not line.closed]


async def cancelled_after(turns: int, scene: Scene, *how: object, late: float = 0.0) -> bool:
    """Run a conversation, cancel it after so long and so many turns of the loop; whether it was
    still on.
    """
    task = asyncio.ensure_future(scene.talk(*how))  # type: ignore[arg-type]
    if late:
        await asyncio.sleep(late)
    for _turn in range(turns):
        if task.done():
            break
        await asyncio.sleep(0)
    running = task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    if not task.cancelled():
        task.result()
    await all_ended()
    scene.check()
    return running


async def all_ended() -> None:
    """Give the tasks that a conversation leaves behind the turns that they take to end."""
    for _turn in range(20):
        if len(asyncio.all_tasks()) == 1:
            break
        await asyncio.sleep(0)
    assert asyncio.all_tasks() == {asyncio.current_task()}
    await asyncio.sleep(0)  # what is called at their end


@pytest.mark.parametrize("first", SCRIPTS)
def test_everything_comes_back_from_every_way_out(first: str) -> None:
    async def run() -> None:
        loop = asyncio.get_running_loop()
        for other, (method, content), leaves in product(
            SCRIPTS, ((b"GET", False), (b"HEAD", False), (b"POST", True)), (False, True)
        ):
            for turns in range(400):
                scripts = {"a": [first, "closed"], "b": [other]}
                if not await cancelled_after(turns, Scene(loop, scripts), method, content, leaves):
                    break
                if turns > 40 and "hangs" in (first, other):
                    break  # it waits for its time limit now

    run_virtually(run())


@pytest.mark.parametrize("first", SCRIPTS)
def test_everything_comes_back_from_servers_that_are_asked_before_the_pool(first: str) -> None:
    async def run() -> None:
        loop = asyncio.get_running_loop()
        for other, leaves, late in product(SCRIPTS, (False, True), (0.0, 0.0029, 0.0031)):
            for turns in range(200):
                scripts = {"s": [first], "t": [other, "goes on"], "b": ["sound", "goes on"]}
                scene = Scene(loop, scripts, ("s", "t"))
                if not await cancelled_after(turns, scene, b"GET", False, leaves, late=late):
                    break
                if turns > 60 and "hangs" in (first, other):
                    break

    run_virtually(run())


@pytest.mark.parametrize(("first", "other"), [*product(SCRIPTS, SCRIPTS)])
def test_everything_comes_back_when_servers_are_asked_and_no_one_cancels(
    first: str, other: str
) -> None:
    async def run() -> None:
        scripts = {"s": [first], "t": [other, "goes on"], "b": ["sound", "goes on"]}
        scene = Scene(asyncio.get_running_loop(), scripts, ("s", "t"))
        await scene.talk(b"GET", False, False)
        await all_ended()
        scene.check()

    run_virtually(run())


@pytest.mark.parametrize(("first", "other"), [*product(SCRIPTS, SCRIPTS)])
def test_everything_comes_back_when_no_one_cancels(first: str, other: str) -> None:
    async def run() -> None:
        scene = Scene(asyncio.get_running_loop(), {"a": [first], "b": [other, "goes on"]})
        await scene.talk(b"GET", False, False)
        assert asyncio.all_tasks() == {asyncio.current_task()}
        scene.check()

    run_virtually(run())


def test_a_place_is_counted_while_a_response_is_open() -> None:
    async def run() -> None:
        scene = Scene(asyncio.get_running_loop(), {"a": ["in pieces"]})
        target = Target(scene.state, RetryPolicy(), b"key", b"/")
        response = await scene.fetcher.request(target, b"GET", [(b"host", b"h")])
        assert scene.state.open_places == 1
        response.close()
        response.close()
        scene.check()

    run_virtually(run())
