"""A long download: read no faster than it has to be, so that it lasts."""

from __future__ import annotations

import asyncio
import socket
import time

from headrace.lab.drill.client.attempt import Reply, outcome_of, request_bytes
from headrace.lab.drill.records import Body, Download, Outcome

_BUFFER_BYTES = 65_536
_READS_A_SECOND = 10
_STALLED_S = 10.0


async def download(host: str, port: int, name: str, body: Body, lasts_s: float) -> Download:
    """Read an object for so long, and return what came of it. When cancelled it has ended well so
    far as it came.
    """
    began_s = time.monotonic()
    reply = Reply(body)

    def ended(outcome: Outcome | None = None) -> Download:
        found = outcome or reply.outcome()
        return Download(host, began_s, time.monotonic(), found, reply.received)

    piece = max(1, int(body.size / (lasts_s * _READS_A_SECOND)))
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as made:
        made.setblocking(False)
        # So that what was not read yet is at the server, not here.
        made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER_BYTES)
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(_STALLED_S):
                await loop.sock_connect(made, (host, port))
                await loop.sock_sendall(made, request_bytes(name, body.path))
            next_s = loop.time()
            while not reply.complete:
                async with asyncio.timeout(_STALLED_S):
                    data = await loop.sock_recv(made, piece)
                if not data:
                    return ended()
                reply.feed(data)
                next_s += len(data) / piece / _READS_A_SECOND
                await asyncio.sleep(max(0.0, next_s - loop.time()))
        except OSError as error:  # TimeoutError among them
            return ended(outcome_of(error))
        except asyncio.CancelledError:
            return ended("ok")
    return ended()
