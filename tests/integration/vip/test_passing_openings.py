"""Connections that are being opened while their VIP moves: packet by packet."""

from __future__ import annotations

import errno
import select
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from headrace.lab.namespaces.enter import inside
from tests.harness.namespaces import Namespace, Namespaces
from tests.harness.passing_site import (
    VIPS,
    WEB,
    WITHIN_S,
    PassingSite,
    a_client,
    build,
    exchanged,
    listening,
    opened,
)

THIRD = f"tcp dport {WEB} tcp flags & (syn | rst) == 0"
DATA = f"tcp dport {WEB} tcp flags & psh == psh"
SECOND = f"tcp sport {WEB} tcp flags & (syn | ack) == (syn | ack)"


@contextmanager
def lost(where: Namespace, hook: str, what: str) -> Iterator[None]:
    """Lose such packets meanwhile; their senders repeat them."""
    begin = f"type filter hook {hook} priority 0;"
    where.nft(f"table inet lost_{hook} {{ chain lost {{ {begin} {what} drop; }}; }}\n")
    yield
    where.nft(f"delete table inet lost_{hook}\n")


def accepted(site: PassingSite, listener: socket.socket) -> socket.socket:
    """The server's end of the next connection."""
    listener.settimeout(WITHIN_S)
    server = listener.accept()[0]
    site.open.append(server)
    return server


def used_before(
    site: PassingSite, listeners: list[socket.socket], at: int, vip: str, where: Namespace
) -> int:
    """A client's port, of which a server remembers a connection that it has closed."""
    client, server = opened(site, listeners, at, vip, where)
    server.close()
    assert client.recv(1) == b""
    port = int(client.getsockname()[1])
    client.close()
    return port


def connecting(site: PassingSite, where: Namespace, vip: str) -> socket.socket:
    """A client that has sent the first packet."""

    def there() -> socket.socket:
        made = socket.socket(socket.AF_INET6 if ":" in vip else socket.AF_INET)
        made.setblocking(False)
        assert made.connect_ex((vip, WEB)) == errno.EINPROGRESS
        return made

    made = inside(where.name, there)
    site.open.append(made)
    return made


@pytest.mark.parametrize("vip", VIPS)
@pytest.mark.parametrize("what", [THIRD, DATA])
@pytest.mark.parametrize(("at", "then"), [(1, 2), (2, 1)])
def test_a_route_that_moves_behind_the_answer(
    namespaces: Namespaces, vip: str, what: str, at: int, then: int
) -> None:
    site = build(namespaces)
    where = a_client(namespaces, site)
    with listening(site) as listeners:
        site.route(at)
        with lost(where, "output", what):
            client = site.client(vip, where)
            site.open.append(client)
            client.send(b"first")
            site.route(then)
        server = accepted(site, listeners[at - 1])
        assert server.recv(5) == b"first"
        exchanged(client, server)


@pytest.mark.parametrize("vip", VIPS)
def test_a_route_that_moves_behind_the_answer_to_a_port_used_before(
    namespaces: Namespaces, vip: str
) -> None:
    """The server that gets the rest of it remembers a connection that it has closed, so it takes
    the packets; the one that answered has no more than half a connection yet.
    """
    site = build(namespaces)
    where = a_client(namespaces, site)
    with listening(site) as listeners:
        port = used_before(site, listeners, 1, vip, where)
        site.route(2)
        with lost(where, "output", THIRD):
            client = site.client(vip, where, port)
            site.open.append(client)
            client.send(b"first")
            site.route(1)
        server = accepted(site, listeners[1])
        assert server.recv(5) == b"first"
        exchanged(client, server)


@pytest.mark.parametrize("vip", VIPS)
@pytest.mark.parametrize("believed", [1, 2])
def test_two_servers_that_answer_a_client_which_believes_one(
    namespaces: Namespaces, vip: str, believed: int
) -> None:
    """The first answer came late, so the client asked again, and the route had moved. Both have
    half a connection. Neither resets the one that the client has with the other.
    """
    site = build(namespaces)
    where = a_client(namespaces, site)
    late = 3 - believed
    with listening(site) as listeners, lost(site.router, "forward", f"iifname n{late} {SECOND}"):
        with lost(site.router, "postrouting", SECOND):
            client = connecting(site, where, vip)
            until(lambda: halves(site, 1) == 1)
            site.route(2)
            until(lambda: halves(site, 2) == 1)
        select.select((), (client,), (), WITHIN_S)
        client.setblocking(True)
        client.sendall(b"first")
        server = accepted(site, listeners[believed - 1])
        assert server.recv(5) == b"first"
        exchanged(client, server)


@pytest.mark.parametrize("vip", VIPS)
def test_a_server_that_answers_with_cookies_cuts_nothing(namespaces: Namespaces, vip: str) -> None:
    """Of what it opens it knows nothing before the third packet, which looks like one of what the
    other server has.
    """
    site = build(namespaces)
    where = a_client(namespaces, site)
    site.servers[1].run("sysctl", "-qw", "net.ipv4.tcp_syncookies=2")
    with listening(site) as listeners:
        old = opened(site, listeners, 1, vip, where)
        site.cookies(2)
        new = opened(site, listeners, 2, vip, where)
        for pair in (old, new, opened(site, listeners, 2, vip, where), old):
            exchanged(*pair)
        old[0].shutdown(socket.SHUT_WR)
        assert old[1].recv(1) == b""


def until(holds: Callable[[], bool]) -> None:
    """Wait for it."""
    end_s = time.monotonic() + WITHIN_S
    while not holds():
        assert time.monotonic() < end_s
        time.sleep(0.02)


def halves(site: PassingSite, number: int) -> int:
    """How many connections a server has answered, of which it heard no more."""
    return len(site.servers[number - 1].run("ss", "-Htn", "state", "syn-recv").splitlines())
