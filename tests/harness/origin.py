"""An origin server that does as it is told, however wrong: scripted per path, on a thread.

It records every request, and can hold an answer until the test opens a gate. What it may be told
is in `replies`.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator, Sequence
from types import TracebackType
from typing import Self

from tests.harness.bodies import Body
from tests.harness.polling import eventually
from tests.harness.replies import Gate, Recorded, Reply, Script, answer

PIECE_BYTES = 64 * 1024
BODYLESS = (204, 304)
RESET = struct.pack("ii", 1, 0)


class Hangup(Exception):
    """The script says to end this connection now."""

    def __init__(self, reset: bool) -> None:
        super().__init__()
        self.reset = reset


class Origin:
    """Listens on a free port of 127.0.0.1 (or the one given) while it is entered."""

    def __init__(self, *, tls: ssl.SSLContext | None = None, port: int = 0) -> None:
        self._tls = tls
        self._wanted_port = port
        self._scripts: dict[str, Script] = {}
        self._turns: dict[str, int] = {}
        self._under: dict[str, Callable[[Recorded], Reply]] = {}
        self.requests: list[Recorded] = []
        self.keep_requests = True
        self.connections = 0
        self._numbers = itertools.count(1)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="origin", daemon=True)
        self._started = threading.Event()
        self._writers: set[asyncio.StreamWriter] = set()
        self.port = 0

    # For tests.

    @property
    def url(self) -> str:
        name = "https://localhost" if self._tls is not None else "http://127.0.0.1"
        return f"{name}:{self.port}"

    def serve(self, path: str, script: Script) -> None:
        """Answer this path (without query) by `script`. A sequence goes reply by reply and
        stays at its last; a function is asked for each request.
        """
        self._turns[path] = 0
        self._scripts[path] = script

    def serve_under(self, prefix: str, script: Callable[[Recorded], Reply]) -> None:
        """Answer every path with this prefix that has no script of its own."""
        self._under[prefix] = script

    def asked(self, path: str) -> list[Recorded]:
        """The requests for this path so far, in order."""
        return [request for request in list(self.requests) if request.path == path]

    def count(self, path: str) -> int:
        return len(self.asked(path))

    def wait_for(self, path: str, count: int = 1, timeout_s: float = 30.0) -> Recorded:
        """Wait until so many requests for the path have come; the last of them."""
        eventually(
            lambda: self.count(path) >= count, f"{path} was asked for {count} times", timeout_s
        )
        return self.asked(path)[count - 1]

    def hang_up(self) -> None:
        """Close every open connection now, orderly, as a restarting server does."""
        self._call(self._close_all)

    def refuse(self) -> None:
        """Stop listening and close what is open: connects are refused from now on."""
        self._call(self._stop_listening)
        self.hang_up()

    def listen_again(self) -> None:
        """Undo `refuse`, on the same port."""
        asyncio.run_coroutine_threadsafe(self._listen(self.port), self._loop).result(10)

    def __enter__(self) -> Self:
        self._thread.start()
        if not self._started.wait(10):
            raise RuntimeError("the scripted origin does not start")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        asyncio.run_coroutine_threadsafe(self._shut(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    # The thread.

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._listen(self._wanted_port))
        self._started.set()
        self._loop.run_forever()

    def _call(self, action: Callable[[], None]) -> None:
        done = threading.Event()

        def run() -> None:
            action()
            done.set()

        self._loop.call_soon_threadsafe(run)
        done.wait(10)

    async def _listen(self, port: int) -> None:
        self._server = await asyncio.start_server(
            self._connected, "127.0.0.1", port, ssl=self._tls, backlog=1024
        )
        self.port = self._server.sockets[0].getsockname()[1]

    def _stop_listening(self) -> None:
        self._server.close()

    def _close_all(self) -> None:
        for writer in list(self._writers):
            writer.close()

    async def _shut(self) -> None:
        self._server.close()
        for writer in list(self._writers):
            writer.transport.abort()
        tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._writers.add(writer)
        # So that `drain` means "with the kernel". (0 would stop asyncio's TLS for good.)
        writer.transport.set_write_buffer_limits(1, 0)
        conversation = Conversation(self, reader, writer, self.connections)
        try:
            await conversation.run()
        except Hangup as hangup:
            if hangup.reset:
                sock = writer.get_extra_info("socket")
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
                writer.transport.abort()
        except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            conversation.broke()
        except asyncio.CancelledError:
            conversation.broke()
        finally:
            self._writers.discard(writer)
            with contextlib.suppress(OSError, RuntimeError):
                writer.close()

    def take(self, request: Recorded) -> Reply | Callable[[Recorded], Reply]:
        """Record a request, and find its reply or who makes it (once the body is there)."""
        if self.keep_requests:
            self.requests.append(request)
        script = self._scripts.get(request.path) or self._script_under(request.path)
        if isinstance(script, Sequence):
            turn = self._turns[request.path]
            self._turns[request.path] = turn + 1
            return script[min(turn, len(script) - 1)]
        return script

    def _script_under(self, path: str) -> Script:
        for prefix, script in self._under.items():
            if path.startswith(prefix):
                return script
        return Reply(status=404)

    def number(self) -> int:
        return next(self._numbers)


class Conversation:
    """One connection to the origin: requests in, scripted replies out."""

    def __init__(
        self,
        origin: Origin,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        connection: int,
    ) -> None:
        self._origin = origin
        self._reader = reader
        self._writer = writer
        self._connection = connection
        self._request: Recorded | None = None

    def broke(self) -> None:
        if self._request is not None:
            self._request.broken = True

    async def run(self) -> None:
        while True:
            self._request = None
            head = await self._reader.readuntil(b"\r\n\r\n")
            request = self._parse(head)
            self._request = request
            script = self._origin.take(request)
            if isinstance(script, Reply):
                reply = script
            else:
                await self._read_body(request, says_100=True)
                reply = script(request)
            reply = answer(reply, request)
            if not reply.before_body:
                await self._read_body(request, says_100=reply.says_100)
            await self._send(request, reply)
            if reply.before_body:
                await self._read_body(request, says_100=reply.says_100)
            if not reply.keep_alive or reply.close_after or reply.framing == "close":
                raise Hangup(reset=False)

    def _parse(self, head: bytes) -> Recorded:
        lines = head.decode("latin-1").split("\r\n")[:-2]
        method, target, version = lines[0].split(" ")
        fields = []
        for line in lines[1:]:
            name, _, value = line.partition(":")
            fields.append((name, value.strip()))
        number = self._origin.number()
        return Recorded(number, self._connection, method, target, version, tuple(fields))

    async def _read_body(self, request: Recorded, *, says_100: bool) -> None:
        if request.complete:
            return
        expects = (request.header("expect") or "").lower() == "100-continue"
        if expects and says_100:
            await self._write(b"HTTP/1.1 100 Continue\r\n\r\n")
        length = request.header("content-length")
        if request.header("transfer-encoding") is not None:
            await self._read_chunks(request)
        elif length is not None:
            while request.received_bytes < int(length):
                left = int(length) - request.received_bytes
                data = await self._reader.read(min(left, PIECE_BYTES))
                if not data:
                    raise ConnectionResetError
                request.take(data)
        request.complete = True

    async def _read_chunks(self, request: Recorded) -> None:
        while True:
            size = int((await self._reader.readuntil(b"\r\n")).split(b";")[0], 16)
            if size == 0:
                break
            while size:
                data = await self._reader.readexactly(min(size, PIECE_BYTES))
                request.take(data)
                size -= len(data)
            await self._reader.readexactly(2)
        trailers = []
        while (line := await self._reader.readuntil(b"\r\n")) != b"\r\n":
            name, _, value = line.decode("latin-1").partition(":")
            trailers.append((name, value.strip()))
        request.trailers = tuple(trailers)

    # Sending.

    async def _send(self, request: Recorded, reply: Reply) -> None:
        if reply.hold is not None:
            await _opened(reply.hold)
        if reply.delay_s:
            await asyncio.sleep(reply.delay_s)
        if reply.end is not None and reply.end.where == "before_head":
            raise Hangup(reply.end.reset)
        if reply.raw is not None:
            await self._send_raw(reply.raw, reply.raw_drip)
            raise Hangup(reset=False)
        for status, fields in reply.interim:
            await self._write(_head(status, fields))
        head = _head(reply.status, (*reply.headers, *_framing(reply)))
        if reply.end is not None and reply.end.where == "in_head":
            await self._write(head[: len(head) // 2])
            raise Hangup(reply.end.reset)
        if reply.head_drip_s:
            for at in range(len(head)):
                await self._write(head[at : at + 1])
                await asyncio.sleep(reply.head_drip_s)
        else:
            await self._write(head)
        if request.method != "HEAD" and reply.status not in BODYLESS:
            await self._send_body(reply)

    async def _send_raw(self, data: bytes, drip: tuple[int, float] | None) -> None:
        after, every_s = drip or (len(data), 0.0)
        await self._write(data[:after])
        for at in range(after, len(data)):
            await self._write(data[at : at + 1])
            await asyncio.sleep(every_s)

    async def _send_body(self, reply: Reply) -> None:
        sent = 0
        chunked = reply.framing == "chunked"
        await self._at(reply, 0)
        for piece in _cut(reply):
            if reply.bad_chunking == "size" and sent:
                await self._write(b"zz\r\n" + piece + b"\r\n")
                raise Hangup(reset=False)
            if chunked:
                end = b"" if reply.bad_chunking == "no_crlf" else b"\r\n"
                await self._write(b"%x\r\n" % len(piece) + piece + end)
            else:
                last = sent + len(piece) == reply.body_bytes
                await self._write(piece + reply.extra if last else piece)
            sent += len(piece)
            if reply.drip is not None:
                await asyncio.sleep(reply.drip.every_s)
            await self._at(reply, sent)
        if chunked:
            if reply.bad_chunking == "no_end":
                raise Hangup(reset=False)
            lines = "".join(f"{name}: {value}\r\n" for name, value in reply.trailers)
            await self._write(b"0\r\n" + lines.encode("latin-1") + b"\r\n")

    async def _at(self, reply: Reply, sent: int) -> None:
        """Do what the script says for this place of the body."""
        if reply.pause is not None and sent == reply.pause.at:
            if reply.pause.gate is not None:
                await _opened(reply.pause.gate)
            await asyncio.sleep(reply.pause.seconds)
        if reply.end is not None and sent == reply.end.where:
            raise Hangup(reply.end.reset)

    async def _write(self, data: bytes) -> None:
        self._writer.write(data)
        await self._writer.drain()


def _cut(reply: Reply) -> Iterator[bytes]:
    """The body in pieces, with cuts where the script pauses or ends."""
    stop = reply.start + reply.body_bytes
    cuts = {stop}
    if reply.pause is not None:
        cuts.add(reply.start + reply.pause.at)
    if reply.end is not None and isinstance(reply.end.where, int):
        cuts.add(reply.start + reply.end.where)
    size = reply.drip.piece_bytes if reply.drip is not None else PIECE_BYTES
    if reply.framing == "chunked" and reply.drip is None:
        size = max(1, min(PIECE_BYTES, reply.body_bytes // 2 or 1))
    position = reply.start
    while position < stop:
        end = min([position + size, *(cut for cut in cuts if cut > position)])
        body = reply.body
        yield body.read(position, end) if isinstance(body, Body) else body[position:end]
        position = end


def _framing(reply: Reply) -> list[tuple[str, str]]:
    fields = []
    if reply.framing == "chunked":
        fields.append(("Transfer-Encoding", "chunked"))
        if reply.trailers:
            fields.append(("Trailer", ", ".join(name for name, _ in reply.trailers)))
    elif reply.framing == "length" and reply.status not in BODYLESS:
        length = reply.body_bytes if reply.length is None else reply.length
        fields.append(("Content-Length", str(length)))
    if not reply.keep_alive or reply.framing == "close":
        fields.append(("Connection", "close"))
    return fields


def _head(status: int, fields: Sequence[tuple[str, str]]) -> bytes:
    lines = "".join(f"{name}: {value}\r\n" for name, value in fields)
    return f"HTTP/1.1 {status} Scripted\r\n{lines}\r\n".encode("latin-1")


async def _opened(gate: Gate) -> None:
    await asyncio.shield(asyncio.wrap_future(gate.future))
