"""A client and its requests in memory: what a handler is given instead of a connection.

    client = MemoryClient(handler, asyncio.get_running_loop())
    film = client.ask(b"GET /film HTTP/1.1\r\nHost: h\r\n\r\n")
    await film.done()
    assert (film.status, film.fields["age"], film.body) == (200, "0", b"...")

The request comes as bytes, read by the real parser; bytes after the head are the beginning of a
body (`send` has more, `shut` ends the sending early). What the handler answers is collected as
`status`, `fields`, `body`, `trailers`, `interims`. `outcome` says how it ended: "complete", a word
like "origin_failed" when it was cut off, "client_gone" after `leave`; "" while it runs.

A client reads everything at once, unless `reads` bounds it: `client.ask(..., reads=0)` reads
nothing, not even the head, `film.read(100)` then a head and 99 bytes, `film.read()` all. Nothing
of a response is copied before the client reads it, so that a file may be damaged meanwhile.
`leave` may be called at any moment: whoever waits on the exchange then gets ClientGone.

For tests that explore interleavings, `step` is awaited wherever the handler waits on the client:
"flushed" and "read body".
"""

from __future__ import annotations

import asyncio
import math
from collections import deque
from collections.abc import Awaitable, Callable

from msgspec.structs import replace

from headrace.edge.hot import AnyHit
from headrace.http.chunked import BadChunking, ChunkedDecoder
from headrace.http.message import Field
from headrace.http.parser import (
    BadRequest,
    HeadLimits,
    RequestHead,
    RequestParser,
    find_head_end,
)
from headrace.http.server.exchange import NO_FLOWS, ClientGone, Handler
from headrace.http.server.head_cache import HeadCache
from headrace.http.server.send_queue import DAMAGE, BodyDamaged, Residency, View, read_body

Step = Callable[[str], Awaitable[None]]
CLIENT_ADDRESS = "192.0.2.1"


class MemoryClient:
    """A client connection: requests one after the other, until `open` is false.

    With `covers` it is a TLS connection whose certificate speaks for these hosts. `heads` are what
    its server knows of heads, where other connections know them too.
    """

    def __init__(
        self,
        handler: Handler,
        loop: asyncio.AbstractEventLoop,
        *,
        address: str = CLIENT_ADDRESS,
        covers: tuple[str, ...] | None = None,
        limits: HeadLimits | None = None,
        heads: HeadCache | None = None,
        step: Step | None = None,
    ) -> None:
        self.handler = handler
        self.loop = loop
        self.address = address
        self.covers = covers
        self.covered: bytes | None = None
        self.peers_only = False
        self.limits = limits or HeadLimits()
        self.parser = RequestParser(self.limits)
        self.heads = heads or HeadCache(self.parser)
        self.step = step
        self.open = True
        self.exchanges: list[MemoryExchange] = []

    def ask(self, request: bytes, *, reads: float = math.inf) -> MemoryExchange:
        """Send a request: the whole head, and as much of the body as there is."""
        assert self.open, "this connection is closed"
        assert all(each.outcome for each in self.exchanges), "the last answer is still coming"
        exchange = MemoryExchange(self, reads)
        self.exchanges.append(exchange)
        exchange.begin(request)
        return exchange


