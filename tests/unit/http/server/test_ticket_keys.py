"""Keys for session tickets in OpenSSL's contexts: one seals, several open."""

from __future__ import annotations

import ssl

import pytest

from headrace.http.server.client_hello import HelloRecords, parse_hello
from headrace.http.server.ticket_keys import (
    KEY_BYTES,
    NAME_BYTES,
    TicketKeyError,
    install,
    keys_can_be_set,
)
from headrace.http.server.tls_context import CertificateContext
from tests.harness.certificates import Authority, Pair

OLD, NOW, NEXT = (letter * KEY_BYTES for letter in (b"o", b"n", b"x"))
BOTH = [ssl.TLSVersion.TLSv1_2]

pytestmark = pytest.mark.skipif(
    not keys_can_be_set(), reason="this Python has OpenSSL linked into it"
)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("tickets"))


@pytest.fixture(scope="module")
def pair(authority: Authority) -> Pair:
    return authority.issue("one.test")


@pytest.fixture(params=[ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def client(authority: Authority, request: pytest.FixtureRequest) -> ssl.SSLContext:
    context = authority.client_context()
    context.minimum_version = context.maximum_version = request.param
    return context


class Shaken:
    """A handshake over memory, as `TlsSocket` makes it."""

    def __init__(
        self,
        client: ssl.SSLContext,
        server: CertificateContext,
        session: ssl.SSLSession | None = None,
    ) -> None:
        there, back = ssl.MemoryBIO(), ssl.MemoryBIO()
        asking = client.wrap_bio(back, there, server_hostname="one.test", session=session)
        serving = server.wrap_bio(there, back, server_side=True)
        step(asking)
        sent = there.read()
        body = HelloRecords().take(sent)
        assert body is not None
        self.named = parse_hello(body).ticket_key
        there.write(sent)
        if self.named is not None and server.has_other_key(self.named):
            server.opening(self.named, lambda: step(serving))
        for _ in range(4):
            step(serving)
            step(asking)
        asking.write(b"x")
        assert serving.read(1) == b"x"
        serving.write(b"y")
        assert asking.read(1) == b"y"
        assert asking.session_reused == serving.session_reused
        self.resumed = asking.session_reused
        self.session = asking.session


def step(side: ssl.SSLObject) -> None:
    try:
        side.do_handshake()
    except ssl.SSLWantReadError:
        return


def serving(pair: Pair, *keys: bytes) -> CertificateContext:
    context = CertificateContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pair.cert, pair.key)
    context.num_tickets = 1
    assert context.take_ticket_keys(keys)
    return context


def test_openssl_takes_a_key() -> None:
    assert install(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), NOW)


def test_a_key_of_the_wrong_size_is_refused() -> None:
    with pytest.raises(TicketKeyError, match="80 bytes, not 3"):
        install(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), b"abc")


@pytest.mark.parametrize("sealed_with", [OLD, NOW, NEXT])
def test_a_ticket_of_each_key_is_opened(
    client: ssl.SSLContext, pair: Pair, sealed_with: bytes
) -> None:
    first = Shaken(client, serving(pair, sealed_with))
    assert first.named is None
    again = Shaken(client, serving(pair, NOW, OLD, NEXT), first.session)
    assert again.named == sealed_with[:NAME_BYTES]
    assert again.resumed


def test_a_ticket_of_a_key_that_is_gone_costs_a_full_handshake(
    client: ssl.SSLContext, pair: Pair
) -> None:
    server = serving(pair, OLD)
    session = Shaken(client, server).session
    server.take_ticket_keys([NOW, OLD])
    assert Shaken(client, server, session).resumed
    server.take_ticket_keys([NEXT, NOW])
    assert not Shaken(client, server, session).resumed


def test_who_resumes_with_an_old_ticket_gets_one_of_the_present_key(
    authority: Authority, pair: Pair
) -> None:
    client = authority.client_context()  # TLS 1.3: in 1.2 a client keeps its ticket
    session = Shaken(client, serving(pair, OLD)).session
    server = serving(pair, NOW, OLD)
    renewed = Shaken(client, server, session)
    assert renewed.resumed
    last = Shaken(client, serving(pair, NOW), renewed.session)
    assert last.named == NOW[:NAME_BYTES]
    assert last.resumed


def test_after_an_old_ticket_the_present_key_seals(client: ssl.SSLContext, pair: Pair) -> None:
    session = Shaken(client, serving(pair, OLD)).session
    server = serving(pair, NOW, OLD)
    Shaken(client, server, session)
    new = Shaken(client, server)
    assert not new.resumed
    assert Shaken(client, serving(pair, NOW), new.session).resumed


def test_the_name_of_a_key_opens_nothing(client: ssl.SSLContext, pair: Pair) -> None:
    forged = OLD[:NAME_BYTES] + b"?" * (KEY_BYTES - NAME_BYTES)
    session = Shaken(client, serving(pair, forged)).session
    server = serving(pair, NOW, OLD)
    tried = Shaken(client, server, session)
    assert tried.named == OLD[:NAME_BYTES]
    assert not tried.resumed
    assert Shaken(client, serving(pair, NOW), tried.session).resumed


def test_a_step_that_fails_leaves_the_present_key(client: ssl.SSLContext, pair: Pair) -> None:
    server = serving(pair, NOW, OLD)

    def fail() -> None:
        raise ssl.SSLError("no")

    with pytest.raises(ssl.SSLError):
        server.opening(OLD[:NAME_BYTES], fail)
    session = Shaken(client, server).session
    assert Shaken(client, serving(pair, NOW), session).resumed


def test_a_hello_that_comes_twice_costs_a_full_handshake(authority: Authority, pair: Pair) -> None:
    client = authority.client_context()
    old, now = serving(pair, OLD), serving(pair, NOW, OLD)
    for server in (old, now):
        server.set_ecdh_curve("prime256v1")  # not the one of which the client sends a share
    session = Shaken(client, old).session
    assert Shaken(client, serving(pair, OLD), session).resumed
    twice = Shaken(client, now, session)
    assert twice.named == OLD[:NAME_BYTES]
    assert not twice.resumed
    assert Shaken(client, now, twice.session).resumed
