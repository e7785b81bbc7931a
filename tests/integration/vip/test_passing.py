"""The kernel's part alone: connections live on while their VIP moves, by one server or several."""

from __future__ import annotations

import itertools
import select
import socket

import pytest

from headrace.vip.clients import filter_of
from headrace.vip.handover.listeners import listeners_in
from tests.harness.namespaces import Namespaces
from tests.harness.passing_site import VIPS, WITHIN_S, a_client, build, exchanged, listening, opened


@pytest.mark.parametrize(("tunnel", "shared"), [(4, False), (6, False), (4, True)])
def test_connections_live_while_their_vip_moves(
    namespaces: Namespaces, tunnel: int, shared: bool
) -> None:
    site = build(namespaces, tunnel, shared=shared)
    with listening(site) as listeners:
        pairs = [opened(site, listeners, at, vip) for at, vip in itertools.product((1, 2), VIPS)]
        for at in (1, 2, 1):
            site.route(at)
            for client, server in pairs:
                exchanged(client, server)
        for number in (1, 2):
            assert site.counted(number, "passed") > 0
            assert site.counted(number, "taken") > 0
        site.route(2)
        for client, server in pairs:
            client.shutdown(socket.SHUT_WR)
            assert server.recv(10) == b""
            server.close()
            assert client.recv(10) == b""
            client.close()


def test_connections_of_a_vip_that_moved_twice_live(namespaces: Namespaces) -> None:
    """It was at the first server, then at the second; the third has it, and asks the second."""
    site = build(namespaces, count=3)
    with listening(site) as listeners:
        pairs = [opened(site, listeners, at, vip) for at, vip in itertools.product((1, 2, 3), VIPS)]
        site.passes(3, to=2, onward=2)
        site.passes(2, to=3, onward=1)
        site.passes(1, to=3)
        for at in (3, 2, 3):  # also while a router sends to the one that lost it
            site.route(at)
            for client, server in pairs:
                exchanged(client, server)
        # Nothing of the path is left to the receiver: a mark would be a firewall's.
        assert site.counted(1, "taken") > 0


@pytest.mark.parametrize("vip", VIPS)
def test_a_port_that_a_client_uses_again_reaches_the_server_that_it_is_at(
    namespaces: Namespaces, vip: str
) -> None:
    """What a server has closed it remembers for a minute; the next connection from the same port is
    another server's, and packets of it come to the first one when the VIP is back there.
    """
    site = build(namespaces)
    where = a_client(namespaces, site)  # its address does not change with the route
    with listening(site) as listeners:
        before, at_first = opened(site, listeners, 1, vip, where)
        port = before.getsockname()[1]
        at_first.close()  # the server closes first: it is in TIME_WAIT
        assert before.recv(10) == b""
        before.close()
        client, server = opened(site, listeners, 2, vip, where, port)
        exchanged(client, server)

        site.route(1)

        exchanged(client, server)
        # What opens at the first server is its own, whatever its sibling is told of it.
        exchanged(*opened(site, listeners, 1, vip, where))
        client.shutdown(socket.SHUT_WR)
        assert server.recv(10) == b""


@pytest.mark.parametrize("vip", VIPS)
def test_a_port_used_again_is_found_along_a_chain(namespaces: Namespaces, vip: str) -> None:
    """The third server remembers it, the second knows nothing, and the first has the connection."""
    site = build(namespaces, count=3)
    where = a_client(namespaces, site)
    with listening(site) as listeners:
        before, at_third = opened(site, listeners, 3, vip, where)
        port = before.getsockname()[1]
        at_third.close()
        assert before.recv(10) == b""
        before.close()
        pair = opened(site, listeners, 1, vip, where, port)
        site.passes(3, to=2, onward=2)
        site.passes(2, to=3, onward=1)
        site.passes(1, to=3)
        site.route(3)
        exchanged(*pair)


@pytest.mark.parametrize("vip", VIPS)
def test_a_client_that_sends_to_what_was_closed_is_told(namespaces: Namespaces, vip: str) -> None:
    """What a server remembers is in doubt, and its reset is kept back; the next one is not."""
    site = build(namespaces)
    with listening(site) as listeners:
        client, server = opened(site, listeners, 2, vip)
        server.close()
        assert client.recv(1) == b""
        client.sendall(b"more")
        told = select.poll()
        told.register(client, 0)
        assert told.poll(WITHIN_S * 1000) == [(client.fileno(), select.POLLERR | select.POLLHUP)]


def test_a_listener_at_a_vip_itself_is_seen(namespaces: Namespaces) -> None:
    """The kernel cannot tell it from a connection, so it is said."""
    site = build(namespaces)
    first = site.servers[0]
    vips = site.wishes[0].vips
    with listening(site), first.listen(VIPS[0], 81), first.listen(VIPS[1], 82):
        text = first.run("ss", "-HtlnO", *filter_of(vips))
        found = listeners_in(text, vips)
    assert found == (f"{VIPS[0]} port 81", f"{VIPS[1]} port 82")
    assert len(listeners_in(first.run("ss", "-HtlnO", *filter_of(vips)), vips)) == 0
