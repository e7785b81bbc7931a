"""An origin that a test drives by hand: it hears requests byte for byte, and says what it is told.

No thread and no script: the test calls `hears`, looks, and calls `says`. For an origin that
answers by itself see `origin`.
"""

from __future__ import annotations

import re
import selectors
import socket
import time
from types import TracebackType
from typing import Self

READ_BYTES = 64 * 1024
RESET = b"\x01\0\0\0\0\0\0\0"


class HeardNothing(AssertionError):
    """No request came in time."""


class Talk:
    """One connection to the origin. Whatever came and was not taken yet is in `unread`."""

    def __init__(self, origin: RawOrigin, sock: socket.socket, number: int) -> None:
        self._origin = origin
        self.sock = sock
        self.number = number
        self.unread = b""
        self.ended = False  # the edge closed its side

    def says(self, data: bytes) -> None:
        """Send exactly these bytes."""
        self.sock.sendall(data)

    def more(self, timeout_s: float = 30.0) -> bool:
        """Read what comes next into `unread`; False at the end of input."""
        self.sock.settimeout(timeout_s)
        try:
            data = self.sock.recv(READ_BYTES)
        except TimeoutError:
            raise HeardNothing(f"nothing more came after {self.unread[-200:]!r}") from None
        except OSError:
            data = b""
        self.ended = self.ended or not data
        self.unread += data
        return bool(data)

    def takes(self, size: int) -> bytes:
        """Exactly so many bytes."""
        while len(self.unread) < size:
            if not self.more():
                raise HeardNothing(f"the edge left after {self.unread[-200:]!r}")
        data, self.unread = self.unread[:size], self.unread[size:]
        return data

    def takes_until(self, mark: bytes) -> bytes:
        """Everything up to `mark` and the mark itself."""
        while mark not in self.unread:
            if not self.more():
                raise HeardNothing(f"the edge left after {self.unread[-200:]!r}")
        return self.takes(self.unread.index(mark) + len(mark))

    def left(self, timeout_s: float = 30.0) -> bool:
        """Whether the edge ends this connection within the time. More bytes go to `unread`."""
        deadline = time.monotonic() + timeout_s
        try:
            while not self.ended and (seconds := deadline - time.monotonic()) > 0:
                self.more(seconds)
        except HeardNothing:
            return False
        return self.ended

    def closes(self) -> None:
        """End the connection in order."""
        self._origin.forget(self)
        self.sock.close()

    def resets(self) -> None:
        """Break the connection off."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        self.closes()


class Heard:
    """One request: its head to the byte, and the connection to answer on."""

    def __init__(self, talk: Talk, raw: bytes) -> None:
        self.talk = talk
        self.raw = raw
        lines = raw.decode("latin-1").split("\r\n")[:-2]
        self.method, self.target, self.version = lines[0].split(" ")
        parts = (line.partition(":") for line in lines[1:])
        self.fields = [(name.lower(), value.strip()) for name, _, value in parts]

    def header(self, name: str) -> str | None:
        """All lines of this field joined by a comma, or None."""
        values = [value for known, value in self.fields if known == name.lower()]
        return ", ".join(values) if values else None

    def body(self) -> bytes:
        """The request's content by its framing, decoded strictly; b"" when it has none."""
        if self.header("transfer-encoding") is None:
            return self.talk.takes(int(self.header("content-length") or 0))
        assert self.header("content-length") is None, "two framings at once"
        pieces = []
        while True:
            line = self.talk.takes_until(b"\r\n")
            assert re.fullmatch(rb"[0-9a-fA-F]{1,16}\r\n", line), f"bad chunk head {line!r}"
            size = int(line, 16)
            if not size:
                break
            pieces.append(self.talk.takes(size))
            assert self.talk.takes(2) == b"\r\n", "a chunk does not end where it said"
        while self.talk.takes_until(b"\r\n") != b"\r\n":
            pass
        return b"".join(pieces)

    def says(self, data: bytes) -> None:
        """Send exactly these bytes."""
        self.talk.says(data)

    def closes(self) -> None:
        self.talk.closes()

    def resets(self) -> None:
        self.talk.resets()


class RawOrigin:
    """Listens on a free port of 127.0.0.1 while it is entered."""

    def __init__(self) -> None:
        self._selector = selectors.DefaultSelector()
        self._talks: list[Talk] = []
        self._ended: list[Talk] = []
        self.connections = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def hears(self, timeout_s: float = 30.0) -> Heard:
        """The next request, on a connection of before or on a new one."""
        deadline = time.monotonic() + timeout_s
        while True:
            for talk in [*self._talks, *self._ended]:
                if b"\r\n\r\n" in talk.unread:
                    return Heard(talk, talk.takes_until(b"\r\n\r\n"))
            left = deadline - time.monotonic()
            if left <= 0:
                raise HeardNothing(f"no request came within {timeout_s:g} s")
            self._look(left)

    def hears_nothing(self, seconds: float = 0.3) -> None:
        """Make sure that no request comes for so long, nor any byte of one."""
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            self._look(left)
            said = [talk.unread for talk in [*self._talks, *self._ended] if talk.unread]
            assert not said, f"the origin heard {said!r}"

    def hang_up(self) -> None:
        """Close every connection, and forget what was not taken."""
        for talk in [*self._talks, *self._ended]:
            talk.closes()
        self._ended.clear()

    def forget(self, talk: Talk) -> None:
        """Wait for nothing more on this connection."""
        if talk in self._talks:
            self._talks.remove(talk)
            self._selector.unregister(talk.sock)

    def _look(self, timeout_s: float) -> None:
        for key, _ in self._selector.select(timeout_s):
            talk = key.data
            if talk is None:
                sock, _peer = self._listener.accept()
                self.connections += 1
                talk = Talk(self, sock, self.connections)
                self._talks.append(talk)
                self._selector.register(sock, selectors.EVENT_READ, talk)
            elif not talk.more():
                # Still there to answer on, if the test wants to: only its input has ended.
                self.forget(talk)
                self._ended.append(talk)

    def __enter__(self) -> Self:
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=256)
        self.port: int = self._listener.getsockname()[1]
        self._selector.register(self._listener, selectors.EVENT_READ, None)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.hang_up()
        self._selector.close()
        self._listener.close()


def reply(body: bytes = b"", status: int = 200, **fields: str) -> bytes:
    """An orderly response: `cache_control="no-store"` is Cache-Control."""
    lines = [f"HTTP/1.1 {status} Said", f"Content-Length: {len(body)}"]
    lines += [f"{name.replace('_', '-').title()}: {value}" for name, value in fields.items()]
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body
