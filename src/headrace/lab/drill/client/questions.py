"""Request routers as a client asks them: by DNS, and by HTTP with its redirects."""

from __future__ import annotations

import asyncio
import contextlib
from urllib.parse import urlsplit

import dns.exception
import dns.message
import dns.rdatatype

from headrace.lab.drill.client.attempt import request_bytes

_MOST_BYTES = 16_384


class _Datagrams(asyncio.DatagramProtocol):
    def __init__(self, done: asyncio.Future[bytes]) -> None:
        self._done = done

    def datagram_received(self, data: bytes, addr: object) -> None:
        del addr  # the socket is connected
        if not self._done.done():
            self._done.set_result(data)

    def error_received(self, exc: Exception) -> None:
        if not self._done.done():
            self._done.set_exception(exc)


async def by_dns(host: str, port: int, name: str, patience_s: float) -> list[str]:
    """Return the IPv4 addresses that a router gives for a name; none if it does not answer."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[bytes] = loop.create_future()
    question = dns.message.make_query(name, dns.rdatatype.A)
    transport: asyncio.BaseTransport | None = None
    try:
        async with asyncio.timeout(patience_s):
            transport, _protocol = await loop.create_datagram_endpoint(
                lambda: _Datagrams(done), remote_addr=(host, port)
            )
            transport.sendto(question.to_wire())
            answer = dns.message.from_wire(await done)
    except (OSError, dns.exception.DNSException):
        return []
    finally:
        if transport is not None:
            transport.close()
    if answer.id != question.id:
        return []
    sets = (one for one in answer.answer if one.rdtype == dns.rdatatype.A)
    return sorted(record.address for one in sets for record in one)


async def by_http(host: str, port: int, name: str, path: str, patience_s: float) -> list[str]:
    """Return the host that a router sends a client to; none if it does not say."""
    with contextlib.suppress(OSError, ValueError, asyncio.IncompleteReadError):
        async with asyncio.timeout(patience_s):
            reader, writer = await asyncio.open_connection(host, port, limit=_MOST_BYTES)
            try:
                writer.write(request_bytes(name, path))
                head = await reader.readuntil(b"\r\n\r\n")
            finally:
                writer.transport.abort()
        for line in head.decode("latin-1").split("\r\n"):
            field, _, value = line.partition(":")
            if field.lower() == "location":
                return [urlsplit(value.strip()).hostname or ""]
    return []
