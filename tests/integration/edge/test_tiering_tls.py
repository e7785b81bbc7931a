"""Servers of one site that ask each other by TLS: real edges, with certificates for their names."""

from __future__ import annotations

from pathlib import Path

from tests.harness.bodies import Body
from tests.harness.certificates import Authority
from tests.harness.origin import Origin
from tests.harness.replies import cacheable
from tests.harness.sites import RunningSite, running_site
from tests.harness.wire import Client

SERVERS = ("one", "two")
SMALL = Body(8, 20_000)
LARGE = Body(7, 40_000_000)


def asked_by_servers(site: RunningSite) -> dict[str, float]:
    return {name: site.edges[name].metric("headrace_peer_requests_total") for name in SERVERS}


def test_servers_ask_each_other_by_tls_and_nobody_else_is_answered_there(tmp_path: Path) -> None:
    authority = Authority(tmp_path / "authority")
    with (
        Origin() as origin,
        running_site(origin.url, tmp_path / "site", SERVERS, peer_tls=authority) as site,
    ):
        origin.serve("/small", cacheable(SMALL))
        owner, other = site.order("/small")
        for _time in range(2):
            with site.client(other) as client:
                assert client.get("/small").body == SMALL.read()
                part = client.get("/small", ("Range", "bytes=100-199"))
                assert (part.status, part.body) == (206, SMALL.read(100, 200))
        assert origin.count("/small") == 1
        assert asked_by_servers(site) == {owner: 4, other: 0}

        place = site.topology.server(owner)
        stranger = Client(
            (str(place.ipv4[0]), place.peer_port or 0),
            tls=authority.client_context(),
            server_name=place.host,
            host=place.host,
        )
        with stranger:
            assert stranger.get("/small").status == 421

        # One that dies in mid-body is left at the same byte.
        origin.serve("/large", cacheable(LARGE))
        owner, other = site.order("/large")
        with site.client(other, receive_buffer_bytes=65536) as client:
            client.ask("/large")
            assert client.head().status == 200
            received = bytearray(client.read(100_000))
            site.edges[owner].kill_everything()
            while len(received) < len(LARGE):
                received += client.read(min(1_000_000, len(LARGE) - len(received)))
        assert bytes(received) == LARGE.read()


def test_a_server_whose_certificate_nobody_trusts_is_not_asked(tmp_path: Path) -> None:
    ours, others = Authority(tmp_path / "ours"), Authority(tmp_path / "others")
    with (
        Origin() as origin,
        running_site(
            origin.url, tmp_path / "site", SERVERS, tiering={"ca": others.ca_file}, peer_tls=ours
        ) as site,
    ):
        origin.serve("/small", cacheable(SMALL))
        for name in SERVERS:
            with site.client(name) as client:
                assert client.get("/small").body == SMALL.read()
        assert origin.count("/small") == 2
        assert asked_by_servers(site) == dict.fromkeys(SERVERS, 0)
