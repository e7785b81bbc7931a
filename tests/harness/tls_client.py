"""A TLS client in memory and a `TlsSocket` that shake hands, step by step in one thread."""

from __future__ import annotations

import contextlib
import socket
import ssl

from headrace.http.server.tls_socket import TlsSocket


class TlsClient:
    """The client's end, in memory, that sends when it is told. It believes every certificate."""

    def __init__(self, sock: socket.socket) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        self._in, self._out = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self._in, self._out)
        self._sock = sock

    def shake(self) -> None:
        with contextlib.suppress(ssl.SSLWantReadError):
            self.tls.do_handshake()

    def say(self) -> None:
        self._sock.send(self._out.read())

    def hear(self) -> None:
        self._in.write(self._sock.recv(65536))


def greet(server: TlsSocket, client: TlsClient) -> None:
    """Shake hands up to the server's answer to the hello; what the client says to it waits."""
    client.shake()
    client.say()
    with contextlib.suppress(ssl.SSLWantReadError):
        server.do_handshake()
        raise AssertionError("a handshake that needs nothing more of the client")
    client.hear()
    client.shake()


def shake_hands(server: TlsSocket, client: TlsClient) -> None:
    """Shake hands to the end; what the server says at it (tickets) may wait."""
    greet(server, client)
    client.say()
    server.do_handshake()
