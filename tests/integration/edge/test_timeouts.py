"""Every wait has its limit; a slow client costs little and hinders nobody."""

from __future__ import annotations

import contextlib

import psutil
import pytest

from tests.harness.bodies import Body
from tests.harness.edge import Edge
from tests.harness.origin import Origin
from tests.harness.polling import eventually
from tests.harness.replies import Drip, End, Gate, Pause, Reply, cacheable, headers
from tests.harness.wire import Client, ConnectionEnded

EDGE: dict[str, object] = {
    "workers": 1,
    "timeouts": {
        "head": 0.5,
        "idle": 0.7,
        "tls_handshake": 1,
        "send_min_rate": 10_000,
        "rate_window": 1,
        "origin_connect": 1,
        "origin_first_byte": 0.5,
        "origin_between_bytes": 0.5,
    },
    "limits": {"connections_per_address": 20, "pass_buffer": "64KiB"},
}
LARGE = Body(15, 64 * 1024 * 1024)
NO_STORE = headers(cache_control="no-store")


def test_a_client_that_never_sends_a_head_is_closed(edge: Edge) -> None:
    with edge.client() as client:
        assert client.ended()


def test_a_client_that_stops_inside_its_head_gets_408(edge: Edge) -> None:
    with edge.client() as client:
        client.send(b"GET / HTTP/1.1\r\nHost:")
        assert (client.response().status, client.ended()) == (408, True)


def test_a_client_that_drips_its_head_gets_408_all_the_same(edge: Edge) -> None:
    with edge.client() as client, contextlib.suppress(ConnectionError):
        client.send(b"GET / HTTP/1.1\r\n")
        client.sock.settimeout(0.1)
        found = None
        for _ in range(100):
            client.send(b"X: y\r\n")
            with contextlib.suppress(TimeoutError):
                found = client.response()
                break
        assert found is not None
        assert found.status == 408


def test_an_idle_connection_is_closed_quietly(edge: Edge, origin: Origin, path: str) -> None:
    origin.serve(path, cacheable(b"x"))
    with edge.client() as client:
        client.get(path)
        assert client.ended()


def test_a_client_that_stops_inside_its_body_is_dropped(
    edge: Edge, origin: Origin, path: str
) -> None:
    origin.serve(path, Reply(status=200))
    with edge.client() as client:
        client.send(f"POST {path} HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nabc".encode())
        with contextlib.suppress(ConnectionEnded):
            assert client.response("POST").status in (400, 408)
        assert client.ended()


def test_a_client_that_does_not_read_is_dropped(edge: Edge, origin: Origin, path: str) -> None:
    origin.serve(path, cacheable(LARGE))
    before = edge.metric("headrace_timeouts_total")
    with edge.client(receive_buffer_bytes=4096) as client:
        client.ask(path)
        eventually(lambda: edge.metric("headrace_timeouts_total") > before, "the client is dropped")
        assert not client.response().complete


@pytest.mark.parametrize("stored", [True, False])
def test_clients_that_do_not_read_cost_little_memory(
    edge: Edge, origin: Origin, path: str, stored: bool
) -> None:
    control = headers(cache_control="max-age=60") if stored else NO_STORE
    origin.serve(path, Reply(headers=control, body=LARGE))
    worker = psutil.Process(edge.worker_pids()[0])
    before = worker.memory_info().rss - worker.memory_info().shared
    with contextlib.ExitStack() as stack:
        for _ in range(10):
            client = stack.enter_context(edge.client(receive_buffer_bytes=4096))
            client.ask(path)
            client.head()
        grown = worker.memory_info().rss - worker.memory_info().shared - before
    assert grown < 24 * 1024 * 1024


def test_one_address_has_only_so_many_connections(edge: Edge, origin: Origin, path: str) -> None:
    origin.serve(path, cacheable(b"x"))
    with contextlib.ExitStack() as stack:
        clients: list[Client] = []

        def refused() -> bool:
            client = stack.enter_context(edge.client())
            clients.append(client)
            with contextlib.suppress(ConnectionEnded, ConnectionError):
                return client.get(path).status != 200
            return True

        eventually(refused, "a connection is refused")
        assert len(clients) <= 21
    eventually(lambda: _served(edge, path), "connections are taken again")


def _served(edge: Edge, path: str) -> bool:
    with contextlib.suppress(ConnectionEnded, ConnectionError):
        return edge.get(path).status == 200
    return False


def test_an_origin_without_an_answer_is_504(edge: Edge, origin: Origin, path: str) -> None:
    gate = Gate()
    origin.serve(path, Reply(hold=gate))
    status = edge.get(path).status
    gate.open()
    assert status == 504


@pytest.mark.parametrize("control", ["max-age=60", "no-store"])
def test_an_origin_that_stalls_in_mid_body_breaks_the_clients_connection(
    edge: Edge, origin: Origin, path: str, control: str
) -> None:
    gate = Gate()
    fields = headers(cache_control=control)
    origin.serve(path, Reply(headers=fields, body=Body(1, 100_000), pause=Pause(50_000, gate)))
    found = edge.get(path)
    gate.open()
    assert not found.complete


def test_time_limits_hold_on_after_a_response_that_outlasted_them(
    edge: Edge, origin: Origin, path: str
) -> None:
    origin.serve(path, Reply(headers=NO_STORE, body=bytes(100), drip=Drip(10, 0.2)))
    assert edge.get(path).complete
    with edge.client() as idle:
        assert idle.ended()


def test_an_origin_that_refuses_connections_is_502(edge: Edge, origin: Origin, path: str) -> None:
    origin.serve(path, Reply(end=End("before_head")))
    assert edge.get(path).status == 502
