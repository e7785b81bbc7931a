"""A network in memory: origins are scripts that speak raw HTTP/1.1 bytes, without a socket.

The real client runs against it: head reader, chunked decoder, kept connections, retries, failover.
It works on any event loop, is as fast as the loop turns, and does the same each time. On a
`virtual_time` loop an origin may be silent for an hour that costs nothing.

A script is an async function, called once for each connection:

    async def origin(connection: OriginConnection) -> None:
        heard = await connection.request()
        assert heard.fields["range"] == "bytes=0-9"
        connection.send(b"HTTP/1.1 206 Partial Content\r\nContent-Length: 10\r\n", b"\r\n01234")
        await connection.taken()  # the client has read all of it
        connection.reset()

or the same as a list of steps, in which bytes are sent (each is one piece: what one read of the
client brings) and functions are called:

    origin = playbook(
        expect("GET /film", "range: bytes=0-9"),
        b"HTTP/1.1 206 Partial Content\r\nContent-Length: 10\r\n", b"\r\n01234",
        taken, reset,
    )

When a script ends, its connection is closed. `stall` waits for as long as the client stays;
`wait(2.0)` waits two seconds of the loop's time, `until(event)` for an `asyncio.Event` of the test.
`serving(body)` is an origin that has one body and knows ranges.

    async def test() -> None:
        async with MemoryNetwork() as network:
            network.origin("a.example", playbook(..., reset), serving(b"0123456789"))
            network.fails("b.example", Failure.CONNECT_REFUSED)
            client = OriginClient(asyncio.get_running_loop(), network, OriginTimeouts())
            ...
            assert network.connects == ["a.example", "b.example"]
            assert [heard.line for heard in network.requests] == ["GET /film", "GET /film"]

    run_virtually(test())

The first script is for the first connection to that origin, and so on; the last one stays for all
that follow. What a script raises (a false `expect`, say) resets its connection, and is raised when
the `async with` ends. `network.streams` are the client's ends: whether each was closed can be
checked.

To explore interleavings, give `step`: an async function that is awaited before each operation of
the client on a connection ("connect a.example", "send a.example", "receive a.example").
"""

from __future__ import annotations

import asyncio
import re
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from types import TracebackType

from headrace.http.stream import StreamTimeout
from headrace.upstream.endpoint import Endpoint
from headrace.upstream.errors import Failure, OriginError
from headrace.upstream.network import Stream

Script = Callable[["OriginConnection"], Awaitable[None]]
Step = bytes | Script


class ClientGone(Exception):
    """The client closed its connection. A script that gets it has nothing more to do."""


@dataclass(slots=True)
class Heard:
    """A request's head as an origin got it. Names of `fields` are in lower case."""

    host: str
    connection: int
    head: bytes
    line: str = ""
    fields: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        first, *lines = self.head.decode("latin-1").split("\r\n")[:-2]
        self.line = first.removesuffix(" HTTP/1.1")
        for line in lines:
            name, _colon, value = line.partition(": ")
            self.fields[name.lower()] = value

    @property
    def method(self) -> str:
        return self.line.split(" ")[0]

    @property
    def target(self) -> str:
        return self.line.split(" ")[1]


