"""Processes that are killed at any moment: no wrong byte after it, nothing valid lost for long."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from tests.harness.bodies import Body, Checker
from tests.harness.edge import Edge, running_edge
from tests.harness.origin import Origin
from tests.harness.polling import eventually
from tests.harness.replies import Gate, Pause, Reply, cacheable, headers
from tests.harness.wire import ConnectionEnded, WireError

BODY = Body(81, 2_000_000)
FIELDS = headers(cache_control="max-age=600", etag='"a"')
DEATHS = {"worker_died"}


def get_whole(edge: Edge, path: str, body: Body) -> None:
    checker = Checker(body)
    with edge.client() as client:
        found = client.get(path, sink=checker.feed)
    assert (found.status, found.complete, checker.position) == (200, True, len(body))


@pytest.mark.parametrize("at", [0, 100_000, 262_144, 1_999_999])
def test_a_fill_cut_off_by_kill_9_leaves_nothing_wrong_behind(
    origin: Origin, tmp_path: Path, path: str, at: int
) -> None:
    gate = Gate()
    whole = Reply(headers=FIELDS, body=BODY)
    origin.serve(path, [replace(whole, pause=Pause(at, gate)), whole])
    with running_edge(origin.url, tmp_path, check=False) as edge, edge.client() as client:
        client.ask(path)
        if at:
            client.head()
            client.read(at)
        else:
            origin.wait_for(path)
        edge.kill_everything()
    gate.open()
    with running_edge(origin.url, tmp_path) as edge:
        get_whole(edge, path, BODY)
        get_whole(edge, path, BODY)


def test_what_was_stored_survives_kill_9(origin: Origin, tmp_path: Path, path: str) -> None:
    for number in range(20):
        origin.serve(f"{path}/{number}", cacheable(Body(90 + number, 100_000)))
    with running_edge(origin.url, tmp_path, check=False) as edge:
        for number in range(20):
            get_whole(edge, f"{path}/{number}", Body(90 + number, 100_000))
        edge.kill_everything()
    with running_edge(origin.url, tmp_path) as edge:
        for number in range(20):
            get_whole(edge, f"{path}/{number}", Body(90 + number, 100_000))
    assert all(origin.count(f"{path}/{number}") == 1 for number in range(20))


def test_a_purge_survives_kill_9(origin: Origin, tmp_path: Path, path: str) -> None:
    origin.serve(path, [cacheable(b"old"), cacheable(b"new")])
    with running_edge(origin.url, tmp_path, check=False) as edge:
        edge.get(path)
        edge.purge(url=edge.url(path))
        edge.kill_everything()
    with running_edge(origin.url, tmp_path) as edge:
        assert edge.get(path).body == b"new"


def test_a_killed_worker_is_replaced_and_clients_go_on(
    origin: Origin, tmp_path: Path, path: str
) -> None:
    origin.serve(path, cacheable(BODY))
    with running_edge(origin.url, tmp_path) as edge:
        edge.expected_errors |= DEATHS
        before = edge.worker_pids()
        killed = edge.kill_worker()
        eventually(
            lambda: len(edge.worker_pids()) == len(before) and killed not in edge.worker_pids(),
            "the worker is replaced",
        )
        eventually(lambda: _served(edge, path), "new connections are served")
        get_whole(edge, path, BODY)
        assert edge.metric("headrace_worker_exits_total") == 1


def test_followers_take_over_the_fill_of_a_worker_that_dies(
    origin: Origin, tmp_path: Path, path: str
) -> None:
    gate = Gate()
    paused = Reply(headers=FIELDS, body=BODY, pause=Pause(300_000, gate))
    origin.serve(path, [paused, Reply(headers=FIELDS, body=BODY)])
    with running_edge(origin.url, tmp_path) as edge, contextlib.ExitStack() as stack:
        edge.expected_errors |= DEATHS
        clients = [stack.enter_context(edge.client()) for _ in range(16)]
        for client in clients:
            client.ask(path)
        for client in clients:
            client.head()
            assert client.read(200_000) == BODY.read(0, 200_000)
        filler = _filler(edge, origin.port)
        edge.kill_worker(filler)
        whole = 0
        for client in clients:
            with contextlib.suppress(ConnectionEnded, WireError):
                assert client.read(1_800_000) == BODY.read(200_000)
                whole += 1
        gate.open()
        assert whole > 0
        get_whole(edge, path, BODY)


def _filler(edge: Edge, origin_port: int) -> int:
    """The worker that has a connection to the origin."""
    for pid in edge.worker_pids():
        for connection in psutil.Process(pid).net_connections("tcp"):
            if connection.raddr[1:] == (origin_port,):
                return pid
    raise AssertionError("no worker is connected to the origin")


def _served(edge: Edge, path: str) -> bool:
    with contextlib.suppress(ConnectionError, WireError):
        return edge.get(path).status == 200
    return False
