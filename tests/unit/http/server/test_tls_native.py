"""Another Python's `_ssl` may be another one: then TLS goes through Python's own objects."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from headrace.http.server import tls_native
from headrace.http.server.tls_native import PythonTls, is_native, serving
from headrace.http.server.tls_ring import new_ring
from headrace.http.server.tls_socket import TlsSocket
from tests.harness.certificates import Authority
from tests.harness.tls_client import TlsClient, shake_hands


@pytest.fixture(autouse=True)
def _asked_anew() -> Iterator[None]:
    is_native.cache_clear()
    yield
    is_native.cache_clear()


def missing(*_arguments: Any) -> Any:
    raise AttributeError("_wrap_bio")


def other_arguments(_context: ssl.SSLContext, *_arguments: Any) -> Any:
    raise TypeError("_wrap_bio() takes 2 positional arguments")


def none(*_arguments: Any) -> Any:
    return None


def clients_side(context: ssl.SSLContext, incoming: ssl.MemoryBIO, outgoing: ssl.MemoryBIO) -> Any:
    return context._wrap_bio(incoming, outgoing, False)  # type: ignore[attr-defined]


def turned_round(context: ssl.SSLContext, incoming: ssl.MemoryBIO, outgoing: ssl.MemoryBIO) -> Any:
    return context._wrap_bio(outgoing, incoming, True)  # type: ignore[attr-defined]


def test_this_pythons_is_as_known() -> None:
    assert is_native()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    found = serving(context, ssl.MemoryBIO(), ssl.MemoryBIO())
    assert not isinstance(found, ssl.SSLObject)


@pytest.mark.parametrize("found", [missing, other_arguments, none, clients_side, turned_round])
def test_another_one_is_found_out_and_connections_go_through_python(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, found: Any
) -> None:
    monkeypatch.setattr(tls_native, "_native", found)
    assert not is_native()
    assert new_ring() is None  # it looks into OpenSSL's own objects
    pair = Authority(tmp_path).issue("localhost")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pair.cert, pair.key)
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    with ours, theirs:
        server, client = TlsSocket(ours, context, ssl.MemoryBIO()), TlsClient(theirs)
        assert isinstance(server._tls, PythonTls)
        shake_hands(server, client)
        assert server.version() == "TLSv1.3"
        client.tls.write(b"a request")
        client.say()
        assert server.recv(65536) == b"a request"
        assert server.send(b"an answer") == 9
        server.send_answers()
        client.hear()
        assert client.tls.read(100) == b"an answer"
        server.unwrap()
        client.hear()
        assert client.tls.read(100) == b""  # its end was said
