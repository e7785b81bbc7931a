"""The socket on which a node takes views: one connection, a document a line, an answer a line.

Who observes the network connects and writes; the newest connection counts, an older one is closed,
so that one that hangs keeps nobody out. A document is bounded, and so is the time that reading them
takes: who writes more waits. Each is answered `{"taken": true}`, `{"taken": false}` for the one in
force, or `{"refused": kind, "problem": text}`; after one that is too large the connection ends.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Self

import msgspec

from headrace.config.server import Listener
from headrace.node.listeners import ReservedAddress, reserve
from headrace.topology.view import View
from headrace.topology.view_codec import LARGEST_BYTES, Refusal, ViewError, encode_view

PAUSE_S = 0.05
"""After each document at least; more than 20 a second are of no use to anybody."""
PAUSES_PER_READING = 4.0
"""How many times longer than the reading of a document the pause after it is."""
ANSWERS_WAITING_BYTES = 64 * 1024
LONGEST_ANSWER_BYTES = 4096
MODE = 0o660

Offer = Callable[[bytes], bool]
"""Takes a document, returns whether it is new. Raises ViewError."""
Refuse = Callable[[ViewError], None]


class ViewAnswer(msgspec.Struct, omit_defaults=True):
    """What a node says of a document."""

    taken: bool | None = None
    refused: str = ""
    problem: str = ""


class ViewSocket:
    """The listening socket, and the connection that counts."""

    def __init__(self, reservation: ReservedAddress, offer: Offer, refuse: Refuse) -> None:
        self._reservation = reservation
        self._offer = offer
        self._refuse = refuse
        self._server: asyncio.Server | None = None
        self._newest: asyncio.StreamWriter | None = None
        # When the next document is read, whoever writes it: a new connection wins nothing.
        self._next_s = 0.0

    @classmethod
    async def open(cls, path: Path, offer: Offer, refuse: Refuse) -> Self:
        """Listen. Raises HeadraceError."""
        reservation = reserve(
            Listener(address=f"unix:{path.absolute()}", unix_mode=MODE, backlog=8)
        )
        opened = cls(reservation, offer, refuse)
        opened._server = await asyncio.start_unix_server(
            opened._connected, sock=reservation.socket.dup(), limit=LARGEST_BYTES
        )
        return opened

    async def close(self) -> None:
        """Close the socket and the connection."""
        if self._server is not None:
            self._server.close()
        if self._newest is not None:
            self._newest.close()
        self._reservation.release()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        former, self._newest = self._newest, writer
        if former is not None:
            former.transport.abort()
        try:
            with contextlib.suppress(OSError, asyncio.IncompleteReadError):
                await self._serve(reader, writer)
        finally:
            if self._newest is writer:
                self._newest = None
            writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        loop = asyncio.get_running_loop()
        while self._newest is writer:
            await asyncio.sleep(max(0.0, self._next_s - loop.time()))
            if self._newest is not writer:
                return
            try:
                line = await reader.readuntil(b"\n")
            except asyncio.LimitOverrunError:
                error = ViewError(Refusal.TOO_LARGE, f"a view has at most {LARGEST_BYTES} bytes")
                self._refuse(error)
                self._next_s = loop.time() + PAUSE_S
                writer.write(_line(ViewAnswer(refused=str(error.kind), problem=str(error))))
                return
            began_s = loop.time()
            try:
                answer = ViewAnswer(taken=self._offer(line))
            except ViewError as error:
                answer = ViewAnswer(refused=str(error.kind), problem=str(error))
            ended_s = loop.time()
            self._next_s = ended_s + max(PAUSE_S, (ended_s - began_s) * PAUSES_PER_READING)
            if writer.transport.get_write_buffer_size() > ANSWERS_WAITING_BYTES:
                return  # it reads no answers; it may come again
            writer.write(_line(answer))


def _line(answer: ViewAnswer) -> bytes:
    return msgspec.json.encode(answer) + b"\n"


def send_view(path: Path, view: View, timeout_s: float = 2.0) -> ViewAnswer:
    """Send a view to the node that listens on a socket; return what it says of it.

    A node that hangs costs the time and no more. Raises ViewError or OSError.
    """
    data = encode_view(view) + b"\n"
    until_s = time.monotonic() + timeout_s
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
        sock.settimeout(timeout_s)
        sock.connect(str(path))
        sock.sendall(data)
        answer = b""
        while not answer.endswith(b"\n") and len(answer) < LONGEST_ANSWER_BYTES:
            sock.settimeout(max(0.001, until_s - time.monotonic()))
            part = sock.recv(LONGEST_ANSWER_BYTES)
            if not part:
                raise ConnectionResetError("the node closed the connection")
            answer += part
    try:
        return msgspec.json.decode(answer, type=ViewAnswer)
    except msgspec.DecodeError:
        raise ConnectionError("what listens there is no node") from None
