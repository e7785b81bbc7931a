"""The control channel between the supervisor and one worker: framed JSON over a socket pair.

Messages are values, tagged by their type; listening Unix sockets travel beside them as file
descriptors. The channel says when the other side is gone and decides nothing.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections import deque
from collections.abc import Callable, Sequence
from typing import Self

import msgspec

from headrace.errors import HeadraceError
from headrace.telemetry.metrics import Snapshot
from headrace.telemetry.reasons import Reason
from headrace.telemetry.watch import Figures, Followed

LENGTH_BYTES = 4
MESSAGE_LIMIT_BYTES = 64 * 1024 * 1024
READ_BYTES = 256 * 1024
FDS_PER_MESSAGE = 200  # Linux passes at most 253 descriptors at once


class ChannelError(HeadraceError):
    """The other side sent what this protocol does not know, or too much."""


class Binding(msgspec.Struct, frozen=True):
    """One listener as the workers shall open it.

    `address` is the listener's text in the config. For TCP, `host` and `port` are where to bind
    (the port is the real one, also where the config says 0), each worker with SO_REUSEPORT. For a
    Unix socket `host` is None and `port` 0: the listening descriptor comes with the message, in
    the order of the bindings whose `host` is None. `name` tells listeners apart.
    """

    address: str
    host: str | None
    port: int
    tls: bool = False
    backlog: int = 4096
    v6_only: bool = False

    @property
    def name(self) -> str:
        """The address in use: unlike `address` it differs where the config says port 0 twice."""
        return self.address if self.host is None else f"{self.host}:{self.port}"


# Supervisor to worker.


class Configure(msgspec.Struct, tag="configure"):
    """The first message a worker gets. It listens, then answers Ready (or Fatal).

    `config` is the Config model as JSON; `ticket_keys` is what ticket_keys.install takes.
    """

    worker: int
    version: int
    config: str
    bindings: list[Binding]
    ticket_keys: bytes
    draining: bool = False


class Prepare(msgspec.Struct, tag="prepare"):
    """A new config: check and build everything, change nothing. Answer Prepared or Refused.

    `bindings` is the whole new set. Descriptors come for every Unix socket in it; a worker that
    listens on that address already closes the newcomer and keeps its own.
    """

    version: int
    config: str
    bindings: list[Binding]
    ticket_keys: bytes


class Commit(msgspec.Struct, tag="commit"):
    """Every worker is prepared: switch to this version now. Answer Committed."""

    version: int


class Abandon(msgspec.Struct, tag="abandon"):
    """Some worker refused: forget this version and go on with the old one. No answer."""

    version: int


class Drain(msgspec.Struct, tag="drain"):
    """Keep serving, but answer with `Connection: close` and close idle connections."""


class Undrain(msgspec.Struct, tag="undrain"):
    """Serve as before the Drain."""


class Stop(msgspec.Struct, tag="stop"):
    """Stop accepting, finish what runs within `deadline_s` seconds, answer Drained, exit 0."""

    deadline_s: float


class GetStats(msgspec.Struct, tag="get_stats"):
    """Answer Stats with the same `number`; also the heartbeat."""

    number: int


class Check(msgspec.Struct, tag="check"):
    """Answer Checked with the same `number`: could a request be served now?"""

    number: int


class ReopenLogs(msgspec.Struct, tag="reopen_logs"):
    """Close and open the log files again, after a rotation."""


# Questions of those who look live. The supervisor asks for the next lines when the last ones are
# delivered, so that a slow follower costs a worker its bounded queue and the channel nothing.


class Follow(msgspec.Struct, tag="follow"):
    """Answer Lines: what waits for this follower, who begins with the first of these."""

    number: int
    follower: int
    filter: str
    lines_per_s: int
    sample: float


class Leave(msgspec.Struct, tag="leave"):
    """This follower is gone. No answer."""

    follower: int


class GetFigures(msgspec.Struct, tag="get_figures"):
    """Answer Seen: the figures since the last of these."""

    number: int


class GetReasons(msgspec.Struct, tag="get_reasons"):
    """Answer ReasonsAre: why responses of these keys (by their hashes) were not stored lately."""

    number: int
    key_hashes: list[bytes]


ToWorker = (
    Configure
    | Prepare
    | Commit
    | Abandon
    | Drain
    | Undrain
    | Stop
    | GetStats
    | Check
    | ReopenLogs
    | Follow
    | Leave
    | GetFigures
    | GetReasons
)


# Worker to supervisor.


class Ready(msgspec.Struct, tag="ready"):
    """The worker accepts connections on these addresses (each a Binding.name)."""

    pid: int
    listening: list[str]


class Prepared(msgspec.Struct, tag="prepared"):
    """The worker can switch to this version."""

    version: int


class Refused(msgspec.Struct, tag="refused"):
    """The worker cannot switch to this version and goes on with the old one."""

    version: int
    problem: str


class Committed(msgspec.Struct, tag="committed"):
    """The worker serves by this version."""

    version: int


class Stats(msgspec.Struct, tag="stats"):
    """The worker's metrics now, in answer to GetStats."""

    number: int
    snapshot: Snapshot


class Checked(msgspec.Struct, tag="checked"):
    """What a request would meet in this worker; `problem` is empty when it would be served."""

    number: int
    problem: str


class Fatal(msgspec.Struct, tag="fatal"):
    """The worker cannot serve and exits; the supervisor logs why."""

    problem: str


class Drained(msgspec.Struct, tag="drained"):
    """The worker has no connection left (or its deadline passed) and exits; last counts."""

    snapshot: Snapshot


