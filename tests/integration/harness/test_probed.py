"""Servers that a test has in a thread leave nothing behind that the collector would find later."""

from __future__ import annotations

import gc
import socket
import warnings

from tests.harness.probed import Background, ProbedServer


def test_connections_that_were_just_accepted_are_closed_with_their_server() -> None:
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always", ResourceWarning)
        for _ in range(20):
            with Background() as background:
                server = ProbedServer(background)
                place = (server.address, server.port)
                clients = [socket.create_connection(place) for _ in range(3)]
            for client in clients:
                client.close()
        gc.collect()
    assert [one for one in seen if "unclosed" in str(one.message)] == []