class MemoryExchange:
    """One request and its response: see `headrace.http.server.exchange.Exchange`."""

    def __init__(self, client: MemoryClient, reads: float) -> None:
        self.client = client
        self.address = client.address
        self.tls = client.covers is not None
        self.peers_only = client.peers_only
        self.head: RequestHead | None = None
        self.request: RequestHead | None = None  # the head, which stays when the answer has ended
        self.context: object = None
        self.flows = NO_FLOWS
        self.covered = client.covered
        self.head_only = False
        self.keep_alive = True
        self.status = 0
        self.bytes_sent = 0
        self.began = client.loop.time()
        self.first_byte = 0.0
        self.ended = 0.0
        # What the client has got.
        self.head_read = False
        self.fields: dict[str, str] = {}
        self.field_lines: list[tuple[str, str]] = []
        self.body = b""
        self.trailers: list[Field] = []
        self.interims: list[tuple[int, list[Field]]] = []
        self.framing = ""
        self.outcome = ""
        self.refusal: BadRequest | None = None
        self.word = ""  # the log's word for what the cache did
        self.hot = False  # answered from what is prepared
        self._reads = reads
        self._queue: deque[_Head | View] = deque()
        self._trailers: list[Field] | None = None
        self._answered = self._asked_again = False
        self._waiters: list[asyncio.Future[None]] = []
        self._received = b""
        self._body_left = 0
        self._decoder: ChunkedDecoder | None = None
        self._shut = False

    # The client's side.

    def begin(self, data: bytes) -> None:
        """Hand the request to the handler."""
        client = self.client
        try:
            end = find_head_end(data, client.limits)
            assert end >= 0, "a request begins with a whole head"
            known, text = client.heads, data[:end]
            head = known.exact.get(text) or known.read(text) or client.parser.parse(text)
        except BadRequest as error:
            self.refuse(error)
            return
        if self.peers_only:
            head = replace(head, plain=False, lone_range=None)  # as `PeerConnection` does
        self.head = self.request = head
        self.head_only = head.method == b"HEAD"
        self.keep_alive = head.keep_alive
        self._received = data[end:]
        self._body_left = max(head.body_bytes, 0)
        if head.body_bytes < 0:
            self._decoder = ChunkedDecoder()
        client.handler.handle(self)

    def send(self, data: bytes) -> None:
        """Send more of the request's body."""
        self._received += data
        self._wake()

    def shut(self) -> None:
        """Send nothing more, whatever is missing; the answer is still read."""
        self._shut = True
        self._wake()

    def read(self, size: float = math.inf) -> None:
        """Read so much more of the response; a head counts as one byte."""
        self._reads += size
        self._pump()

    def leave(self) -> None:
        """Close the connection, whatever is under way."""
        self.abort("client_gone")

    async def until_head(self) -> None:
        """Wait until the client has the response's head, or it has ended."""
        while not self.head_read and not self.outcome:
            await self._changed()

    async def until_body(self, size: int) -> None:
        """Wait until the client has so much of the body, or it has ended."""
        while len(self.body) < size and not self.outcome:
            await self._changed()

    async def done(self) -> MemoryExchange:
        """Wait until the response has ended, in whatever way."""
        while not self.outcome:
            await self._changed()
        return self

    @property
    def cache_status(self) -> str:
        """The Cache-Status field, less the edge's name."""
        return self.fields.get("cache-status", "").partition("; ")[2]

    @property
    def detail(self) -> str:
        """The detail that Cache-Status gives."""
        return self.cache_status.partition('detail="')[2].partition('"')[0]

    @property
    def seen(self) -> tuple[int, bytes, str]:
        """Status, body, and the log's word."""
        return self.status, self.body, self.word

    # The handler's side: see `Exchange`.

    @property
    def has_body(self) -> bool:
        """See `Exchange`."""
        return self._body_left != 0 or self._decoder is not None

    @property
    def client_certificate(self) -> None:
        """See `Exchange`."""
        return

    @property
    def tls_version(self) -> str | None:
        """See `Exchange`."""
        return "TLSv1.3" if self.tls else None

    def certificate_covers(self, host: str) -> bool:
        """See `Exchange`."""
        covers = self.client.covers
        return covers is None or host in covers

    async def read_body(self) -> bytes:
        """See `Exchange`."""
        await self._step("read body")
        while self.has_body:
            if self._received:
                piece = self._take_body()
                if piece:
                    return piece
                continue
            if self._shut or self.outcome:
                raise ClientGone("the client left before the end of its request")
            await self._changed()
        return b""

    def interim(self, status: int, fields: list[Field]) -> None:
        """See `Exchange`."""
        if not self.outcome and self.head is not None and self.head.version == (1, 1):
            self.interims.append((status, fields))
            self._wake()

    def respond(
        self,
        status: int,
        prepared: bytes,
        body: memoryview | None = None,
        residency: Residency | None = None,
        offset: int = 0,
    ) -> None:
        """See `Exchange`."""
        at_once = not self._queue and self._reads > 1
        pieces: list[View] = [] if body is None else [(body, residency, offset)]
        if at_once and residency is not None and body is not None and not self.head_only:
            try:
                read_body(residency, offset, memoryview(bytearray(len(body))))
            except BodyDamaged as error:
                residency.damaged(str(error))
                self._ask_again()
                return
        self.respond_in_pieces(status, prepared, pieces)

    def respond_in_pieces(self, status: int, prepared: bytes, pieces: list[View]) -> None:
        """See `Exchange`."""
        self._check_unanswered()
        self.status = status
        self._settle_keep_alive()
        head = _parsed(prepared)
        assert head.status == status
        assert head.fields.get("content-length") or status in (204, 304)
        self._queue.append(head)
        if not self.head_only:
            self._queue.extend(piece for piece in pieces if len(piece[0]))
        self._answered = True
        self._pump()

    def respond_at_once(self, status: int, whole: bytes) -> None:
        """See `Exchange`."""
        assert self.keep_alive
        assert not self.head_only
        end = whole.index(b"\r\n\r\n") + 4
        self.respond_in_pieces(status, whole[:end], [(memoryview(whole)[end:], None, 0)])

    def start(self, status: int, fields: list[Field], body_bytes: int | None) -> None:
        """See `Exchange`."""
        self._check_unanswered()
        self.status = status
        self._settle_keep_alive()
        old = self.head is not None and self.head.version == (1, 0)
        framing = ""
        for name, _value in fields:
            assert name not in (b"content-length", b"transfer-encoding", b"connection"), name
        if body_bytes is not None:
            if status not in (204, 304) or body_bytes:
                framing = f"length {body_bytes}"
        elif old:
            self.keep_alive = False
            framing = "close"
        else:
            framing = "chunked"
        lines = [(name.decode(), value.decode("latin-1")) for name, value in fields]
        self._queue.append(_Head(status, lines, framing))
        if body_bytes == 0 or self.head_only:
            self._pump()

    def queue(self, view: memoryview, residency: Residency | None = None, offset: int = 0) -> None:
        """See `Exchange`."""
        if self.head_only or not len(view):
            return
        if self.outcome:
            raise ClientGone("the client left")
        assert self.status, "a body before its head"
        self._queue.append((view, residency, offset))
        self._pump()

    def push(self) -> None:
        """See `Exchange`."""
        self._pump()

    async def flushed(self) -> None:
        """See `Exchange`."""
        await self._step("flushed")
        while self._queue and not self.outcome:
            await self._changed()
        if self.outcome:
            raise ClientGone("the client left")

    def finish(self, trailers: list[Field] | None = None) -> None:
        """See `Exchange`."""
        if not self.outcome:
            self._trailers = trailers
            self._answered = True
            self._pump()

    def discard_unsent(self) -> bool:
        """See `Exchange`."""
        if self.bytes_sent or self._answered or self.outcome:
            return False
        self._queue.clear()
        self.status = 0
        return True

    def refuse(self, error: BadRequest) -> None:
        """See `Exchange`."""
        assert not self.bytes_sent, "refused after an answer has begun"
        self.refusal = error
        self.keep_alive = False
        self.client.handler.refused(self, error)

    def abort(self, reason: str) -> None:
        """See `Exchange`."""
        if not self.outcome:
            self._queue.clear()
            self.client.open = False
            self._end(reason)

    # The rest.

    def _check_unanswered(self) -> None:
        assert not self.outcome or self.outcome == "client_gone", "answered twice"
        assert not self._answered, "answered twice"

    def _settle_keep_alive(self) -> None:
        if self.has_body or self._shut:
            self.keep_alive = False

    def _take_body(self) -> bytes:
        data, self._received = self._received, b""
        if self._decoder is None:
            piece, self._received = data[: self._body_left], data[self._body_left :]
            self._body_left -= len(piece)
            return piece
        try:
            pieces = self._decoder.feed(data)
        except BadChunking as error:
            self.keep_alive = False
            raise BadRequest(400, str(error)) from error
        if self._decoder.complete:
            self._received = self._decoder.rest
            self._decoder = None
        return b"".join(pieces)

    def _ask_again(self) -> None:
        if self._asked_again:
            self.abort("store_failed")
            return
        self._asked_again = True
        self.status = 0
        self.context = None
        self.client.handler.handle(self)

    def _pump(self) -> None:
        """Give the client what it reads."""
        while self._queue and self._reads > 0 and not self.outcome:
            first = self._queue.popleft()
            if isinstance(first, _Head):
                self._read_head(first)
            else:
                self._read_body(*first)
        if self.outcome:
            self._queue.clear()
            return
        self._wake()
        if self._answered and not self._queue:
            self._end("complete")

    def _read_head(self, head: _Head) -> None:
        self._count(1)
        self.head_read = True
        self.field_lines = head.lines
        self.fields = head.fields
        self.framing = head.framing

    def _read_body(self, view: memoryview, residency: Residency | None, offset: int) -> None:
        size = int(min(len(view), self._reads))
        if size < len(view):
            self._queue.appendleft((view[size:], residency, offset + size))
        piece: bytes | bytearray
        if residency is None or residency.fd < 0:
            piece = bytes(view[:size])  # a mapping outlives its descriptor
        else:
            piece = bytearray(size)
            try:
                if not residency.resident(offset, size):
                    self.client.handler.event("cold_read", "disk")
                    residency.load(offset, size)
                read_body(residency, offset, memoryview(piece))
            except BodyDamaged as error:
                residency.damaged(str(error))
                self.abort("store_failed")
                return
            except OSError as error:
                if error.errno in DAMAGE:
                    residency.damaged("a body file cannot be brought into memory")
                self.abort("store_failed")
                return
        self.body += piece
        self._count(size)

    def _count(self, size: int) -> None:
        if not self.bytes_sent:
            self.first_byte = self.client.loop.time()
        self.bytes_sent += size
        self._reads -= size

    def _end(self, outcome: str) -> None:
        self.outcome = outcome
        self.ended = self.client.loop.time() or 1e-9
        if outcome == "complete":
            self._check_framing()
            self.trailers = self._trailers or []
        self.client.covered = self.covered
        if self.has_body or not self.keep_alive:
            self.client.open = False
        context = self.context
        self.hot = isinstance(context, AnyHit)
        self.word = "hit" if self.hot else getattr(context, "cache", "")
        self.client.handler.finished(self, outcome)
        self.context = self.head = None
        self._wake()

    def _check_framing(self) -> None:
        """What was sent must be what the head announced."""
        if self.framing.startswith("length ") and not self.head_only:
            announced = int(self.framing.removeprefix("length "))
            assert len(self.body) == announced, f"{len(self.body)} bytes instead of {announced}"

    async def _step(self, what: str) -> None:
        if self.client.step is not None:
            await self.client.step(what)

    def _wake(self) -> None:
        waiters, self._waiters = self._waiters, []
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(None)

    async def _changed(self) -> None:
        waiter: asyncio.Future[None] = self.client.loop.create_future()
        self._waiters.append(waiter)
        await waiter


class _Head:
    """A response's head, on its way."""

    def __init__(self, status: int, lines: list[tuple[str, str]], framing: str) -> None:
        self.status = status
        self.lines = lines
        self.framing = framing
        self.fields: dict[str, str] = {}
        for name, value in lines:
            known = self.fields.get(name)
            self.fields[name] = value if known is None else f"{known}, {value}"


def _parsed(prepared: bytes) -> _Head:
    first, *lines = prepared.decode("latin-1").split("\r\n")
    assert lines[-2:] == ["", ""], "a prepared head ends with its blank line"
    fields = [(name.lower(), value) for name, _, value in (line.partition(": ") for line in lines)]
    fields = fields[:-2]
    length = dict(fields).get("content-length")
    framing = "" if length is None else f"length {length}"
    return _Head(int(first.split(" ")[1]), fields, framing)
