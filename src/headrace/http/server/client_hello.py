"""Reads the server's name, the protocols that a client offers and which key sealed its ticket,
before OpenSSL sees its hello.

So a connection begins with its own certificate's context, keys for tickets included, and one that
offers only protocols that are not spoken here ends before it has cost a handshake. OpenSSL reads
the same bytes afterwards and is the judge of all else.
"""

from __future__ import annotations

from dataclasses import dataclass

from headrace.http.server.ticket_keys import NAME_BYTES

HELLO_BYTES = 32 * 1024
_HANDSHAKE, _CLIENT_HELLO = 22, 1
_SERVER_NAME, _ALPN, _SESSION_TICKET, _PRE_SHARED_KEY = 0, 16, 35, 41


class NotAHello(ValueError):
    """The bytes are no ClientHello: OpenSSL says best what is wrong with them."""


@dataclass(frozen=True, slots=True)
class ClientHello:
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


def parse_hello(body: bytes) -> ClientHello:
    """Read a hello's body (RFC 8446 section 4.1.2). Raises NotAHello on what is out of place."""
    reader = _Reader(body)
    reader.take(2 + 32)
    reader.block(1)  # session id
    reader.block(2)  # cipher suites
    reader.block(1)  # compression
    name: str | None = None
    protocols: tuple[bytes, ...] | None = None
    ticket = b""
    if not reader.done:
        extensions = _Reader(reader.block(2))
        while not extensions.done:
            kind = extensions.number(2)
            content = _Reader(extensions.block(2))
            if kind == _SERVER_NAME:
                name = _server_name(content)
            elif kind == _ALPN:
                offered = _Reader(content.block(2))
                found = []
                while not offered.done:
                    found.append(offered.block(1))
                protocols = tuple(found)
            elif kind == _SESSION_TICKET:  # TLS 1.2 (RFC 5077 section 3.2)
                ticket = content.rest() or ticket
            elif kind == _PRE_SHARED_KEY:  # TLS 1.3 (RFC 8446 section 4.2.11)
                ticket = _first_identity(content)
    named = len(ticket) > NAME_BYTES
    return ClientHello(name, protocols, ticket[:NAME_BYTES] if named else None)


def _first_identity(content: _Reader) -> bytes:
    """Return a TLS 1.3 ticket; b"" for what is out of place, which OpenSSL may never read."""
    try:
        return _Reader(content.block(2)).block(2)
    except NotAHello:
        return b""


def _server_name(content: _Reader) -> str | None:
    names = _Reader(content.block(2))
    while not names.done:
        kind = names.number(1)
        value = names.block(2)
        if kind == 0:
            try:
                return value.decode("ascii")
            except UnicodeDecodeError as error:
                raise NotAHello("a name that is not ASCII") from error
    return None


class _Reader:
    """Takes numbers and blocks off the front of bytes."""

    __slots__ = ("_at", "_data")

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    @property
    def done(self) -> bool:
        return self._at >= len(self._data)

    def take(self, size: int) -> bytes:
        found = self._data[self._at : self._at + size]
        if len(found) < size:
            raise NotAHello("it ends early")
        self._at += size
        return found

    def rest(self) -> bytes:
        return self.take(len(self._data) - self._at)

    def number(self, size: int) -> int:
        return int.from_bytes(self.take(size), "big")

    def block(self, size: int) -> bytes:
        """Bytes behind their length, which has `size` bytes."""
        return self.take(self.number(size))
