"""The control channel between the supervisor and one worker: framed JSON over a socket pair.

Listening Unix sockets travel beside the messages as file descriptors. The channel says when the
other side is gone and decides nothing.
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
from headrace.node.messages import Configure, Message, Prepare, TakeNetwork

LENGTH_BYTES = 4
MESSAGE_LIMIT_BYTES = 64 * 1024 * 1024
READ_BYTES = 256 * 1024
FDS_PER_MESSAGE = 200  # Linux passes at most 253 descriptors at once


class ChannelError(HeadraceError):
    """The other side sent what this protocol does not know, or too much."""


_decoder: msgspec.json.Decoder[Message] = msgspec.json.Decoder(Message)
_encoder = msgspec.json.Encoder()


def encode(message: Message) -> bytes:
    """Return the message as a frame: four bytes of length (big-endian), then JSON."""
    body = _encoder.encode(message)
    return len(body).to_bytes(LENGTH_BYTES, "big") + body


class FrameReader:
    """Cut a byte stream into messages. Pure: bytes in, messages out."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> list[Message]:
        """Return the messages that `data` completes. Raises ChannelError on an unknown or
        huge one.
        """
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
        """Whether the other end is gone."""
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
        if isinstance(message, TakeNetwork):
            wanted = int(message.description)
        elif isinstance(message, Configure | Prepare):
            wanted = sum(1 for binding in message.bindings if binding.host is None)
        else:
            return []
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
