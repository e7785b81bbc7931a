"""Names over TLS: the host that a certificate does not cover, sessions carried to another name,
protocols that are not spoken, suites that are not sound, handshakes that never end.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import time
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.harness.certificates import Authority
from tests.harness.edge import Edge, free_port, running_edge
from tests.harness.origin import Origin
from tests.harness.polling import eventually
from tests.harness.replies import cacheable
from tests.harness.wire import Client

HANDSHAKES = 20


@dataclass(frozen=True, slots=True)
class Secure:
    edge: Edge
    port: int
    authority: Authority

    def client(
        self, name: str = "one.test", tls: ssl.SSLContext | None = None, **options: object
    ) -> Client:
        return Client(
            ("127.0.0.1", self.port), tls=tls or self.authority.client_context(),
            server_name=name, **options,  # type: ignore[arg-type]
        )  # fmt: skip


@pytest.fixture(scope="module")
def secure(origin: Origin, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secure]:
    directory = tmp_path_factory.mktemp("names")
    authority = Authority(directory / "authority")
    port = free_port()
    pairs = [authority.issue("one.test", "127.0.0.1"), authority.issue("*.two.test", "two.test")]
    overrides: dict[str, object] = {
        "workers": 1,
        "listen": [{"address": f"127.0.0.1:{port}", "tls": True}],
        "certificate": [{"cert": pair.cert, "key": pair.key} for pair in pairs],
        "limits": {"handshakes_per_address": HANDSHAKES},
        "timeouts": {"tls_handshake": 3},
    }
    with running_edge(origin.url, directory, overrides) as edge:
        yield Secure(edge, port, authority)


@pytest.mark.parametrize(
    ("name", "host", "status"),
    [
        ("one.test", "one.test", 200),
        ("one.test", "ONE.test:443", 200),
        ("one.test", "127.0.0.1", 200),
        ("one.test", "www.two.test", 421),
        ("one.test", "other.test", 421),
        ("www.two.test", "two.test", 200),
        ("www.two.test", "other.two.test", 200),
        ("www.two.test", "one.test", 421),
    ],
)
def test_a_host_is_served_only_where_the_certificate_covers_it(
    secure: Secure, origin: Origin, path: str, name: str, host: str, status: int
) -> None:
    origin.serve(path, cacheable(b"x"))
    with secure.client(name) as client:
        for _ in range(3):
            assert client.get(path, ("Host", host)).status == status
            if status != 200:
                return


def test_a_hot_answer_of_another_host_is_not_served(
    secure: Secure, origin: Origin, path: str
) -> None:
    origin.serve(path, cacheable(b"x"))
    with secure.client("www.two.test") as client:
        for _ in range(3):
            assert client.get(path, ("Host", "www.two.test")).status == 200
    with secure.client("one.test") as client:
        for _ in range(3):
            assert client.get(path, ("Host", "one.test")).status == 200
        assert client.get(path, ("Host", "www.two.test")).status == 421
    with secure.client("one.test") as client:
        client.send(f"GET https://www.two.test{path} HTTP/1.1\r\nHost: one.test\r\n\r\n".encode())
        assert client.response().status in (400, 421)


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_session_is_resumed_under_its_own_certificate_alone(
    secure: Secure, origin: Origin, path: str, version: ssl.TLSVersion
) -> None:
    origin.serve(path, cacheable(b"x"))
    context = secure.authority.client_context()
    context.minimum_version = context.maximum_version = version
    reused: dict[tuple[str, str], bool | None] = {}
    for first in ("one.test", "www.two.test"):
        with secure.client(first, context) as client:
            client.get(path, ("Host", first))
            assert isinstance(client.sock, ssl.SSLSocket)
            session = client.sock.session
        for second in ("one.test", "www.two.test"):
            with secure.client(second, context, session=session) as client:
                assert client.get(path, ("Host", second)).status == 200
                assert isinstance(client.sock, ssl.SSLSocket)
                reused[(first, second)] = client.sock.session_reused
    assert reused == {(a, b): a == b for a, b in reused}


@pytest.mark.parametrize("offered", [["h2"], ["spdy/3", "foo"], ["http/1.0"]])
def test_a_client_that_speaks_no_protocol_of_ours_is_informed(
    secure: Secure, offered: list[str]
) -> None:
    context = secure.authority.client_context()
    context.set_alpn_protocols(offered)
    with pytest.raises(ssl.SSLError, match=r"(?i)no.application.protocol"):
        secure.client(tls=context)


def test_one_protocol_of_several_is_enough_and_none_is_needed(
    secure: Secure, origin: Origin, path: str
) -> None:
    origin.serve(path, cacheable(b"x"))
    for offered in (["h2", "http/1.1"], []):
        context = secure.authority.client_context()
        context.set_alpn_protocols(offered)
        with secure.client(tls=context) as client:
            assert client.get(path, ("Host", "one.test")).status == 200


def test_suites_without_authenticated_encryption_are_refused(secure: Secure) -> None:
    context = secure.authority.client_context()
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers("ECDHE-ECDSA-AES256-SHA384:ECDHE-ECDSA-AES128-SHA256:@SECLEVEL=0")
    with pytest.raises(ssl.SSLError):
        secure.client(tls=context)


def test_a_hello_in_single_bytes_is_taken(secure: Secure, origin: Origin, path: str) -> None:
    origin.serve(path, cacheable(b"x"))
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = secure.authority.client_context().wrap_bio(
        incoming, outgoing, server_hostname="www.two.test"
    )
    with socket.create_connection(("127.0.0.1", secure.port), 10) as sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        while True:
            try:
                tls.do_handshake()
            except ssl.SSLWantReadError:
                for byte in outgoing.read():
                    sock.sendall(bytes([byte]))
                incoming.write(sock.recv(65536))
            else:
                break
        assert tls.getpeercert()


def test_an_answer_arrives_though_its_client_still_sends(secure: Secure, path: str) -> None:
    with secure.client() as client:
        client.send(f"POST {path} HTTP/1.1\r\nHost: other.test\r\n".encode())
        client.send(b"Content-Length: 1000000\r\n\r\n")
        for _ in range(4):
            client.send(bytes(10_000))
            time.sleep(0.05)
        assert client.response().status == 421
        assert client.ended()


def test_handshakes_that_never_end_leave_room_for_other_connections(
    secure: Secure, origin: Origin, path: str
) -> None:
    origin.serve(path, cacheable(b"x"))
    refused = secure.edge.metric("headrace_connections_refused_total", reason="handshake_limit")
    with contextlib.ExitStack() as stack:
        idle = [
            stack.enter_context(socket.create_connection(("127.0.0.1", secure.port), 10))
            for _ in range(HANDSHAKES + 5)
        ]
        for sock in idle:
            with contextlib.suppress(OSError):
                sock.sendall(b"\x16\x03\x01\x02")
        eventually(
            lambda: (
                secure.edge.metric("headrace_connections_refused_total", reason="handshake_limit")
                >= refused + 5
            ),
            "those beyond the limit are refused",
        )
        assert secure.edge.get(path).status == 200
    # The places come back, however the handshakes ended.
    for _ in range(3):

        def served() -> bool:
            with contextlib.suppress(OSError), secure.client() as client:
                return client.get(path, ("Host", "one.test")).status == 200
            return False

        eventually(served, "a handshake is taken again")
