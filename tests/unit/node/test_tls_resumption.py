"""Where a session is resumed, and where its ticket is worth nothing: handshakes in memory."""

from __future__ import annotations

import contextlib
import ssl
from pathlib import Path

import pytest

from headrace.config.server import Certificate, TlsOptions
from headrace.http.server.tls_context import CertificateContext
from headrace.node.tickets.installed import InstalledKeys
from headrace.node.tls_certificate import context_of
from tests.harness.certificates import Authority, Pair

NAME = "one.test"
NOW, BEFORE = b"n" * 32, b"b" * 32
VERSIONS = (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3)


class Site:
    """Contexts with the same ticket secrets, and a client that keeps its session."""

    def __init__(self, directory: Path, version: ssl.TLSVersion) -> None:
        self.authority = Authority(directory)
        self.tickets = InstalledKeys()
        self.tickets.take([NOW, BEFORE])
        self.client = self.authority.client_context()
        self.client.minimum_version = self.client.maximum_version = version

    def context(self, pair: Pair, *, asks: bool = False) -> CertificateContext:
        """A server's context; `asks`: for a certificate of its clients."""
        client_ca = str(self.authority.ca_file) if asks else ""
        certificate = Certificate(cert=pair.cert, key=pair.key)
        return context_of(certificate, TlsOptions(), self.tickets, client_ca)

    def shake(
        self, server: CertificateContext, session: ssl.SSLSession | None = None
    ) -> ssl.SSLObject:
        """Shake hands, read what the server sends after it; return the client. Raises SSLError."""
        there, here = ssl.MemoryBIO(), ssl.MemoryBIO()
        client = self.client.wrap_bio(here, there, server_hostname=NAME, session=session)
        served = server.wrap_bio(there, here, server_side=True)
        for _round in range(4):
            for side in (client, served):
                try:
                    side.do_handshake()
                except ssl.SSLWantReadError:
                    continue
        served.write(b"x")
        assert client.read(1) == b"x"
        with contextlib.suppress(ssl.SSLWantReadError):
            served.unwrap()  # what ends otherwise is resumed by nobody
        return client


@pytest.mark.parametrize("version", VERSIONS, ids=["1.2", "1.3"])
def test_a_ticket_is_no_certificate_of_a_client(tmp_path: Path, version: ssl.TLSVersion) -> None:
    """The listener for servers shows the same certificate, and has the same secrets."""
    site = Site(tmp_path, version)
    pair = site.authority.issue(NAME)
    session = site.shake(site.context(pair)).session
    assert site.shake(site.context(pair), session).session_reused
    with pytest.raises(ssl.SSLError):
        site.shake(site.context(pair, asks=True), session)


def test_a_client_with_a_certificate_shows_it_each_time(tmp_path: Path) -> None:
    site = Site(tmp_path, ssl.TLSVersion.TLSv1_3)
    pair = site.authority.issue(NAME)
    own = site.authority.issue("client.test", file_name="client")
    plain = site.context(pair)
    asking = site.context(pair, asks=True)
    stranger = site.shake(plain).session
    site.client.load_cert_chain(own.cert, own.key)
    shown = site.shake(asking)
    assert not shown.session_reused
    assert shown.session is None or not shown.session.has_ticket
    assert not site.shake(asking, stranger).session_reused


@pytest.mark.parametrize("version", VERSIONS, ids=["1.2", "1.3"])
def test_another_certificate_for_the_name_opens_no_ticket(
    tmp_path: Path, version: ssl.TLSVersion
) -> None:
    site = Site(tmp_path, version)
    first, second = (site.authority.issue(NAME, file_name=name) for name in ("first", "second"))
    session = site.shake(site.context(first)).session
    assert not site.shake(site.context(second), session).session_reused
    assert site.shake(site.context(first), session).session_reused


@pytest.mark.parametrize("version", VERSIONS, ids=["1.2", "1.3"])
def test_a_server_keeps_no_session_of_a_client_that_takes_no_ticket(
    tmp_path: Path, version: ssl.TLSVersion
) -> None:
    site = Site(tmp_path, version)
    site.client.options |= ssl.OP_NO_TICKET
    context = site.context(site.authority.issue(NAME))
    session = site.shake(context).session
    assert context.session_stats()["number"] == 0
    if session is not None and version is ssl.TLSVersion.TLSv1_2:
        assert not site.shake(context, session).session_reused
