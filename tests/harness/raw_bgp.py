"""A router that says whatever a test wants, byte by byte."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from collections.abc import Callable, Iterable
from ipaddress import IPv4Network, ip_network
from typing import Self

KEEPALIVE_S = 1.0
ORIGIN = b"\x40\x01\x01\x00"
MARKER = b"\xff" * 16


def message(kind: int, body: bytes = b"") -> bytes:
    """A BGP message: 1 OPEN, 2 UPDATE, 3 NOTIFICATION, 4 KEEPALIVE."""
    return MARKER + struct.pack("!HB", 19 + len(body), kind) + body


def open_message(number: int = 64500, hold_s: int = 3) -> bytes:
    """An OPEN with the capabilities that IPv4 and long AS numbers need."""
    capabilities = b"\x01\x04\x00\x01\x00\x01" + b"\x41\x04" + struct.pack("!I", number)
    option = b"\x02" + bytes([len(capabilities)]) + capabilities
    short = number if number < 65536 else 23456
    head = struct.pack("!BHH4sB", 4, short, hold_s, b"\x0a\x63\x01\x01", len(option))
    return message(1, head + option)


def path(*numbers: int) -> bytes:
    """AS_PATH of one sequence."""
    body = bytes([2, len(numbers)]) + struct.pack(f"!{len(numbers)}I", *numbers)
    return b"\x50\x02" + struct.pack("!H", len(body)) + body


def communities(*values: tuple[int, int]) -> bytes:
    """COMMUNITIES."""
    body = b"".join(struct.pack("!HH", *one) for one in values)
    return b"\xd0\x08" + struct.pack("!H", len(body)) + body


NEXT_HOP = b"\x40\x03\x04\x0a\x63\x01\x01"


def update(
    prefixes: Iterable[str],
    attributes: bytes = ORIGIN + path(64500) + NEXT_HOP,
    withdrawn: Iterable[str] = (),
) -> bytes:
    """An UPDATE."""
    gone = b"".join(map(_prefix, withdrawn))
    reach = b"".join(map(_prefix, prefixes))
    attributes = attributes if reach else b""
    lengths = struct.pack("!H", len(gone)), struct.pack("!H", len(attributes))
    return message(2, lengths[0] + gone + lengths[1] + attributes + reach)


def _prefix(text: str) -> bytes:
    network = ip_network(text)
    assert isinstance(network, IPv4Network)
    size = (network.prefixlen + 7) // 8
    return bytes([network.prefixlen]) + network.network_address.packed[:size]


class RawRouter:
    """Accepts every connection and plays `play` on it, then keeps it alive until the other ends it.

    `heard` has what came, by connection. Use as a context manager.
    """

    def __init__(self, listener: socket.socket, play: Callable[[socket.socket], None]) -> None:
        self._listener = listener
        self._play = play
        self._ending = threading.Event()
        self.heard: list[bytes] = []
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Self:
        self._listener.settimeout(0.1)
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._ending.set()
        self._thread.join()
        self._listener.close()

    def _run(self) -> None:
        while not self._ending.is_set():
            try:
                connection, _ = self._listener.accept()
            except TimeoutError:
                continue
            self.heard.append(b"")
            with connection, contextlib.suppress(OSError):
                connection.settimeout(KEEPALIVE_S)
                self._play(connection)
                self._stay(connection)

    def _stay(self, connection: socket.socket) -> None:
        while not self._ending.is_set():
            try:
                part = connection.recv(65536)
            except TimeoutError:
                connection.sendall(message(4))
                continue
            if not part:
                return
            self.heard[-1] += part
