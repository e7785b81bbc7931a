"""Servers that know each other by certificates, without a shared secret: real edges."""

from __future__ import annotations

import contextlib
import datetime
import shutil
import ssl
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from headrace.upstream.peering import Peer, PeerSecrets, sign
from tests.harness.bodies import Body
from tests.harness.certificates import Authority, Pair
from tests.harness.edge import HOST
from tests.harness.origin import Origin
from tests.harness.replies import cacheable
from tests.harness.sites import SITE, RunningSite, host_of, running_site
from tests.harness.wire import Client, ConnectionEnded

SERVERS = ("one", "two")
SMALL = Body(8, 20_000)
LARGE = Body(7, 30_000_000)
YESTERDAY = datetime.timedelta(days=-1)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def running(
    authority: Authority, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Origin, RunningSite]]:
    directory = tmp_path_factory.mktemp("site")
    with (
        Origin() as origin,
        running_site(
            origin.url, directory, SERVERS, {"store": "always"}, peer_tls=authority, mutual=True
        ) as site,
    ):
        origin.serve_under("/", lambda request: cacheable(SMALL))
        yield origin, site


def to_peer_port(
    site: RunningSite,
    name: str,
    authority: Authority,
    pair: Pair | None = None,
    *,
    oldest: bool = False,
) -> Client:
    """Return a connection to where a server lets others in, with a certificate or without."""
    place = site.topology.server(name)
    context = authority.client_context()
    if oldest:
        context.maximum_version = ssl.TLSVersion.TLSv1_2
    if pair is not None:
        context.load_cert_chain(pair.cert, pair.key)
    address = (str(place.ipv4[0]), place.peer_port or 0)
    return Client(address, tls=context, server_name=place.host, host=HOST)


def refused(site: RunningSite, name: str, reason: str) -> float:
    edge = site.edges[name]
    return edge.metric("headrace_peer_requests_refused_total", reason=reason)


def field_of(server: str, target: str) -> tuple[str, str]:
    """Return what a server says of itself, unsigned."""
    asker = Peer(server, SITE)
    ((name, value),) = sign(
        PeerSecrets(), b"GET", HOST.encode(), target.encode(), asker, time.time()
    )
    return name.decode(), value.decode()


def test_servers_without_a_secret_ask_each_other(running: tuple[Origin, RunningSite]) -> None:
    origin, site = running
    owner, other = site.order("/small")
    with site.client(other) as client:
        assert client.get("/small").body == SMALL.read()
    assert origin.count("/small") == 1
    assert site.edges[owner].metric("headrace_peer_requests_total") == 1


@pytest.mark.parametrize(
    "shown", ["none", "of another authority", "expired", "by TLS 1.2", "a server's own"]
)
def test_only_who_shows_a_sound_certificate_is_answered(
    running: tuple[Origin, RunningSite], authority: Authority, tmp_path: Path, shown: str
) -> None:
    _origin, site = running
    owner, other = site.order("/asked")
    host = host_of(other)
    pair = {
        "none": None,
        "of another authority": Authority(tmp_path / "others").issue(host),
        "expired": authority.issue(host, file_name="expired", valid_for=YESTERDAY),
        "by TLS 1.2": authority.issue(host, file_name="sound"),
        "a server's own": authority.issue(host, file_name="sound"),
    }[shown]
    status = None
    with (
        contextlib.suppress(ConnectionEnded, ssl.SSLError, ConnectionError),
        to_peer_port(site, owner, authority, pair, oldest=shown == "by TLS 1.2") as stranger,
    ):
        status = stranger.get("/asked", field_of(other, "/asked")).status
    assert status == (200 if shown == "a server's own" else None)


def test_a_certificate_speaks_for_its_own_server_alone(
    running: tuple[Origin, RunningSite], authority: Authority
) -> None:
    _origin, site = running
    owner, other = site.order("/asked")
    before = refused(site, owner, "peer_certificate")
    for host in ("nobody.example.test", host_of(owner), f"*.{HOST}"):
        pair = authority.issue(host, file_name="stranger")
        with to_peer_port(site, owner, authority, pair) as stranger:
            assert stranger.get("/asked", field_of(other, "/asked")).status == 421
    assert refused(site, owner, "peer_certificate") == before + 3
    logged = [
        one["certificate_for"]
        for one in site.edges[owner].events("peer_refused")
        if one["reason"] == "peer_certificate"
    ]
    assert logged[-3:] == [["nobody.example.test"], [host_of(owner)], []]  # no wildcard counts


def test_a_certificate_alone_says_too_little(
    running: tuple[Origin, RunningSite], authority: Authority
) -> None:
    _origin, site = running
    owner, other = site.order("/asked")
    pair = authority.issue(host_of(other), file_name="known")
    with to_peer_port(site, owner, authority, pair) as server:
        assert server.get("/asked").status == 421
        assert server.get("/asked", field_of("three", "/asked")).status == 421


def test_what_is_not_signed_is_believed_nowhere_else(running: tuple[Origin, RunningSite]) -> None:
    _origin, site = running
    owner, other = site.order("/asked")
    with site.client(owner) as client:
        assert client.get("/asked", field_of(other, "/asked")).status == 421


def test_authorities_and_certificates_are_replaced_without_a_gap(tmp_path: Path) -> None:
    old, new = Authority(tmp_path / "old"), Authority(tmp_path / "new")
    was, will_be = old.ca_file.read_bytes(), new.ca_file.read_bytes()
    with (
        Origin() as origin,
        running_site(origin.url, tmp_path / "site", SERVERS, peer_tls=old, mutual=True) as site,
    ):
        origin.serve_under("/", lambda request: cacheable(SMALL))
        origin.serve("/large", cacheable(LARGE))
        owner, other = site.order("/large")
        with site.client(other, receive_buffer_bytes=65536) as client:
            client.ask("/large")
            assert client.head().status == 200
            received = bytearray(client.read(100_000))

            asked = site.edges[owner].metric("headrace_peer_requests_total")
            targets = (f"/{number}" for number in range(1000))
            owned = [next(t for t in targets if site.order(t)[0] == owner) for _ in range(4)]

            def ask(target: str) -> None:
                with site.client(other) as another:
                    assert another.get(target).body == SMALL.read()

            ask(owned[0])
            for target, authorities, authority in (
                (owned[1], was + will_be, old),
                (owned[2], was + will_be, new),
                (owned[3], will_be, new),
            ):
                old.ca_file.write_bytes(authorities)
                for name, edge in site.edges.items():
                    pair = authority.issue(host_of(name))
                    if authority is new:
                        shutil.copy(pair.cert, tmp_path / "old")
                        shutil.copy(pair.key, tmp_path / "old")
                    edge.reload()
                    ask(f"{target}?between={name}")
                ask(target)
            while len(received) < len(LARGE):
                received += client.read(min(1_000_000, len(LARGE) - len(received)))
        assert bytes(received) == LARGE.read()
        assert site.edges[owner].metric("headrace_peer_requests_total") >= asked + 10
        assert [origin.count(target) for target in owned] == [1, 3, 3, 3]
        for edge in site.edges.values():
            assert not edge.metric("headrace_origin_failures_total")
