"""What waits of OpenSSL's own goes out before a body is read, and never in its stead."""

from __future__ import annotations

import contextlib
import socket
import ssl
from pathlib import Path

from headrace.http.server.tls_socket import TlsSocket
from tests.harness.certificates import Authority


def connected(directory: Path) -> tuple[TlsSocket, ssl.SSLObject, ssl.MemoryBIO, socket.socket]:
    pair = Authority(directory).issue("localhost")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pair.cert, pair.key)
    ours, theirs = socket.socketpair()
    for sock in (ours, theirs):
        sock.setblocking(False)
    server = TlsSocket(ours, context, ssl.MemoryBIO())
    trusting = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    trusting.check_hostname = False
    trusting.verify_mode = ssl.CERT_NONE
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = trusting.wrap_bio(incoming, outgoing)
    shaken = [False, False]
    while not all(shaken):
        for number, shake in enumerate((client.do_handshake, server.do_handshake)):
            try:
                shake()
                shaken[number] = True
            except ssl.SSLWantReadError:
                pass
            if outgoing.pending:
                theirs.send(outgoing.read())
            with contextlib.suppress(BlockingIOError):
                incoming.write(theirs.recv(65536))
    return server, client, incoming, theirs


def test_memory_that_was_not_read_into_is_never_encrypted(tmp_path: Path) -> None:
    server, client, incoming, theirs = connected(tmp_path)
    memory = memoryview(bytearray(b"of another client"))

    def read(into: memoryview) -> None:
        into[:] = b"read just now"[: len(into)]

    server.send_answers()
    # As after an answer of OpenSSL's own that the socket did not take.
    server._tls.write(b"waiting, ")
    server._pending = server._outgoing.read()
    assert server.send_read(read, 13, memory, b"head, ") == 19
    incoming.write(theirs.recv(65536))
    found = b""
    while len(found) < 28:
        found += client.read(100)
    assert found == b"waiting, head, read just now"
    server.close()
    theirs.close()
