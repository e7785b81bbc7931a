"""A client that speaks HTTP/1.x byte by byte: it sends exactly what a test says, and reads
responses by their framing, strictly and without help from Headrace's own parser.
"""

from __future__ import annotations

import re
import socket
import ssl
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

READ_BYTES = 256 * 1024
Sink = Callable[[bytes], None]
Address = tuple[str, int] | Path
_STATUS_LINE = re.compile(rb"HTTP/1\.([01]) ([1-5][0-9][0-9]) ?([^\r\n]*)")
_FIELD = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*(.*?)[ \t]*", re.DOTALL)
_PARAMETER = re.compile(r'; *([a-z-]+)(?:=("(?:[^"\\]|\\.)*"|[^;, ]+))?')


class WireError(AssertionError):
    """What came is not HTTP, or did not come."""


class ConnectionEnded(WireError):
    """The connection ended before a response began. `reset` tells how."""

    def __init__(self, reset: bool) -> None:
        super().__init__("the connection was reset" if reset else "the connection was closed")
        self.reset = reset


@dataclass(slots=True)
class Response:
    """A response. `complete` is False when the connection ended before its framing said so."""

    status: int
    reason: str
    version: str
    headers: list[tuple[str, str]]
    body: bytes = b""
    complete: bool = True
    trailers: list[tuple[str, str]] = field(default_factory=list)
    interim: list[Response] = field(default_factory=list)
    chunked: bool = False

    def header(self, name: str) -> str | None:
        """All lines of this field (lower case name) joined by a comma, or None."""
        values = [value for known, value in self.headers if known == name.lower()]
        return ", ".join(values) if values else None

    @property
    def cache(self) -> dict[str, str | bool]:
        """The parameters of the last member of Cache-Status (RFC 9211)."""
        text = self.header("cache-status")
        if text is None:
            raise WireError("the response has no Cache-Status")
        own = re.split(r", *(?=[A-Za-z])", text)[-1]
        return {
            name: value.strip('"') if value else True for name, value in _PARAMETER.findall(own)
        }

    @property
    def hit(self) -> bool:
        return bool(self.cache.get("hit"))

    @property
    def age(self) -> int:
        value = self.header("age")
        if value is None:
            raise WireError("the response has no Age")
        return int(value)


