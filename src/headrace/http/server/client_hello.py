"""Reads the server's name, the protocols that a client offers and which key sealed its ticket,
before OpenSSL sees its hello.

So a connection begins with its own certificate's context, keys for tickets included, and one that
offers only protocols that are not spoken here ends before it has cost a handshake. OpenSSL reads
the same bytes afterwards and is the judge of all else.
"""

from __future__ import annotations

import struct
from typing import NamedTuple

from headrace.http.server.ticket_keys import NAME_BYTES

HELLO_BYTES = 32 * 1024
_HANDSHAKE, _CLIENT_HELLO = 22, 1
_SERVER_NAME, _ALPN, _SESSION_TICKET, _PRE_SHARED_KEY = 0, 16, 35, 41
_READ = frozenset((_SERVER_NAME, _ALPN, _SESSION_TICKET, _PRE_SHARED_KEY))
_extension = struct.Struct(">HH").unpack_from


class NotAHello(ValueError):
    """The bytes are no ClientHello: OpenSSL says best what is wrong with them."""


class ClientHello(NamedTuple):
    """`protocols` is None when the client does not ask for any (no ALPN).

    `ticket_key` is the name of the key that sealed the client's ticket, of its first one if it has
    several; None when it brings none. It is the client's word: only OpenSSL opens tickets.
    """

    server_name: str | None
    protocols: tuple[bytes, ...] | None
    ticket_key: bytes | None = None


class HelloRecords:
    """Puts a ClientHello together out of its records, as they come.

    No byte is read twice, however many records and pieces there are: a hello of single bytes,
    sent one by one, would cost seconds otherwise. `received` is all that was given to `take`.
    """

    __slots__ = ("_at", "_left", "_message", "received")

    def __init__(self) -> None:
        self.received = bytearray()
        self._message = bytearray()
        self._at = 0  # what is in `received` before is in `_message`
        self._left = 0  # of the record that has begun

    def take(self, data: bytes) -> bytes | None:
        """Take more bytes; return the message's body, or None while it is not whole.

        Raises NotAHello.
        """
        received, message = self.received, self._message
        received += data
        while True:
            if not self._left:
                header = received[self._at : self._at + 5]
                if header[:1] not in (b"", bytes([_HANDSHAKE])):
                    raise NotAHello("a record of another kind")
                if len(header) < 5:
                    return None
                self._left = int.from_bytes(header[3:], "big")
                if not self._left:
                    raise NotAHello("an empty record")
                self._at += 5
            piece = received[self._at : self._at + self._left]
            message += piece
            self._at += len(piece)
            self._left -= len(piece)
            if message[:1] not in (b"", bytes([_CLIENT_HELLO])):
                raise NotAHello("another message")
            if len(message) >= 4:
                size = int.from_bytes(message[1:4], "big")
                if size > HELLO_BYTES:
                    raise NotAHello("too long")
                if len(message) >= 4 + size:
                    return bytes(message[4 : 4 + size])
            if self._left:
                return None


def whole_hello(data: bytes) -> bytes | None:
    """Return the body of a ClientHello that is one whole record and nothing else, as nearly all
    are; None for all else, which is for HelloRecords.
    """
    size = len(data)
    if (
        9 <= size <= HELLO_BYTES
        and data[0] == _HANDSHAKE
        and data[5] == _CLIENT_HELLO
        and size == 5 + (data[3] << 8 | data[4]) == 9 + int.from_bytes(data[6:9], "big")
    ):
        return data[9:]
    return None


def parse_hello(body: bytes) -> ClientHello:
    """Read a hello's body (RFC 8446 section 4.1.2). Raises NotAHello on what is out of place.

    Each new connection waits for this: only what is asked for is taken out.
    """
    size = end = len(body)
    found: dict[int, bytes] = {}
    try:
        at = 35 + body[34]  # behind version and random: the session's id
        at += 2 + (body[at] << 8 | body[at + 1])  # cipher suites
        at += 1 + body[at]  # compression
        if at < size:
            end = at + 2 + (body[at] << 8 | body[at + 1])
            at += 2
            while at < end:
                kind, length = _extension(body, at)
                if kind in _READ:
                    found[kind] = body[at + 4 : at + 4 + length]
                at += 4 + length
    except (IndexError, struct.error):
        raise NotAHello("it ends early") from None
    if at != end or end > size:
        raise NotAHello("it ends early")
    ticket = found.get(_SESSION_TICKET, b"")  # TLS 1.2 (RFC 5077 section 3.2)
    if _PRE_SHARED_KEY in found:  # TLS 1.3 (RFC 8446 section 4.2.11)
        ticket = _first_identity(found[_PRE_SHARED_KEY])
    return ClientHello(
        _server_name(found[_SERVER_NAME]) if _SERVER_NAME in found else None,
        _protocols(found[_ALPN]) if _ALPN in found else None,
        ticket[:NAME_BYTES] if len(ticket) > NAME_BYTES else None,
    )


def _end(data: bytes, at: int, width: int, limit: int) -> int:
    """Return where the block ends whose length stands at `at`, in `width` bytes (1 or 2)."""
    begin = at + width
    if begin > limit:
        raise NotAHello("it ends early")
    end = begin + (data[at] if width == 1 else data[at] << 8 | data[at + 1])
    if end > limit:
        raise NotAHello("it ends early")
    return end


def _protocols(data: bytes) -> tuple[bytes, ...]:
    end = _end(data, 0, 2, len(data))
    at = 2
    found = []
    while at < end:
        after = _end(data, at, 1, end)
        found.append(data[at + 1 : after])
        at = after
    return tuple(found)


def _first_identity(data: bytes) -> bytes:
    """Return a TLS 1.3 ticket; b"" for what is out of place, which OpenSSL may never read."""
    if len(data) < 4:
        return b""
    end = 4 + (data[2] << 8 | data[3])
    return data[4:end] if end <= 2 + (data[0] << 8 | data[1]) <= len(data) else b""


def _server_name(data: bytes) -> str | None:
    size = len(data)
    if (
        size >= 5
        and data[2] == 0
        and size == 2 + (data[0] << 8 | data[1]) == 5 + (data[3] << 8 | data[4])
    ):
        return _as_name(data[5:])  # one name and no more, as nearly all send
    end = _end(data, 0, 2, size)
    at = 2
    while at < end:
        after = _end(data, at + 1, 2, end)
        if data[at] == 0:
            return _as_name(data[at + 3 : after])
        at = after
    return None


def _as_name(data: bytes) -> str:
    try:
        return data.decode("ascii")
    except UnicodeDecodeError as error:
        raise NotAHello("a name that is not ASCII") from error