class Lines(msgspec.Struct, tag="lines"):
    """In answer to Follow."""

    number: int
    followed: Followed


class Seen(msgspec.Struct, tag="seen"):
    """In answer to GetFigures. `connections` are the clients with most of them, by what may be
    shown of their addresses; `unlisted` are the connections of all others."""

    number: int
    figures: Figures
    connections: dict[str, int]
    unlisted: int


class ReasonsAre(msgspec.Struct, tag="reasons"):
    """In answer to GetReasons, in the order of its keys."""

    number: int
    reasons: list[list[Reason]]


FromWorker = (
    Ready
    | Prepared
    | Refused
    | Committed
    | Stats
    | Checked
    | Fatal
    | Drained
    | Lines
    | Seen
    | ReasonsAre
)

Message = ToWorker | FromWorker

_decoder: msgspec.json.Decoder[Message] = msgspec.json.Decoder(Message)
_encoder = msgspec.json.Encoder()


def encode(message: Message) -> bytes:
    """The message as a frame: four bytes of length (big-endian), then JSON."""
    body = _encoder.encode(message)
    return len(body).to_bytes(LENGTH_BYTES, "big") + body


class FrameReader:
    """Cut a byte stream into messages. Pure: bytes in, messages out."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> list[Message]:
        """The messages that `data` completes. Raise ChannelError on an unknown or huge one."""
        buffer = self._buffer
        buffer += data
        messages: list[Message] = []
        while len(buffer) >= LENGTH_BYTES:
            length = int.from_bytes(buffer[:LENGTH_BYTES], "big")
            if length > MESSAGE_LIMIT_BYTES:
                raise ChannelError(f"a control message of {length} bytes is over the limit")
            if len(buffer) < LENGTH_BYTES + length:
                break
            body = bytes(buffer[LENGTH_BYTES : LENGTH_BYTES + length])
            del buffer[: LENGTH_BYTES + length]
            try:
                messages.append(_decoder.decode(body))
            except msgspec.DecodeError as error:
                raise ChannelError(f"a control message cannot be read: {error}") from error
        return messages


OnMessage = Callable[[Message, list[int]], None]
"""Called with a message and the descriptors that came with it, which the callee then owns."""

OnClosed = Callable[[], None]


class Channel:
    """One end of the control socket on the running event loop; the same on both sides.

    `send` never blocks: what the socket does not take at once waits in memory. `on_closed` is
    called once, when the other side is gone (not after this side's own `close`).
    """

    def __init__(self, sock: socket.socket, on_message: OnMessage, on_closed: OnClosed) -> None:
        sock.setblocking(False)
        self._sock = sock
        self._on_message = on_message
        self._on_closed = on_closed
        self._reader = FrameReader()
        self._descriptors: deque[int] = deque()
        self._unsent: deque[tuple[memoryview, list[int]]] = deque()
        self._loop = asyncio.get_running_loop()
        self._closed = False
        self._loop.add_reader(sock.fileno(), self._readable)

    @property
    def closed(self) -> bool:
        return self._closed

    def send(self, message: Message, descriptors: Sequence[int] = ()) -> None:
        """Queue a message; after the end of the other side it is dropped."""
        if self._closed:
            return
        self._unsent.append((memoryview(encode(message)), list(descriptors)))
        if len(self._unsent) == 1:
            self._writable()

    def close(self) -> None:
        """Stop reading and writing and close the socket. Idempotent."""
        if self._closed:
            return
        self._closed = True
        self._loop.remove_reader(self._sock.fileno())
        self._loop.remove_writer(self._sock.fileno())
        self._sock.close()
        while self._descriptors:
            os.close(self._descriptors.popleft())

    def _lost(self) -> None:
        if not self._closed:
            self.close()
            self._on_closed()

    def _readable(self) -> None:
        try:
            data, descriptors, _flags, _address = socket.recv_fds(
                self._sock, READ_BYTES, FDS_PER_MESSAGE
            )
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            self._lost()
            return
        self._descriptors.extend(descriptors)
        if not data:
            self._lost()
            return
        for message in self._reader.feed(data):
            self._on_message(message, self._take_descriptors(message))
            if self._closed:
                return

    def _take_descriptors(self, message: Message) -> list[int]:
        # Descriptors arrive with the first byte of their frame, so they are never late.
        if not isinstance(message, Configure | Prepare):
            return []
        wanted = sum(1 for binding in message.bindings if binding.host is None)
        if wanted > len(self._descriptors):
            raise ChannelError(f"a message lacks {wanted - len(self._descriptors)} descriptors")
        return [self._descriptors.popleft() for _ in range(wanted)]

    def _writable(self) -> None:
        while self._unsent:
            frame, descriptors = self._unsent[0]
            try:
                if descriptors:
                    sent = socket.send_fds(self._sock, [frame], descriptors)
                else:
                    sent = self._sock.send(frame)
            except (BlockingIOError, InterruptedError):
                self._loop.add_writer(self._sock.fileno(), self._writable)
                return
            except OSError:
                self._unsent.clear()
                self._loop.remove_writer(self._sock.fileno())
                return  # reading will find the end, after the other side's last words
            if sent < len(frame):
                self._unsent[0] = (frame[sent:], [])
            else:
                self._unsent.popleft()
        self._loop.remove_writer(self._sock.fileno())


class WorkerChannel(Channel):
    """The worker's end. When the supervisor is gone, `on_closed` is to drain and exit."""

    @classmethod
    async def connect(cls, fd: int, on_message: OnMessage, on_closed: OnClosed) -> Self:
        """Take over the inherited descriptor `fd` on the running loop."""
        return cls(socket.socket(fileno=fd), on_message, on_closed)
