"""Whatever a client does, it gives back what it takes of the origins, and cannot take it all.

A place at an origin (one of its `concurrent`) is free again after every outcome of a request; what
one client network has under way, or has left behind, is bounded.
"""

from __future__ import annotations

import contextlib
from dataclasses import replace

import pytest

from tests.harness.bodies import Body
from tests.harness.edge import Edge
from tests.harness.origin import Origin
from tests.harness.polling import eventually
from tests.harness.replies import Drip, End, Gate, Pause, Reply, cacheable, headers
from tests.harness.wire import ConnectionEnded
from tests.integration.edge.conftest import Starter

SLICE_BYTES = 256 * 1024
PLACES = 2
LIMITS = {
    "origin_requests_per_address": 12,
    "unwatched_fills_per_address": 3,
    "unwatched_bytes_per_address": "1MiB",
    "unwatched_rate": "1KiB",
}
EDGE = {
    "workers": 1,
    "limits": LIMITS,
    "timeouts": {"origin_first_byte": 60, "lock_wait": 3},
}

BIG = Body(7, 40 * SLICE_BYTES)


def fills_now(edge: Edge) -> float:
    return edge.metric("headrace_fills_active")


NARROW = "narrow.test"


@pytest.fixture(scope="module")
def narrow(edges: Starter, origin: Origin) -> Edge:
    """An edge whose origin has few places."""
    pool = {"name": "p", "origin": [{"name": "a", "url": origin.url, "concurrent": PLACES}]}
    return edges(
        {"workers": 1, "more_services": [{"name": "narrow", "hosts": [NARROW], "pool": [pool]}]}
    )


def test_ranges_of_what_may_not_be_stored_leave_nothing_taken(
    narrow: Edge, origin: Origin, path: str
) -> None:
    for number in range(30):
        origin.serve(f"{path}/{number}", Reply(headers=headers(cache_control="no-store"), body=BIG))
        with narrow.client(host=NARROW) as client:
            found = client.get(f"{path}/{number}", ("Range", "bytes=5-9"))
        assert (found.status, found.body) == (206, BIG.read(5, 10))
    origin.serve(path, cacheable(b"sound"))
    with narrow.client(host=NARROW) as client:
        assert client.get(path).body == b"sound"


def test_every_outcome_gives_its_place_back(narrow: Edge, origin: Origin, path: str) -> None:
    outcomes = [
        Reply(headers=headers(cache_control="no-store"), body=b"x" * 900),
        Reply(headers=headers(cache_control="private"), body=b"x", framing="chunked"),
        Reply(status=404, body=b"gone"),
        Reply(status=503, body=b"down"),
        Reply(status=302, headers=headers(location="/elsewhere")),
        Reply(raw=b"HTTP/1.1 206 P\r\nContent-Range: bytes 1-2/9\r\nContent-Length: 2\r\n\r\nab"),
        Reply(raw=b"HTTP/1.1 206 P\r\nContent-Range: bytes 0-1/*\r\nContent-Length: 2\r\n\r\nab"),
        Reply(raw=b"HTTP/1.1 206 P\r\nContent-Length: 2\r\n\r\nab"),
        Reply(raw=b"HTTP/1.1 416 No\r\nContent-Range: bytes */9\r\nContent-Length: 0\r\n\r\n"),
        Reply(raw=b"HTTP/1.1 304 Not Modified\r\n\r\n"),
        Reply(raw=b"nonsense\r\n\r\n"),
        Reply(end=End("before_head", reset=True)),
        Reply(body=b"x" * 5000, end=End(100)),
        Reply(headers=headers(cache_control="max-age=60"), body=b"x" * 5000, end=End(100)),
    ]
    asked = [(), (("Range", "bytes=3-4"),), (("Range", f"bytes={SLICE_BYTES}-"),)]
    for number, outcome in enumerate(outcomes):
        for kind, fields in enumerate(asked):
            for method in ("GET", "HEAD"):
                target = f"{path}/{number}/{kind}/{method}"
                origin.serve(target, outcome)
                with narrow.client(host=NARROW) as client:
                    client.ask(target, *fields, method=method)
                    with contextlib.suppress(ConnectionEnded):  # cut off, as some must be
                        client.response(method=method)
    eventually(lambda: fills_now(narrow) == 0, "no fill is left")
    gate = Gate()
    clients = [narrow.client(host=NARROW) for _ in range(PLACES)]
    for number, client in enumerate(clients):
        origin.serve(f"{path}/again/{number}", Reply(hold=gate, body=b"sound"))
        client.ask(f"{path}/again/{number}")
    for number in range(PLACES):  # all places are free, at once
        origin.wait_for(f"{path}/again/{number}")
    gate.open()
    for client in clients:
        assert client.response().body == b"sound"
        client.close()


def test_asking_and_leaving_leaves_few_fills_behind(edge: Edge, origin: Origin, path: str) -> None:
    gate = Gate()
    for number in range(10):
        origin.serve(f"{path}/{number}", Reply(hold=gate, body=b"late"))
        with edge.client() as client:
            client.ask(f"{path}/{number}")
            origin.wait_for(f"{path}/{number}")
            client.reset()
    eventually(lambda: fills_now(edge) <= 3, "no more than three fills are left behind")
    origin.serve(path, cacheable(b"sound"))
    assert edge.get(path).body == b"sound"
    gate.open()
    eventually(lambda: fills_now(edge) == 0, "no fill is left")


