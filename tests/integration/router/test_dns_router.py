"""DNS of a router as processes: the same decision as its redirects, on both of its workers."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import dns.edns
import dns.exception
import dns.message
import dns.query
import pytest

from headrace.topology.view import ServerState
from tests.harness.dns_messages import cookie_of, option, values
from tests.harness.dns_server import free_port
from tests.harness.polling import eventually
from tests.harness.router import NORTH, SOUTH, Router

SITES = {"198.51.100.1": "north", "198.51.100.2": "north"}


class DnsRouter(Router):
    """A router that answers DNS too."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        self.port = free_port()

    def configure(self, *more: str, ttl: str = "5m") -> None:
        """Write its configuration."""
        self.write(
            tables=f"""
[dns]
listen = ["127.0.0.1:{self.port}"]
[[dns.zone]]
name = "vod.example"
nameservers = ["ns1.cdn.example"]
ttl = "{ttl}"
{"".join(more)}
"""
        )

    def resolve(self, client: str, name: str = "vod.example", kind: str = "A") -> list[str]:
        """Return what a name has for a client, asked from its address and a new port."""
        message = dns.message.make_query(name, kind)
        answer = dns.query.udp(message, "127.0.0.1", 10, self.port, source=client)
        return values(answer)


@pytest.fixture(name="router")
def _router(tmp_path: Path) -> Iterator[DnsRouter]:
    with DnsRouter(tmp_path) as running:
        running.configure()
        running.start()
        yield running


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DnsRouter]:
    """One router for what changes nothing of it."""
    with DnsRouter(tmp_path_factory.mktemp("router")) as running:
        running.configure()
        running.start()
        yield running


def sites_of(router: DnsRouter, client: str) -> set[str]:
    """Return the sites whose servers a client is told of, by either worker."""
    told = {each for _ in range(12) for each in router.resolve(client)}
    return {SITES.get(each, "south") for each in told}


def test_the_log_says_where_dns_is_answered(shared: DnsRouter) -> None:
    event = shared.event("dns_listening")
    assert event["listening"] == [f"127.0.0.1:{shared.port}"]


def test_dns_and_redirects_name_the_same_site(shared: DnsRouter) -> None:
    for client, site in ((NORTH, "north"), (SOUTH, "south")):
        assert sites_of(shared, client) == {site}
        assert shared.site(client) == site


def test_a_view_moves_clients_and_a_killed_worker_is_not_missed(router: DnsRouter) -> None:
    router.put_view(n1=ServerState.FAILED, n2=ServerState.FAILED)
    eventually(lambda: sites_of(router, NORTH) == {"south"}, "the view counts", 30)
    os.kill(router.worker_pids()[0], signal.SIGKILL)

    def answers() -> bool:
        try:
            return sites_of(router, SOUTH) == {"south"}
        except dns.exception.Timeout:
            return False

    eventually(answers, "there are answers again", 30)


def test_workers_share_the_secret_of_cookies(shared: DnsRouter) -> None:
    message = dns.message.make_query("vod.example", "A", options=[option(10, b"8 bytes.")])
    cookie = cookie_of(dns.query.udp(message, "127.0.0.1", 10, shared.port))
    again = dns.message.make_query("vod.example", "A", options=[option(10, cookie)])
    for _ in range(12):
        # A cookie that is known and young is sent back as it is.
        assert cookie_of(dns.query.udp(again, "127.0.0.1", 10, shared.port)) == cookie


def test_a_reload_changes_zones_and_a_wrong_one_changes_nothing(router: DnsRouter) -> None:
    def ttl() -> int:
        message = dns.message.make_query("vod.example", "NS")
        return int(dns.query.udp(message, "127.0.0.1", 10, router.port).answer[0].ttl)

    assert ttl() == 300
    router.configure(ttl="1m")
    assert router.ask("POST", "/reload").status == 200
    assert {ttl() for _ in range(12)} == {60}
    record = '[[dns.zone.record]]\nname = "www"\ntype = "A"\nvalue = "nowhere"\n'
    router.configure(record, ttl="2m")
    assert router.ask("POST", "/reload").status != 200
    assert {ttl() for _ in range(12)} == {60}


def test_a_taken_address_is_said_at_the_start(tmp_path: Path) -> None:
    with socket.socket(type=socket.SOCK_DGRAM) as taken, DnsRouter(tmp_path) as running:
        taken.bind(("127.0.0.1", running.port))
        running.configure()
        with pytest.raises(AssertionError, match=f"cannot answer on 127.0.0.1:{running.port}"):
            running.start()


def test_what_dns_does_is_in_the_metrics(shared: DnsRouter) -> None:
    def counted() -> list[float]:
        text = shared.ask("GET", "/metrics").body.decode()
        return [
            sum(float(line.split()[-1]) for line in text.splitlines() if line.startswith(start))
            for start in (
                'headrace_dns_queries_total{type="AAAA"}',
                'headrace_dns_received_total{transport="udp"}',
                'headrace_dns_answers_total{code="refused"}',
            )
        ]

    before = counted()
    for _ in range(20):
        shared.resolve(NORTH, kind="AAAA")
    shared.resolve(NORTH, "other.example", "AAAA")
    assert [after - was for after, was in zip(counted(), before, strict=True)] == [21, 21, 1]