class MemoryStream:
    """The client's end of a connection."""

    def __init__(self, network: MemoryNetwork, host: str, number: int) -> None:
        self.host = host
        self.number = number
        self.closed = False
        self.peer = f"{host}#{network.moves.get(host, 0)}"
        self._network = network
        self._loop = asyncio.get_running_loop()
        self._to_client: deque[bytes] = deque()
        self._to_origin = bytearray()
        self._ended: OSError | None = None  # set when the origin has closed or reset
        self._waiters: list[asyncio.Future[bool]] = []
        self._then: asyncio.Future[bool] | None = None
        self.origin = OriginConnection(self)

    async def recv_into(self, buffer: memoryview, timeout_s: float) -> int:
        """Give the next piece, or as much of it as fits."""
        await self._network.before(f"receive {self.host}")
        until_s = self._loop.time() + timeout_s
        while True:
            if self.closed:
                raise ConnectionAbortedError("closed here")
            if self._to_client:
                return self._next_piece(buffer)
            if self._ended is not None:
                if isinstance(self._ended, ConnectionResetError):
                    raise ConnectionResetError("reset by the origin")
                return 0
            await self.changed(until_s)

    async def send_all(self, data: bytes | memoryview, timeout_s: float) -> None:
        """Take everything that there is room for, and wait for room."""
        await self._network.before(f"send {self.host}")
        view = memoryview(data)
        until_s = self._loop.time() + timeout_s
        while view:
            if self.closed:
                raise ConnectionAbortedError("closed here")
            if self._ended is not None:
                raise type(self._ended)("the origin has closed")
            room = self._network.room_bytes - len(self._to_origin)
            if room <= 0:
                await self.changed(until_s)
                continue
            self._to_origin += view[:room]
            view = view[room:]
            until_s = self._loop.time() + timeout_s
            self.wake()

    def send_now(self, data: bytes) -> int:
        """Take what there is room for; nothing where each step is the test's to allow."""
        if self.closed or self._ended is not None:
            raise BrokenPipeError("the connection is closed")
        if self._network.stepwise:
            return 0
        size = max(0, min(len(data), self._network.room_bytes - len(self._to_origin)))
        self._to_origin += data[:size]
        self.wake()
        return size

    def recv_now(self, buffer: memoryview) -> int | None:
        """Give the next piece, or as much of it as fits; None when there is none."""
        if self.closed or (not self._to_client and isinstance(self._ended, ConnectionResetError)):
            raise ConnectionResetError("reset")
        if not self._to_client:
            return None if self._ended is None else 0
        return self._next_piece(buffer)

    def _next_piece(self, buffer: memoryview) -> int:
        piece = self._to_client.popleft()
        size = min(len(piece), len(buffer))
        buffer[:size] = piece[:size]
        if size < len(piece):
            self._to_client.appendleft(piece[size:])
        self.wake()
        return size

    def when_readable(self, then: Callable[[bool], None], timeout_s: float) -> None:
        waiter: asyncio.Future[bool] = self._loop.create_future()
        self._then = waiter
        timer = self._loop.call_later(timeout_s, lambda: _settle(waiter, in_time=False))

        def changed(_waiter: asyncio.Future[bool]) -> None:
            timer.cancel()
            if self._then is waiter:
                self._then = None
                then(waiter.result())

        waiter.add_done_callback(changed)
        self._waiters.append(waiter)
        if self.closed or self._to_client or self._ended is not None:
            _settle(waiter, in_time=True)

    def stop_waiting(self) -> None:
        self._then = None

    def idle_and_alive(self) -> bool:
        return not self.closed and self._ended is None and not self._to_client

    def close(self) -> None:
        self.closed = True
        self.wake()

    # For both ends.

    def wake(self) -> None:
        """Let whoever waits see that something is different."""
        waiters, self._waiters = self._waiters, []
        for waiter in waiters:
            _settle(waiter, in_time=True)

    async def changed(self, until_s: float | None = None) -> None:
        """Wait until something is different. Raises StreamTimeout at this time of the loop."""
        waiter: asyncio.Future[bool] = self._loop.create_future()
        self._waiters.append(waiter)
        timer = None
        if until_s is not None:
            timer = self._loop.call_at(until_s, lambda: _settle(waiter, in_time=False))
        try:
            in_time = await waiter
        finally:
            if timer is not None:
                timer.cancel()
        if not in_time:
            raise StreamTimeout("nothing happened in time")


def _settle(waiter: asyncio.Future[bool], *, in_time: bool) -> None:
    if not waiter.done():
        waiter.set_result(in_time)


