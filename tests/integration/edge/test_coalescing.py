"""One fill per key over all workers, followed by everyone as it grows."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.harness.bodies import Body, Checker
from tests.harness.edge import Edge
from tests.harness.origin import Origin
from tests.harness.polling import eventually
from tests.harness.replies import End, Gate, Pause, Reply, cacheable, headers
from tests.harness.wire import Client

CROWD = 50
BODY = Body(41, 700_000)
FIELDS = headers(cache_control="max-age=600", etag='"a"')


@contextlib.contextmanager
def crowd(edge: Edge, path: str, size: int = CROWD) -> Iterator[list[Client]]:
    """Clients on connections of their own, each with the request sent."""
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(edge.client()) for _ in range(size)]
        for client in clients:
            client.ask(path)
        yield clients


def test_fifty_clients_of_all_workers_cost_one_request(
    edge: Edge, origin: Origin, path: str
) -> None:
    gate = Gate()
    origin.serve(path, Reply(headers=FIELDS, body=BODY, hold=gate))
    with crowd(edge, path) as clients:
        origin.wait_for(path)
        gate.open()
        assert all(client.response().body == BODY.read() for client in clients)
    assert origin.count(path) == 1


def test_fifty_clients_of_a_growing_body_cost_one_request(
    edge: Edge, origin: Origin, path: str
) -> None:
    gate = Gate()
    origin.serve(path, Reply(headers=FIELDS, body=BODY, pause=Pause(300_000, gate)))
    with crowd(edge, path) as clients:
        for client in clients:
            client.head()
            assert client.read(200_000) == BODY.read(0, 200_000)
        gate.open()
        assert all(client.read(500_000) == BODY.read(200_000) for client in clients)
    assert origin.count(path) == 1


def test_a_late_joiner_starts_at_once_from_what_is_there(
    edge: Edge, origin: Origin, path: str
) -> None:
    gate = Gate()
    origin.serve(path, Reply(headers=FIELDS, body=BODY, pause=Pause(300_000, gate)))
    with edge.client() as first, crowd(edge, path, 8) as late:
        first.ask(path)
        first.head()
        first.read(299_000)
        for client in late:
            client.head()
            assert client.read(299_000) == BODY.read(0, 299_000)
        gate.open()
        assert first.read(401_000) == BODY.read(299_000)
    assert origin.count(path) == 1


def test_responses_that_were_joined_say_so(edge: Edge, origin: Origin, path: str) -> None:
    gate = Gate()
    origin.serve(path, Reply(headers=FIELDS, body=BODY, hold=gate))
    with crowd(edge, path, 10) as clients:
        origin.wait_for(path)
        gate.open()
        found = [client.response() for client in clients]
    assert sum(bool(response.cache.get("collapsed")) for response in found) >= 1
    assert sum(bool(response.cache.get("stored")) for response in found) >= 1


def test_a_client_that_leaves_does_not_cancel_others(edge: Edge, origin: Origin, path: str) -> None:
    gate = Gate()
    origin.serve(path, Reply(headers=FIELDS, body=BODY, pause=Pause(300_000, gate)))
    first = edge.client()
    first.ask(path)
    first.head()
    with crowd(edge, path, 5) as others:
        for client in others:
            client.head()
        first.reset()
        gate.open()
        assert all(client.read(700_000) == BODY.read() for client in others)
    assert (origin.count(path), origin.asked(path)[0].broken) == (1, False)


def test_a_fill_is_completed_though_its_only_client_left(
    edge: Edge, origin: Origin, path: str
) -> None:
    gate = Gate()
    origin.serve(path, Reply(headers=FIELDS, body=BODY, pause=Pause(300_000, gate)))
    with edge.client() as client:
        client.ask(path)
        client.head()
        client.reset()
    gate.open()
    assert edge.get(path).body == BODY.read()
    eventually(lambda: edge.get(path).hit, "the object is stored")
    assert origin.count(path) == 1


def test_a_slow_client_hinders_neither_fill_nor_others(
    edge: Edge, origin: Origin, path: str
) -> None:
    large = Body(42, 24 * 1024 * 1024)
    origin.serve(path, cacheable(large))
    with edge.client(receive_buffer_bytes=4096) as slow:
        slow.ask(path)
        head = slow.head()
        with edge.client() as quick:
            checker = Checker(large)
            assert quick.get(path, sink=checker.feed).complete
        rest = Checker(large)
        slow.read_body(head, sink=rest.feed)
        assert (head.complete, rest.position) == (True, len(large))
    assert origin.count(path) == 1


def test_what_may_not_be_shared_is_fetched_for_each(edge: Edge, origin: Origin, path: str) -> None:
    fields = headers(cache_control="private")
    origin.serve(path, lambda request: Reply(headers=fields, body=b"%d" % request.number))
    with crowd(edge, path, 10) as clients:
        bodies = {client.response().body for client in clients}
    assert len(bodies) == 10


def test_clients_that_waited_for_what_may_not_be_shared_do_not_queue_up(
    edge: Edge, origin: Origin, path: str
) -> None:
    gate = Gate()
    origin.serve(path, Reply(headers=headers(cache_control="no-store"), body=b"x", hold=gate))
    with crowd(edge, path, 10) as clients:
        origin.wait_for(path)
        gate.open()
        assert [client.response().body for client in clients] == [b"x"] * 10


@pytest.mark.parametrize("where", ["before_head", 300_000])
def test_a_failed_fill_fails_for_all_who_waited_and_the_next_begins_again(
    edge: Edge, origin: Origin, path: str, where: object
) -> None:
    gate = Gate()
    end = End(where)  # type: ignore[arg-type]
    broken = Reply(headers=FIELDS, body=BODY, hold=gate, end=end)
    origin.serve(path, [*[broken] * 20, cacheable(BODY)])
    with crowd(edge, path, 10) as clients:
        origin.wait_for(path)
        gate.open()
        for client in clients:
            found = client.response()
            assert found.status == 502 or not found.complete or found.body == BODY.read()
    origin.serve(path, cacheable(BODY))
    assert edge.get(path).body == BODY.read()


def test_different_objects_are_filled_side_by_side(edge: Edge, origin: Origin, path: str) -> None:
    gate = Gate()
    for number in range(10):
        body = Body(50 + number, 100_000)
        origin.serve(f"{path}/{number}", Reply(headers=FIELDS, body=body, hold=gate))
    with ThreadPoolExecutor(10) as pool:
        waiting = [pool.submit(edge.get, f"{path}/{number}") for number in range(10)]
        for number in range(10):
            origin.wait_for(f"{path}/{number}")
        gate.open()
        bodies = [future.result().body for future in waiting]
    assert bodies == [Body(50 + number, 100_000).read() for number in range(10)]
