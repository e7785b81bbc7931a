"""A log that nobody reads: everything goes on, and what was lost is told later."""

from __future__ import annotations

import json
import os
import select
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.harness.edge import Edge, running_edge
from tests.harness.origin import Origin
from tests.harness.polling import eventually
from tests.harness.replies import Reply, cacheable, headers

REQUESTS = 600


class Pipe:
    """What an edge writes, for a reader that may hang."""

    def __init__(self) -> None:
        self.reader, self.writer = os.pipe()

    def lines(self) -> list[dict[str, Any]]:
        """What has come by now."""
        found = b""
        while select.select([self.reader], [], [], 0.5)[0]:
            part = os.read(self.reader, 65536)
            if not part:
                break
            found += part
        return [json.loads(line) for line in found.splitlines() if line.startswith(b"{")]


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    pipe = Pipe()
    yield pipe
    os.close(pipe.reader)
    os.close(pipe.writer)


def overrun(edge: Edge, origin: Origin, path: str) -> None:
    """So many requests that their lines are far more than a pipe holds."""
    origin.serve_under(path, lambda _request: Reply(headers=headers(cache_control="no-store")))
    with edge.client() as client:
        for number in range(REQUESTS):
            assert client.get(f"{path}/{number}?{'x' * 300}").status == 200


def test_an_event_log_that_no_one_reads_holds_nothing_up(
    origin: Origin, tmp_path: Path, path: str, pipe: Pipe
) -> None:
    changed: dict[str, object] = {"log_level": "debug", "workers": 1}
    with running_edge(origin.url, tmp_path, changed, output=pipe.writer) as edge:
        overrun(edge, origin, path)
        assert edge.ask_admin("POST", "/reload").status == 200
        assert edge.ask_admin("GET", "/ready").status == 200
        edge.purge(all=True)
        assert edge.get(f"{path}/again").status == 200
        events = [line["event"] for line in pipe.lines()]
        assert events.count("origin_tried") >= REQUESTS
        assert {"reloaded", "purge"} <= set(events)


def test_an_edge_whose_log_no_one_reads_can_be_stopped(
    origin: Origin, tmp_path: Path, path: str, pipe: Pipe
) -> None:
    changed: dict[str, object] = {"log_level": "debug", "workers": 1}
    with running_edge(origin.url, tmp_path, changed, output=pipe.writer) as edge:
        overrun(edge, origin, path)
        assert edge.stop() == 0


def test_an_access_log_that_no_one_reads_holds_nothing_up(
    origin: Origin, tmp_path: Path, path: str, pipe: Pipe
) -> None:
    changed: dict[str, object] = {"access_log": {"path": "-"}, "workers": 1}
    with running_edge(origin.url, tmp_path, changed, output=pipe.writer) as edge:
        overrun(edge, origin, path)
        threads = len(os.listdir(f"/proc/{edge.worker_pids()[0]}/task"))
        for _ in range(3):
            assert edge.ask_admin("POST", "/reload").status == 200
        assert edge.get(f"{path}/again").status == 200
        assert len(os.listdir(f"/proc/{edge.worker_pids()[0]}/task")) <= threads
        assert edge.stop() == 0


def test_a_named_pipe_without_a_reader_holds_nothing_up(
    origin: Origin, tmp_path: Path, path: str
) -> None:
    named = tmp_path / "access.pipe"
    os.mkfifo(named)
    changed: dict[str, object] = {"access_log": {"path": named}, "workers": 1}
    with running_edge(origin.url, tmp_path, changed) as edge:
        overrun(edge, origin, path)
        edge.signal(signal.SIGUSR1)
        assert edge.ask_admin("POST", "/reload").status == 200
        with named.open("rb") as reader:
            assert json.loads(reader.readline())["path"] == f"{path}/0"


def test_a_full_disk_of_the_access_log_is_counted_and_reported(
    origin: Origin, tmp_path: Path, path: str
) -> None:
    changed: dict[str, object] = {"access_log": {"path": "/dev/full"}, "workers": 1}
    with running_edge(origin.url, tmp_path, changed) as edge:
        origin.serve(path, cacheable(b"x"))
        assert edge.get(path).status == 200
        eventually(
            lambda: edge.metric("headrace_log_records_dropped_total") == 1, "the loss is counted"
        )
        eventually(lambda: edge.events("access_log_records_dropped"), "the loss is told")