class OriginConnection:
    """The origin's end of a connection: what a script speaks through."""

    def __init__(self, stream: MemoryStream) -> None:
        self._stream = stream

    @property
    def number(self) -> int:
        """Return which connection to this origin it is, from 0 on."""
        return self._stream.number

    async def request(self) -> Heard:
        """Return the next request's head. Raises ClientGone."""
        data = self._stream._to_origin
        while (end := data.find(b"\r\n\r\n")) < 0:
            await self._client_there()
        head = bytes(data[: end + 4])
        del data[: end + 4]
        self._stream.wake()
        heard = Heard(self._stream.host, self.number, head)
        self._stream._network.requests.append(heard)
        return heard

    async def read(self, size: int) -> bytes:
        """Return so many bytes. Raises ClientGone."""
        data, found = self._stream._to_origin, b""
        while True:
            taken = bytes(data[: size - len(found)])
            del data[: len(taken)]
            found += taken
            if taken:
                self._stream.wake()
            if len(found) == size:
                return found
            await self._client_there()

    async def read_line(self) -> bytes:
        """Return a line without its end. Raises ClientGone."""
        line = b""
        while not line.endswith(b"\r\n"):
            line += await self.read(1)
        return line[:-2]

    async def body(self, heard: Heard) -> bytes:
        """Return a request's decoded body. Raises ClientGone."""
        if "chunked" not in heard.fields.get("transfer-encoding", ""):
            return await self.read(int(heard.fields.get("content-length", "0")))
        found = b""
        while size := int(await self.read_line(), 16):
            found += await self.read(size)
            await self.read(2)
        await self.read_line()
        return found

    def send(self, *pieces: bytes) -> None:
        """Send pieces. Each is what one read of the client brings. Raises ClientGone."""
        assert self._stream._ended is None, "the script has closed this connection"
        if self._stream.closed:
            raise ClientGone
        self._stream._to_client.extend(piece for piece in pieces if piece)
        self._stream.wake()

    def stir(self) -> None:
        """Have the client look, though nothing came: as a part of a record of TLS does."""
        self._stream.wake()

    async def taken(self) -> None:
        """Wait until the client has read everything that was sent. Raises ClientGone."""
        while self._stream._to_client:
            await self._client_there()

    async def gone(self) -> None:
        """Wait until the client has closed the connection."""
        while not self._stream.closed:
            await self._stream.changed()

    def close(self) -> None:
        """End the stream: the client reads what was sent, then its end."""
        self._end(BrokenPipeError())

    def reset(self) -> None:
        """Break the connection: the client reads what was sent, then gets an error."""
        self._end(ConnectionResetError())

    def _end(self, how: OSError) -> None:
        if self._stream._ended is None:
            self._stream._ended = how
            self._stream.wake()

    async def _client_there(self) -> None:
        if self._stream.closed:
            raise ClientGone
        await self._stream.changed()


class MemoryNetwork:
    """A `Network` of scripted origins."""

    def __init__(
        self,
        *,
        step: Callable[[str], Awaitable[None]] | None = None,
        room_bytes: int = 1 << 60,
    ) -> None:
        """`room_bytes` is how much a client can send before the origin reads."""
        self.connects: list[str] = []
        self.requests: list[Heard] = []
        self.streams: list[MemoryStream] = []
        self.failures: list[BaseException] = []
        self.moves: dict[str, int] = {}
        self.room_bytes = room_bytes
        self._step = step
        self._scripts: dict[str, deque[Script]] = {}
        self._failing: dict[str, Failure] = {}
        self._counts: dict[str, int] = {}
        self._running: set[asyncio.Task[None]] = set()

    # What a test says.

    def origin(self, host: str, *scripts: Script) -> None:
        """Let an origin (`host` or `host:port`) follow a script for each connection.

        The last one stays for all that follow.
        """
        assert scripts
        self._scripts[host] = deque(scripts)
        self._failing.pop(host, None)

    def fails(self, host: str, failure: Failure) -> None:
        """Let connecting fail: at once, or CONNECT_TIMEOUT after its time."""
        self._failing[host] = failure

    def move(self, host: str) -> None:
        """Let the origin's name lead elsewhere from now on."""
        self.moves[host] = self.moves.get(host, 0) + 1

    @property
    def open_streams(self) -> list[MemoryStream]:
        """Return the connections that the client has not closed."""
        return [stream for stream in self.streams if not stream.closed]

    # What the client uses.

    @property
    def stepwise(self) -> bool:
        """Whether a test's scheduler is asked before each operation."""
        return self._step is not None

    async def connect(self, endpoint: Endpoint, limit_s: float) -> MemoryStream:
        """Connect to a script. Raises OriginError."""
        authority = endpoint.authority.decode()
        known = self._scripts.keys() | self._failing.keys()
        host = authority if authority in known else endpoint.host
        await self.before(f"connect {host}")
        self.connects.append(host)
        failure = self._failing.get(host)
        if failure is Failure.CONNECT_TIMEOUT:
            await asyncio.sleep(limit_s)
        if failure is not None:
            raise OriginError(failure, f"{host} is made to fail")
        scripts = self._scripts.get(host)
        assert scripts is not None, f"the test has no origin {host}"
        script = scripts.popleft() if len(scripts) > 1 else scripts[0]
        number = self._counts[host] = self._counts.get(host, -1) + 1
        stream = MemoryStream(self, host, number)
        self.streams.append(stream)
        task = asyncio.get_running_loop().create_task(self._run(script, stream.origin))
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        return stream

    def moved(self, endpoint: Endpoint, stream: Stream) -> bool:
        assert isinstance(stream, MemoryStream)
        return stream.peer != f"{stream.host}#{self.moves.get(stream.host, 0)}"

    # The rest.

    async def before(self, what: str) -> None:
        """Take a step of the test's scheduler, if it has one."""
        if self._step is not None:
            await self._step(what)

    async def _run(self, script: Script, connection: OriginConnection) -> None:
        try:
            await script(connection)
        except ClientGone:
            pass
        except Exception as error:  # noqa: BLE001 - it is raised when the network is closed
            self.failures.append(error)
            connection.reset()
        else:
            connection.close()

    async def close(self) -> None:
        """Stop all scripts, and raise what one of them raised."""
        running = list(self._running)
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        if self.failures:
            raise self.failures[0]

    async def __aenter__(self) -> MemoryNetwork:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        where: TracebackType | None,
    ) -> None:
        await self.close()


