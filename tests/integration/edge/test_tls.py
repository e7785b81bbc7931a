"""TLS to clients: certificates by name, versions, resumption over all workers, ALPN."""

from __future__ import annotations

import contextlib
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from cryptography import x509

from tests.harness.bodies import Body
from tests.harness.certificates import Authority
from tests.harness.edge import Edge, free_port, running_edge
from tests.harness.origin import Origin
from tests.harness.replies import Reply, cacheable, headers
from tests.harness.wire import Client

BODY = Body(16, 3_000_000)


@dataclass(frozen=True, slots=True)
class Secure:
    """An edge with a TLS listener, and who signed its certificates."""

    edge: Edge
    port: int
    authority: Authority

    def client(self, name: str = "one.test", **options: object) -> Client:
        context = options.pop("tls", None) or self.authority.client_context()
        options.setdefault("host", name)
        return Client(
            ("127.0.0.1", self.port),
            tls=context,  # type: ignore[arg-type]
            server_name=name,
            **options,  # type: ignore[arg-type]
        )


@pytest.fixture(scope="module")
def secure(origin: Origin, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secure]:
    directory: Path = tmp_path_factory.mktemp("tls")
    authority = Authority(directory / "authority")
    port = free_port()
    pairs = [authority.issue("one.test"), authority.issue("*.two.test")]
    pairs.append(authority.issue("example.test"))
    overrides: dict[str, object] = {
        "listen": [{"address": f"127.0.0.1:{port}", "tls": True}],
        "certificate": [{"cert": pair.cert, "key": pair.key} for pair in pairs],
        "timeouts": {"tls_handshake": 1},
    }
    with running_edge(origin.url, directory, overrides) as edge:
        yield Secure(edge, port, authority)


def names_of(client: Client) -> list[str]:
    """The DNS names in the certificate that the server showed."""
    assert isinstance(client.sock, ssl.SSLSocket)
    raw = client.sock.getpeercert(binary_form=True)
    assert raw is not None
    certificate = x509.load_der_x509_certificate(raw)
    extension = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    return extension.value.get_values_for_type(x509.DNSName)


@pytest.mark.parametrize("control", ["max-age=60", "no-store"])
def test_a_body_arrives_whole_over_tls(
    secure: Secure, origin: Origin, path: str, control: str
) -> None:
    origin.serve(path, Reply(headers=headers(cache_control=control), body=BODY))
    with secure.client() as client:
        assert [client.get(path).body == BODY.read() for _ in range(2)] == [True, True]


@pytest.mark.parametrize(
    "first",
    [
        "ECDHE-ECDSA-AES128-GCM-SHA256",
        "ECDHE-ECDSA-AES256-GCM-SHA384",
        "ECDHE-ECDSA-CHACHA20-POLY1305",
    ],
)
def test_the_client_chooses_among_the_ciphers(secure: Secure, first: str) -> None:
    context = secure.authority.client_context()
    context.maximum_version = ssl.TLSVersion.TLSv1_2  # 3.11 cannot order those of TLS 1.3
    context.set_ciphers(f"{first}:ECDHE+AESGCM:ECDHE+CHACHA20")
    with secure.client(tls=context) as client:
        assert isinstance(client.sock, ssl.SSLSocket)
        cipher = client.sock.cipher()
        assert cipher is not None
        assert cipher[0] == first


@pytest.mark.parametrize(
    ("asked", "shown"), [("one.test", ["one.test"]), ("www.two.test", ["*.two.test"])]
)
def test_the_certificate_is_chosen_by_name(secure: Secure, asked: str, shown: list[str]) -> None:
    with secure.client(asked) as client:
        assert names_of(client) == shown


