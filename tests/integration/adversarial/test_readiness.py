"""Ready means that a request through each worker would be served."""

from __future__ import annotations

import os
import resource
import signal
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.harness.edge import Edge, running_edge
from tests.harness.origin import Origin
from tests.harness.polling import eventually
from tests.harness.replies import cacheable


@pytest.fixture
def own_edge(origin: Origin, tmp_path: Path) -> Iterator[Edge]:
    with running_edge(origin.url, tmp_path) as edge:
        yield edge


def unready(edge: Edge) -> str:
    """Why the edge says it is not ready; empty when it is."""
    answer = edge.ask_admin("GET", "/ready", token=None)
    return "" if answer.status == 200 else str(answer.json["detail"])


def test_a_worker_that_hangs_makes_the_edge_unready_and_is_named(own_edge: Edge) -> None:
    assert unready(own_edge) == ""
    pid = own_edge.worker_pids()[1]
    os.kill(pid, signal.SIGSTOP)
    try:
        eventually(lambda: "does not answer" in unready(own_edge), "it is named", 10)
    finally:
        os.kill(pid, signal.SIGCONT)
    eventually(lambda: unready(own_edge) == "", "it is ready again", 10)


def test_a_worker_without_descriptors_makes_the_edge_unready(own_edge: Edge) -> None:
    pid = own_edge.worker_pids()[0]
    hard = resource.prlimit(pid, resource.RLIMIT_NOFILE)[1]
    used = psutil.Process(pid).num_fds()
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (used, hard))
    eventually(lambda: "no descriptor left" in unready(own_edge), "it is named")
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (hard, hard))
    eventually(lambda: unready(own_edge) == "", "it is ready again")


def test_a_worker_that_died_does_not_make_the_edge_unready_for_long(own_edge: Edge) -> None:
    own_edge.expected_errors.add("worker_died")
    own_edge.kill_worker()
    eventually(lambda: unready(own_edge) == "", "the others serve")


def test_workers_end_with_their_supervisor_and_finish_what_they_send(
    origin: Origin, tmp_path: Path, path: str
) -> None:
    with running_edge(origin.url, tmp_path, check=False) as edge:
        origin.serve(path, cacheable(b"x"))
        assert edge.get(path).status == 200
        pids = edge.worker_pids()
        edge.process.kill()
        edge.process.wait(10)
        eventually(
            lambda: (
                not any(
                    psutil.pid_exists(pid) and psutil.Process(pid).status() != "zombie"
                    for pid in pids
                )
            ),
            "no worker outlives its supervisor by long",
            15,
        )