def test_what_no_one_waits_for_costs_the_origin_no_more_than_its_allowance(
    edge: Edge, origin: Origin, path: str
) -> None:
    before = edge.metric("headrace_origin_received_bytes_total")
    for number in range(6):
        origin.serve(f"{path}/{number}", cacheable(BIG))
        with edge.client() as client:
            client.ask(f"{path}/{number}")
            client.head()
            client.reset()
    eventually(lambda: fills_now(edge) == 0, "no fill is left")
    brought = edge.metric("headrace_origin_received_bytes_total") - before
    # The allowance, and for each what was on the way while its client was still there.
    assert brought < 2**20 + 6 * 4 * 2**20 < 6 * len(BIG)


def test_one_network_cannot_hold_more_requests_than_its_share(
    edge: Edge, origin: Origin, path: str
) -> None:
    gate = Gate()
    clients = [edge.client() for _ in range(20)]
    for number, client in enumerate(clients):
        origin.serve(
            f"{path}/{number}", Reply(hold=gate, headers=headers(cache_control="no-store"))
        )
        client.ask(f"{path}/{number}")
    refused = []
    eventually(
        lambda: edge.metric("headrace_responses_total", **{"class": "5xx"}) >= 8,
        "eight are refused",
    )
    gate.open()
    refused = [client.response().status for client in clients]
    assert sorted(refused) == [200] * 12 + [503] * 8
    for client in clients:
        client.close()
    assert edge.get(f"{path}/0").status == 200


def test_who_waits_for_a_slow_head_asks_for_himself_after_lock_wait(
    edge: Edge, origin: Origin, path: str
) -> None:
    gate = Gate()
    script = iter([Reply(hold=gate, body=b"late"), cacheable(b"at once")])
    origin.serve(path, lambda _request: next(script))
    with edge.client() as patient, edge.client() as other:
        patient.ask(path)
        origin.wait_for(path)
        other.ask(path)
        assert other.response().body == b"at once"
        gate.open()
        assert patient.response().body == b"late"


def test_what_a_client_of_another_worker_follows_goes_on_and_only_that(
    edges: Starter, origin: Origin, path: str
) -> None:
    limits = {"unwatched_fills_per_address": 0, "unwatched_bytes_per_address": 0}
    edge = edges({"workers": 2, "limits": limits})
    body = Body(5, 2 * SLICE_BYTES)
    for number in range(12):  # of so many pairs some are clients of two workers
        gate = Gate()
        target = f"{path}/{number}"
        reply = Reply(headers=headers(cache_control="max-age=60"), body=body)
        origin.serve(target, replace(reply, pause=Pause(1000, gate)))
        with edge.client() as first, edge.client() as second:
            first.ask(target)
            first.head()
            second.ask(target)
            second.head()
            first.reset()
            gate.open()
            assert second.read(len(body)) == body.read()
        origin.serve(f"{target}/left", replace(reply, pause=Pause(1000, gate := Gate())))
        with edge.client() as first, edge.client() as second:
            for client in (first, second):
                client.ask(f"{target}/left")
                client.head()
            second.reset()
            first.reset()
        eventually(lambda: fills_now(edge) == 0, "nothing goes on for nobody")
        gate.open()


def test_an_origin_in_trouble_is_not_asked_twice_for_one_request(
    edge: Edge, origin: Origin, path: str
) -> None:
    for status in (500, 503):
        origin.serve(f"{path}/{status}", Reply(status=status, body=b"down"))
        found = edge.get(f"{path}/{status}", ("X-Api-Version", "2"), ("Origin", "https://a.test"))
        assert (found.status, found.body) == (status, b"down")
        assert origin.count(f"{path}/{status}") == 1


def test_a_client_that_reads_nothing_makes_the_origin_send_little(
    edge: Edge, origin: Origin, path: str
) -> None:
    huge = Body(9, 120 * 2**20)
    origin.serve(path, cacheable(huge))
    before = edge.metric("headrace_origin_received_bytes_total")

    def brought() -> float:
        return edge.metric("headrace_origin_received_bytes_total") - before

    with edge.client(receive_buffer_bytes=4096, timeout_s=30) as client:
        client.ask(path)
        client.head()
        eventually(lambda: fills_now(edge) == 0, "the fill ends", 30)
        assert 64 * 2**20 <= brought() < 80 * 2**20
        seen = 0
        while seen < len(huge):
            size = min(2**20, len(huge) - seen)
            assert client.read(size) == huge.read(seen, seen + size)
            seen += size
    assert brought() <= len(huge) + 2**20


def test_a_body_that_drips_for_no_one_ends(edge: Edge, origin: Origin, path: str) -> None:
    body = Body(3, 3 * SLICE_BYTES)
    for number in range(8):
        origin.serve(
            f"{path}/{number}",
            Reply(headers=headers(cache_control="max-age=60"), body=body, drip=Drip(1000, 0.05)),
        )
        with edge.client() as client:
            client.ask(f"{path}/{number}")
            client.head()
            client.reset()
    eventually(lambda: fills_now(edge) <= 3, "no more than three go on")
