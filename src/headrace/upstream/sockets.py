"""The real network: names resolved, the first address that answers connected to, TLS."""

from __future__ import annotations

import asyncio
import socket
import ssl

from headrace.http.stream import SocketStream, StreamTimeout
from headrace.upstream.endpoint import Endpoint
from headrace.upstream.errors import Failure, OriginError
from headrace.upstream.happy_eyeballs import Resolved, first_connected, interleaved
from headrace.upstream.network import Stream
from headrace.upstream.resolver import Resolver


class SocketNetwork:
    """A `Network` over this machine's sockets. One per worker."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._resolver = Resolver(loop)

    async def connect(self, endpoint: Endpoint, limit_s: float) -> SocketStream:
        """Return a connection to an origin. Raises OriginError."""
        try:
            async with asyncio.timeout(limit_s):
                found = await self._resolver.resolve(endpoint.host, endpoint.port)
        except TimeoutError:
            raise OriginError(Failure.DNS, f"{endpoint.host} was not resolved in time") from None

        async def connect_to(resolved: Resolved) -> socket.socket:
            return await self._connect_to(resolved, limit_s)

        sock = await first_connected(interleaved(found), connect_to, lambda lost: lost.close())
        if endpoint.tls is None:
            return SocketStream(sock, self._loop)
        return await self._secure(endpoint, endpoint.tls, sock, limit_s)

    def moved(self, endpoint: Endpoint, stream: Stream) -> bool:
        """Return whether the origin's name leads elsewhere by now than this connection."""
        known = self._resolver.known(endpoint.host, endpoint.port)
        return known is not None and stream.peer not in known

    async def _connect_to(self, resolved: Resolved, limit_s: float) -> socket.socket:
        family, kind, protocol, _name, address = resolved
        try:
            sock = socket.socket(family, kind, protocol)
        except OSError as error:  # of descriptors or memory: no fault of the origin's
            raise OriginError(Failure.NO_ORIGIN, f"no connection can be made: {error}") from error
        sock.setblocking(False)
        try:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            async with asyncio.timeout(limit_s):
                await self._loop.sock_connect(sock, address)
        except TimeoutError:
            sock.close()
            raise OriginError(
                Failure.CONNECT_TIMEOUT, f"no connection to {address} in time"
            ) from None
        except OSError as error:
            sock.close()
            raise OriginError(
                Failure.CONNECT_REFUSED, f"cannot connect to {address}: {error}"
            ) from error
        except BaseException:
            sock.close()
            raise
        return sock

    async def _secure(
        self, endpoint: Endpoint, context: ssl.SSLContext, sock: socket.socket, limit_s: float
    ) -> SocketStream:
        try:
            secured = context.wrap_socket(
                sock,
                server_hostname=endpoint.sni or endpoint.host,
                do_handshake_on_connect=False,
                # An end without a farewell may be a cut (RFC 9112 section 9.8).
                suppress_ragged_eofs=False,
            )
        except (OSError, ValueError) as error:
            sock.close()
            raise OriginError(Failure.TLS, f"no TLS with {endpoint.host}: {error}") from error
        stream = SocketStream(secured, self._loop)
        try:
            await stream.handshake(limit_s)
        except (OSError, StreamTimeout, TimeoutError, ValueError) as error:
            stream.close()
            raise OriginError(
                Failure.TLS, f"TLS with {endpoint.authority.decode()} failed: {error}"
            ) from error
        except BaseException:
            stream.close()
            raise
        return stream