# Steps of playbooks.


def playbook(*steps: Step) -> Script:
    """Return a script that takes these steps, one after the other."""

    async def play(connection: OriginConnection) -> None:
        for step in steps:
            if isinstance(step, bytes):
                connection.send(step)
            else:
                await step(connection)

    return play


def expect(
    line: str, *fields: str, without: tuple[str, ...] = (), body: bytes | None = None
) -> Script:
    """Return a step that reads a request and compares it: `expect("GET /a", "range: bytes=0-9")`.

    It may have other fields than these, but none of `without`.
    """

    async def step(connection: OriginConnection) -> None:
        heard = await connection.request()
        assert heard.line == line, f"{heard.line!r} is not {line!r}"
        for wanted in fields:
            name, _colon, value = wanted.partition(": ")
            assert heard.fields.get(name) == value, f"{wanted!r} is not in {heard.fields}"
        for name in without:
            assert name not in heard.fields, f"{name}: {heard.fields[name]}"
        if body is not None:
            assert await connection.body(heard) == body

    return step


async def any_request(connection: OriginConnection) -> None:
    """Read a request's head, whatever it is."""
    await connection.request()


async def taken(connection: OriginConnection) -> None:
    """Wait until the client has read everything that was sent."""
    await connection.taken()


async def stall(connection: OriginConnection) -> None:
    """Say nothing until the client gives up."""
    await connection.gone()


async def close(connection: OriginConnection) -> None:
    """End the stream."""
    connection.close()


async def reset(connection: OriginConnection) -> None:
    """Break the connection."""
    connection.reset()


def wait(seconds: float) -> Script:
    """Return a step that takes so long by the loop's clock."""

    async def step(_connection: OriginConnection) -> None:
        await asyncio.sleep(seconds)

    return step


def until(event: asyncio.Event) -> Script:
    """Return a step that waits for the test to set the event."""

    async def step(_connection: OriginConnection) -> None:
        await event.wait()

    return step


def serving(body: bytes, *fields: str, status: int = 200, piece_bytes: int = 16 * 1024) -> Script:
    """Return a script for an origin that has one body under every path and knows single ranges.

    `fields` are further ones of each response: `'ETag: "a"'`. Connections are kept.
    """
    more = "".join(f"{line}\r\n" for line in fields)

    async def serve(connection: OriginConnection) -> None:
        while True:
            heard = await connection.request()
            await connection.body(heard)
            found, code, where = body, status, ""
            wanted = re.fullmatch(r"bytes=(\d+)-(\d*)", heard.fields.get("range", ""))
            if wanted is not None and status == 200:
                start, last = int(wanted[1]), int(wanted[2] or len(body) - 1)
                if start >= len(body):
                    found, code, where = b"", 416, f"Content-Range: bytes */{len(body)}\r\n"
                else:
                    found, code = body[start : last + 1], 206
                    end = start + len(found) - 1
                    where = f"Content-Range: bytes {start}-{end}/{len(body)}\r\n"
            head = f"HTTP/1.1 {code} Scripted\r\nContent-Length: {len(found)}\r\n{where}{more}\r\n"
            connection.send(head.encode())
            if heard.method != "HEAD":
                for at in range(0, len(found), piece_bytes):
                    connection.send(found[at : at + piece_bytes])
            await connection.taken()

    return serve
