"""One line of JSON for each request, without what identifies people, written in the background."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.harness.bodies import Body
from tests.harness.edge import Edge, running_edge
from tests.harness.origin import Origin
from tests.harness.polling import eventually
from tests.harness.replies import End, cacheable

BODY = Body(17, 100_000)


class Logged:
    """An edge whose access log goes to `file`."""

    def __init__(self, edge: Edge, file: Path) -> None:
        self.edge = edge
        self.file = file

    def lines(self, path: str) -> list[dict[str, Any]]:
        text = self.file.read_text() if self.file.exists() else ""
        whole = [json.loads(line) for line in text.splitlines(keepends=True) if line[-1] == "\n"]
        return [line for line in whole if line["path"] == path]

    def wait_for(self, path: str, count: int = 1) -> list[dict[str, Any]]:
        eventually(lambda: len(self.lines(path)) >= count, f"{path} is logged {count} times")
        return sorted(self.lines(path), key=lambda line: line["time"])


@pytest.fixture(scope="module")
def logged(origin: Origin, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Logged]:
    directory: Path = tmp_path_factory.mktemp("logged")
    file = directory / "access.log"
    with running_edge(origin.url, directory, {"access_log": {"path": file}}) as edge:
        yield Logged(edge, file)


def test_a_miss_and_a_hit_are_logged_with_status_and_size(
    logged: Logged, origin: Origin, path: str
) -> None:
    origin.serve(path, cacheable(BODY))
    logged.edge.get(path)
    logged.edge.get(path)
    first, second = logged.wait_for(path, 2)
    assert (first["cache"], second["cache"]) == ("miss", "hit")
    assert (second["status"], second["method"], second["host"]) == (200, "GET", "example.test")
    assert second["bytes"] >= 100_000


def test_the_clients_address_is_truncated_and_the_query_left_out(
    logged: Logged, origin: Origin, path: str
) -> None:
    origin.serve(path, cacheable(b"x"))
    logged.edge.get(path + "?token=secret")
    (line,) = logged.wait_for(path)
    assert line["client"] == "127.0.0.0"
    assert "secret" not in json.dumps(line)


def test_a_refused_request_is_logged(logged: Logged) -> None:
    with logged.edge.client() as client:
        client.send(b"nonsense\r\n\r\n")
        client.response()
    eventually(lambda: '"status":400' in logged.file.read_text(), "the refusal is logged")


def test_a_body_cut_short_by_the_origin_says_so(logged: Logged, origin: Origin, path: str) -> None:
    origin.serve(path, replace(cacheable(BODY), end=End(50_000)))
    logged.edge.get(path)
    (line,) = logged.wait_for(path)
    assert line.get("ended", "complete") != "complete"


def test_a_client_that_leaves_is_logged_as_gone(logged: Logged, origin: Origin, path: str) -> None:
    origin.serve(path, cacheable(Body(1, 50_000_000)))
    client = logged.edge.client(receive_buffer_bytes=4096)
    client.ask(path)
    client.head()
    client.reset()
    (line,) = logged.wait_for(path)
    assert line["ended"] == "client_gone"


def test_a_rotated_log_goes_on_in_a_new_file(logged: Logged, origin: Origin, path: str) -> None:
    origin.serve(path, cacheable(b"x"))
    logged.edge.get(path)
    logged.wait_for(path)
    logged.file.rename(logged.file.with_suffix(".1"))
    logged.edge.signal(signal.SIGUSR1)

    def in_the_new_file() -> bool:
        logged.edge.get(path)
        return bool(logged.lines(path))

    eventually(in_the_new_file, "the new file is written to")
