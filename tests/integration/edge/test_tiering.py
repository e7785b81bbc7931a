"""Servers of one site that ask each other before the origin: real edges, killed and frozen."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.harness.bodies import Body
from tests.harness.edge import Edge
from tests.harness.origin import Origin
from tests.harness.polling import eventually
from tests.harness.replies import Gate, Reply, cacheable, headers
from tests.harness.sites import RunningSite, running_site

SERVERS = ("one", "two", "three")
LARGE = Body(7, 40_000_000)
SMALL = Body(8, 20_000)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Origin, RunningSite]]:
    """A site for what kills nobody; each test has a path of its own."""
    directory = tmp_path_factory.mktemp("site")
    with Origin() as origin, running_site(origin.url, directory, SERVERS) as found:
        yield origin, found


@pytest.fixture
def site(tmp_path: Path) -> Iterator[tuple[Origin, RunningSite]]:
    with Origin() as origin, running_site(origin.url, tmp_path / "site", SERVERS) as found:
        yield origin, found


def freeze(edge: Edge, number: signal.Signals) -> None:
    for pid in edge.worker_pids():
        os.kill(pid, number)


def test_an_object_comes_from_the_origin_once_for_a_site(
    shared: tuple[Origin, RunningSite],
) -> None:
    origin, servers = shared
    origin.serve("/once", cacheable(SMALL))
    owner = servers.order("/once")[0]
    before = {name: stored_by(servers, name) for name in SERVERS}
    for name in SERVERS:
        with servers.client(name) as client:
            answer = client.get("/once")
            assert answer.body == SMALL.read()
            part = client.get("/once", ("Range", "bytes=100-199"))
            assert (part.status, part.body) == (206, SMALL.read(100, 200))
            head = client.exchange("HEAD", "/once")
            assert (head.status, head.header("content-length")) == (200, str(len(SMALL)))
    assert origin.count("/once") == 1
    for name in SERVERS:
        assert stored_by(servers, name) - before[name] == (1 if name == owner else 0)


def stored_by(servers: RunningSite, name: str) -> float:
    return servers.edges[name].metric("headrace_store_objects")


def test_a_crowd_at_one_that_does_not_own_it_costs_the_origin_one_request(
    shared: tuple[Origin, RunningSite],
) -> None:
    origin, servers = shared
    gate = Gate()
    origin.serve(
        "/crowd", Reply(headers=headers(cache_control="max-age=600"), body=SMALL, hold=gate)
    )
    _owner, other, *_rest = servers.order("/crowd")
    with contextlib.ExitStack() as stack:
        crowd = [stack.enter_context(servers.client(other)) for _client in range(12)]
        for client in crowd:
            client.ask("/crowd")
        origin.wait_for("/crowd")
        gate.open()
        assert all(client.response().body == SMALL.read() for client in crowd)
    assert origin.count("/crowd") == 1


def test_a_purge_here_is_heeded_by_the_owner(shared: tuple[Origin, RunningSite]) -> None:
    origin, servers = shared
    origin.serve("/purged", [cacheable(SMALL), cacheable(b"new")])
    _owner, other, *_rest = servers.order("/purged")
    with servers.client(other) as client:
        assert client.get("/purged").body == SMALL.read()
        edge = servers.edges[other]
        edge.purge(url=edge.url("/purged"))
        assert client.get("/purged").body == b"new"
        assert client.get("/purged").body == b"new"
    assert origin.count("/purged") == 2


def test_an_owner_that_is_killed_in_mid_body_leaves_no_trace(
    site: tuple[Origin, RunningSite],
) -> None:
    origin, servers = site
    origin.serve("/film", cacheable(LARGE))
    owner, other, *_rest = servers.order("/film")
    with servers.client(owner) as client:
        assert client.get("/film").body == LARGE.read()  # it has it
    received = bytearray()
    with servers.client(other, receive_buffer_bytes=65536) as client:
        client.ask("/film")
        answer = client.head()
        received += client.read(100_000)
        servers.edges[owner].kill_everything()
        while len(received) < len(LARGE):
            received += client.read(min(1_000_000, len(LARGE) - len(received)))
    assert answer.status == 200
    assert bytes(received) == LARGE.read()
    assert servers.edges[other].metric("headrace_origin_switches_total") == 1
    eventually(
        lambda: all(served(servers, name) for name in SERVERS if name != owner),
        "the others serve without the owner",
    )


def served(servers: RunningSite, name: str) -> bool:
    with servers.client(name) as client:
        return client.get("/film", ("Range", "bytes=0-9")).body == LARGE.read(0, 10)


def test_a_frozen_owner_is_passed_and_asked_again_when_it_is_back(tmp_path: Path) -> None:
    quick = {"first_byte": "100ms", "answer": "500ms"}
    with (
        Origin() as origin,
        running_site(origin.url, tmp_path / "site", SERVERS, tiering=quick) as servers,
    ):
        origin.serve_under("/", lambda _request: cacheable(SMALL))
        targets = [f"/{number}" for number in range(200)]
        owner = servers.order(targets[0])[0]
        owned = [target for target in targets if servers.order(target)[0] == owner]
        other = servers.order(owned[0])[1]
        freeze(servers.edges[owner], signal.SIGSTOP)
        try:
            with servers.client(other) as client:
                for target in owned[:8]:
                    assert client.get(target).body == SMALL.read()
            edge = servers.edges[other]
            assert edge.metric("headrace_origin_ejections_total") >= 1
        finally:
            freeze(servers.edges[owner], signal.SIGCONT)
        left = iter(owned[8:])

        def asked_again() -> bool:
            target = next(left)
            with servers.client(other) as client:
                assert client.get(target).body == SMALL.read()
            return servers.edges[owner].metric("headrace_peer_requests_total") > 0

        eventually(asked_again, "the owner is asked again", 30)