class Client:
    """One connection. Close it, or use it with `with`."""

    def __init__(
        self,
        address: Address,
        *,
        tls: ssl.SSLContext | None = None,
        server_name: str = "localhost",
        session: ssl.SSLSession | None = None,
        receive_buffer_bytes: int | None = None,
        timeout_s: float = 30.0,
        host: str = "example.test",
    ) -> None:
        self.host = host
        self._buffer = b""
        self._asked = "nothing"
        self._received = 0
        family = socket.AF_UNIX if isinstance(address, Path) else socket.AF_INET
        if not isinstance(address, Path) and ":" in address[0]:
            family = socket.AF_INET6
        plain = socket.socket(family)
        try:
            plain.settimeout(timeout_s)
            if receive_buffer_bytes is not None:
                plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer_bytes)
            plain.connect(str(address) if isinstance(address, Path) else address)
            self.sock = plain
            if tls is not None:
                self.sock = tls.wrap_socket(plain, server_hostname=server_name, session=session)
        except BaseException:
            plain.close()
            raise

    # Sending.

    def send(self, data: bytes) -> None:
        """Send exactly these bytes."""
        self.sock.sendall(data)

    def ask(
        self,
        target: str,
        *fields: tuple[str, str],
        method: str = "GET",
        body: bytes | None = None,
        chunks: Iterable[bytes] | None = None,
    ) -> None:
        """Send a whole request: Host, the given fields, and a body if there is one."""
        lines = [f"{method} {target} HTTP/1.1"]
        self._asked = " ".join([*lines, *(f"{name}: {value}" for name, value in fields)])
        self._received = 0
        if not any(name.lower() == "host" for name, _ in fields):
            lines.append(f"Host: {self.host}")
        lines += [f"{name}: {value}" for name, value in fields]
        if body is not None:
            lines.append(f"Content-Length: {len(body)}")
        elif chunks is not None:
            lines.append("Transfer-Encoding: chunked")
        self.send("\r\n".join([*lines, "", ""]).encode("latin-1") + (body or b""))
        if chunks is not None:
            for chunk in chunks:
                self.send(b"%x\r\n" % len(chunk) + chunk + b"\r\n")
            self.send(b"0\r\n\r\n")

    def shut_down_sending(self) -> None:
        self.sock.shutdown(socket.SHUT_WR)

    # Receiving.

    def get(self, target: str, *fields: tuple[str, str], sink: Sink | None = None) -> Response:
        """Ask with GET and read the whole response."""
        self.ask(target, *fields)
        return self.response(sink=sink)

    def exchange(
        self, method: str, target: str, *fields: tuple[str, str], body: bytes | None = None
    ) -> Response:
        """Ask with any method and read the whole response."""
        self.ask(target, *fields, method=method, body=body)
        return self.response(method=method)

    def response(self, method: str = "GET", sink: Sink | None = None) -> Response:
        """Read one final response with its body; interim ones are in its `interim`.

        With `sink` the body goes there piece by piece, and `body` stays empty.
        """
        found = self.head()
        self.read_body(found, method, sink)
        return found

    def head(self) -> Response:
        """Read up to the end of a final response's head."""
        interim: list[Response] = []
        while True:
            found = self.any_head()
            if found.status >= 200:
                found.interim = interim
                return found
            interim.append(found)

    def any_head(self) -> Response:
        """Read one head, interim or final. Raises ConnectionEnded when none comes."""
        while b"\r\n\r\n" not in self._buffer:
            if not self._more():
                if self._buffer:
                    raise WireError(f"the connection ended inside a head: {self._buffer[:200]!r}")
                raise ConnectionEnded(reset=self._was_reset)
        head, _, self._buffer = self._buffer.partition(b"\r\n\r\n")
        return _parse_head(head)

    def read_body(self, found: Response, method: str = "GET", sink: Sink | None = None) -> None:
        """Read the body that belongs to this head into it, or into `sink`."""
        pieces: list[bytes] = []
        take = pieces.append if sink is None else sink
        if method == "HEAD" or found.status in (204, 304):
            return
        coding = found.header("transfer-encoding")
        length = found.header("content-length")
        if coding is not None and length is not None:
            raise WireError("both Transfer-Encoding and Content-Length")
        if coding is not None:
            found.chunked = True
            found.complete = self._read_chunks(found, take)
        elif length is not None:
            found.complete = self._read_length(int(length), take)
        else:
            found.complete = self._read_to_end(take)
        found.body = b"".join(pieces)

    def read(self, size: int) -> bytes:
        """Exactly so many bytes, as they come, after a head."""
        while len(self._buffer) < size:
            if not self._more():
                raise ConnectionEnded(reset=self._was_reset)
        data, self._buffer = self._buffer[:size], self._buffer[size:]
        return data

    def ended(self, timeout_s: float = 30.0) -> bool:
        """Whether the server ends the connection within this time, with nothing more to read."""
        self.sock.settimeout(timeout_s)
        try:
            return not self._buffer and not self._more()
        except TimeoutError:
            return False

    def _read_length(self, left: int, take: Sink) -> bool:
        while left:
            if not self._buffer and not self._more():
                return False
            piece, self._buffer = self._buffer[:left], self._buffer[left:]
            take(piece)
            left -= len(piece)
        return True

    def _read_to_end(self, take: Sink) -> bool:
        while True:
            if self._buffer:
                piece, self._buffer = self._buffer, b""
                take(piece)
            if not self._more():
                return not self._was_reset

    def _read_chunks(self, found: Response, take: Sink) -> bool:
        while True:
            line = self._line()
            if line is None:
                return False
            if not re.fullmatch(rb"[0-9a-fA-F]+", line):
                raise WireError(f"bad chunk size {line!r}")
            size = int(line, 16)
            if size == 0:
                break
            if not self._read_length(size, take):
                return False
            if self._line() != b"":
                return False
        while True:
            line = self._line()
            if line is None:
                return False
            if not line:
                return True
            name, _, value = line.decode("latin-1").partition(":")
            found.trailers.append((name.lower(), value.strip()))

    def _line(self) -> bytes | None:
        while b"\r\n" not in self._buffer:
            if not self._more():
                return None
        line, _, self._buffer = self._buffer.partition(b"\r\n")
        return line

    _was_reset = False

    def _more(self) -> bool:
        try:
            data = self.sock.recv(READ_BYTES)
        except TimeoutError:
            raise TimeoutError(
                f"nothing came after {self._received} bytes of {self._asked}"
            ) from None
        except (ConnectionError, ssl.SSLError):
            self._was_reset = True
            return False
        self._buffer += data
        self._received += len(data)
        return bool(data)

    # The end.

    def close(self) -> None:
        self.sock.close()

    def reset(self) -> None:
        """Break the connection off, as a client that crashes."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
        self.sock.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def _parse_head(head: bytes) -> Response:
    lines = head.split(b"\r\n")
    match = _STATUS_LINE.fullmatch(lines[0])
    if match is None:
        raise WireError(f"not a status line: {lines[0]!r}")
    fields = []
    for line in lines[1:]:
        parts = _FIELD.fullmatch(line)
        if parts is None:
            raise WireError(f"not a header field: {line!r}")
        fields.append((parts[1].decode().lower(), parts[2].decode("latin-1")))
    lengths = [value for name, value in fields if name == "content-length"]
    if len(lengths) > 1:
        raise WireError("Content-Length is repeated")
    version = f"1.{match[1].decode()}"
    return Response(int(match[2]), match[3].decode("latin-1"), version, fields)