def test_an_unknown_name_gets_the_first_certificate(secure: Secure) -> None:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    with secure.client("unknown.test", tls=context) as client:
        assert names_of(client) == ["one.test"]


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_both_versions_are_spoken(
    secure: Secure, origin: Origin, path: str, version: ssl.TLSVersion
) -> None:
    origin.serve(path, cacheable(BODY))
    context = secure.authority.client_context()
    context.minimum_version = context.maximum_version = version
    with secure.client(tls=context) as client:
        assert client.get(path).body == BODY.read()


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_session_is_resumed_at_every_worker(
    secure: Secure, origin: Origin, path: str, version: ssl.TLSVersion
) -> None:
    origin.serve(path, cacheable(b"x"))
    context = secure.authority.client_context()
    context.minimum_version = context.maximum_version = version
    with secure.client(tls=context) as client:
        client.get(path)
        assert isinstance(client.sock, ssl.SSLSocket)
        session = client.sock.session
    resumed = []
    for _ in range(10):
        with secure.client(tls=context, session=session) as client:
            client.get(path)
            assert isinstance(client.sock, ssl.SSLSocket)
            resumed.append(client.sock.session_reused)
    assert resumed == [True] * 10


def test_http_1_1_is_agreed_by_alpn(secure: Secure) -> None:
    with secure.client() as client:
        assert isinstance(client.sock, ssl.SSLSocket)
        assert client.sock.selected_alpn_protocol() == "http/1.1"


def test_a_client_that_never_shakes_hands_is_closed(secure: Secure) -> None:
    with Client(("127.0.0.1", secure.port)) as client:
        assert client.ended()


def test_plain_http_on_the_tls_port_is_closed(secure: Secure) -> None:
    with Client(("127.0.0.1", secure.port)) as client:
        client.send(b"GET / HTTP/1.1\r\nHost: one.test\r\n\r\n")
        client.sock.settimeout(5)
        with contextlib.suppress(ConnectionResetError):
            while client.sock.recv(1000):
                pass


def test_plain_and_secure_responses_are_kept_apart_only_by_what_the_origin_says(
    secure: Secure, origin: Origin, path: str
) -> None:
    origin.serve(path, cacheable(BODY))
    secure.edge.get(path)
    with secure.client("example.test") as client:
        assert client.get(path).body == BODY.read()


def test_the_origin_learns_that_the_client_came_by_https(
    secure: Secure, origin: Origin, path: str
) -> None:
    origin.serve(path, Reply())
    with secure.client() as client:
        client.get(path)
    assert origin.asked(path)[-1].header("x-forwarded-proto") == "https"


def test_pipelined_requests_inside_one_record_are_all_answered(
    secure: Secure, origin: Origin, path: str
) -> None:
    origin.serve(path, cacheable(b"x"))
    ask = f"GET {path} HTTP/1.1\r\nHost: one.test\r\n\r\n".encode()
    with secure.client() as client:
        client.send(ask * 10)
        assert [client.response().body for _ in range(10)] == [b"x"] * 10


def test_a_reload_brings_a_new_certificate_to_new_connections_and_keeps_old_ones(
    secure: Secure, origin: Origin, path: str
) -> None:
    origin.serve(path, cacheable(b"x"))
    with secure.client() as old:
        old.get(path)
        secure.authority.issue("one.test", "new.test", file_name="one.test")
        secure.edge.reload()
        with secure.client("new.test") as new:
            assert new.get(path).status == 200
        assert old.get(path).status == 200


def test_a_reload_with_a_wrong_key_says_which_and_changes_nothing(
    secure: Secure, origin: Origin, path: str
) -> None:
    origin.serve(path, cacheable(b"x"))
    secure.edge.expected_errors.add("reload_failed")
    pair = secure.authority.issue("one.test", file_name="one.test")
    right = pair.key.read_bytes()
    pair.key.write_bytes(secure.authority.issue("other.test").key.read_bytes())
    secure.edge.reload()
    problem = secure.edge.events("reload_failed")[-1]["problem"]
    assert f"{pair.key} is not the key of the certificate in {pair.cert}: name the key" in problem
    with secure.client() as client:
        assert client.get(path).status == 200
    pair.key.write_bytes(right)
    secure.edge.reload()
