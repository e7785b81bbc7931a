"""An origin that counts: `python -m bench.tiering.origin PORT BODY_BYTES`.

`/objects/N` is an object whose bytes follow from N; `/count` says how many objects were asked for.
"""

from __future__ import annotations

import asyncio
import sys
from typing import cast


def body_of(number: int, size_bytes: int) -> bytes:
    """Return an object's bytes."""
    piece = b"%016d" % number
    return piece * (size_bytes // len(piece))


class Origin(asyncio.Protocol):
    """One connection."""

    count = 0
    body_bytes = 0

    def __init__(self) -> None:
        self._received = b""
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        """Answer each request that is whole."""
        self._received += data
        while (at := self._received.find(b"\r\n\r\n")) >= 0:
            head, self._received = self._received[:at], self._received[at + 4 :]
            self._answer(head.split(b" ", 2)[1])

    def _answer(self, target: bytes) -> None:
        if target == b"/count":
            body, fields = b"%d" % Origin.count, b""
        else:
            Origin.count += 1
            number = int(target.rpartition(b"/")[2])
            body = body_of(number, Origin.body_bytes)
            fields = b'Cache-Control: max-age=86400\r\nETag: "%d"\r\n' % number
        self._transport.write(
            b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n%b\r\n%b" % (len(body), fields, body)
        )


async def serve(port: int) -> None:
    """Serve for ever."""
    server = await asyncio.get_running_loop().create_server(Origin, "127.0.0.1", port)
    await server.serve_forever()


if __name__ == "__main__":
    Origin.body_bytes = int(sys.argv[2])
    asyncio.run(serve(int(sys.argv[1])))
