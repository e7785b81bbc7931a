"""Reloads in any order and number: nothing running is cut, and nothing stays behind."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.harness.bodies import Body
from tests.harness.edge import Edge, running_edge
from tests.harness.origin import Origin
from tests.harness.polling import eventually
from tests.harness.replies import Gate, Pause, Reply, cacheable, headers

BODY = Body(77, 600_000)
QUEUED = 300
OBJECTS = 120
RELOADS = 25


@pytest.fixture
def own_edge(origin: Origin, tmp_path: Path) -> Iterator[Edge]:
    with running_edge(origin.url, tmp_path, {"drain_timeout": 30}) as edge:
        yield edge


def change(edge: Edge, **tables: object) -> None:
    """Write the config again with these top-level tables, and reload."""
    document: dict[str, Any] = tomllib.loads(edge.config_file.read_text())
    edge.write_config({**document, **tables})
    edge.reload()


def test_reloads_after_a_shrinking_one_leave_downloads_alone(
    own_edge: Edge, origin: Origin, path: str
) -> None:
    gate = Gate()
    fields = headers(cache_control="no-store")
    origin.serve(path, Reply(headers=fields, body=BODY, pause=Pause(100_000, gate)))
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(own_edge.client()) for _ in range(8)]
        for client in clients:
            client.ask(path)
        for client in clients:
            client.head()
        for workers in (1, 1, 2, 1):
            change(own_edge, workers=workers)
        gate.open()
        assert [client.read(600_000) == BODY.read() for client in clients] == [True] * 8
    eventually(lambda: own_edge.metric("headrace_workers_leaving") == 0, "the retired are gone")
    assert len(own_edge.worker_pids()) == 1


def test_what_waits_in_the_queue_of_a_listener_that_closes_is_answered(
    own_edge: Edge, origin: Origin, path: str
) -> None:
    origin.serve(path, cacheable(b"x"))
    own_edge.get(path)
    pids = own_edge.worker_pids()
    for pid in pids:  # nobody accepts for a moment
        os.kill(pid, signal.SIGSTOP)
    with contextlib.ExitStack() as stack:
        waiting = [
            stack.enter_context(socket.create_connection(own_edge.address, 10))
            for _ in range(QUEUED)
        ]
        for sock in waiting:
            sock.sendall(f"GET {path} HTTP/1.1\r\nHost: example.test\r\n\r\n".encode())
        # The order to leave comes before the workers see the queue.
        own_edge.signal(signal.SIGTERM)
        eventually(lambda: own_edge.events("stopping"), "the edge stops")
        for pid in pids:
            os.kill(pid, signal.SIGCONT)
        answers = []
        for sock in waiting:
            try:
                answers.append(sock.recv(12))
            except ConnectionResetError:
                answers.append(b"reset")
        assert answers == [b"HTTP/1.1 200"] * QUEUED


def test_reloads_under_load_leave_no_descriptor_and_no_memory(
    origin: Origin, tmp_path: Path, path: str
) -> None:
    store = {"size": "1GiB", "slice": "256KiB", "checksum": "off", "open_files": 64}
    with running_edge(origin.url, tmp_path, {"workers": 1, "store": store}) as edge:
        for number in range(OBJECTS):
            origin.serve(f"{path}/{number}", cacheable(Body(number, 150_000)))

        def round_trip() -> None:
            with edge.client() as client:
                for number in range(OBJECTS):
                    assert client.get(f"{path}/{number}").status == 200

        (worker,) = (psutil.Process(pid) for pid in edge.worker_pids())
        for _ in range(3):
            round_trip()
            edge.reload()
        before = worker.num_fds()
        resident_before = worker.memory_info().rss
        for _ in range(RELOADS):
            round_trip()
            edge.reload()
        round_trip()
        assert worker.num_fds() < before + OBJECTS
        assert worker.memory_info().rss < resident_before + 50 * 1024 * 1024
