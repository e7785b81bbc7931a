"""An origin that breaks off or stalls in mid-body, and notes when: threads, one a connection.

The path says what becomes of a request: below /cut/ the body ends early, below /stall/ it stops
coming. With `sound`, everything is whole, and ranges are answered.
"""

from __future__ import annotations

import contextlib
import re
import socket
import struct
import threading
import time

STALL_S = 5.0
_RANGE = re.compile(rb"\r\nrange: bytes=(\d+)-(\d+)", re.IGNORECASE)


class FaultyOrigin:
    """Listens while it is entered. `asked_at` and `stalled_at` are perf_counter() by path."""

    def __init__(self, body: bytes, *, sound: bool, keeps: bool = True) -> None:
        """With `keeps` connections are kept alive."""
        self.body = body
        self.sound = sound
        self.keeps = keeps
        self.connections = 0
        self.asked_at: dict[str, float] = {}
        self.stalled_at: dict[str, float] = {}
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]

    def __enter__(self) -> FaultyOrigin:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                sock, _peer = self._listener.accept()
                self.connections += 1
                threading.Thread(target=self._serve, args=(sock,), daemon=True).start()

    def _serve(self, sock: socket.socket) -> None:
        with sock, contextlib.suppress(OSError):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            buffer = b""
            while True:
                while b"\r\n\r\n" not in buffer:
                    data = sock.recv(65536)
                    if not data:
                        return
                    buffer += data
                head, _, buffer = buffer.partition(b"\r\n\r\n")
                path = head.split(b" ", 2)[1].decode()
                self.asked_at[path] = time.perf_counter()
                if not self._answer(sock, path, head) or not self.keeps:
                    return

    def _answer(self, sock: socket.socket, path: str, head: bytes) -> bool:
        """Send one answer; whether the connection goes on."""
        body, size = self.body, len(self.body)
        span = _RANGE.search(head + b"\r\n")
        fields = b'ETag: "bench"\r\nCache-Control: max-age=3600\r\n'
        if not self.keeps:
            fields += b"Connection: close\r\n"
        status = b"200 OK"
        if span is not None and self.sound:
            first, last = int(span[1]), int(span[2])
            status = b"206 Partial Content"
            fields += b"Content-Range: bytes %d-%d/%d\r\n" % (first, last, size)
            body = body[first : last + 1]
        length = b"Content-Length: %d\r\n\r\n" % len(body)
        whole = b"HTTP/1.1 " + status + b"\r\n" + fields + length + body
        if self.sound or path.startswith("/sound/"):
            sock.sendall(whole)
            return True
        sock.sendall(whole[: len(whole) - size // 2])
        if path.startswith("/stall/"):
            self.stalled_at[path] = time.perf_counter()
            time.sleep(STALL_S)
        else:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        return False
