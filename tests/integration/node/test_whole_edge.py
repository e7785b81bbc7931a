"""Supervisor, admin API, real workers and real store together."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.harness.edge import Edge, running_edge
from tests.harness.origin import Origin
from tests.harness.polling import eventually
from tests.harness.replies import Reply, cacheable, etag_of, headers

CLIENTS = 12  # enough for every worker to be asked
OLD, NEW = b"old" * 1000, b"new" * 1000


@pytest.fixture(scope="module")
def origin() -> Iterator[Origin]:
    with Origin() as running:
        yield running


@pytest.fixture(scope="module")
def edge(origin: Origin, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Edge]:
    with running_edge(origin.url, tmp_path_factory.mktemp("whole")) as running:
        yield running


def replaced(edge: Edge, origin: Origin, path: str) -> None:
    """Every worker has the old body in hand; the origin has a new one."""
    tagged = headers(cache_control="max-age=600", surrogate_key="news", etag=etag_of(OLD))
    origin.serve(path, Reply(headers=tagged, body=OLD))
    edge.get(path)
    eventually(lambda: edge.get(path).cache.get("hit"), "it is stored")
    assert {edge.get(path).body for _ in range(CLIENTS)} == {OLD}
    origin.serve(path, cacheable(NEW))
    assert edge.get(path).body == OLD


def bodies(edge: Edge, path: str) -> set[bytes]:
    return {edge.get(path).body for _ in range(CLIENTS)}


WAYS: dict[str, dict[str, Any]] = {
    "by url": {"url": "http://example.test/purge-url"},
    "by prefix": {"prefix": "http://example.test/purge-pre"},
    "by tag": {"tag": "news"},
    "by all": {"all": True},
    "by service": {"all": True, "service": "default"},
}


@pytest.mark.parametrize("way", WAYS)
def test_after_a_purge_no_worker_serves_the_old_body(edge: Edge, origin: Origin, way: str) -> None:
    path = {"by url": "/purge-url", "by prefix": "/purge-prefix"}.get(way, f"/{way[3:]}")
    replaced(edge, origin, path)
    edge.purge(**WAYS[way])
    assert bodies(edge, path) == {NEW}


def test_after_a_soft_purge_the_old_body_is_checked_first(edge: Edge, origin: Origin) -> None:
    replaced(edge, origin, "/soft")
    edge.purge(url=edge.url("/soft"), soft=True)
    assert bodies(edge, "/soft") == {NEW}


def test_a_purge_leaves_the_rest(edge: Edge, origin: Origin) -> None:
    replaced(edge, origin, "/kept")
    edge.purge(url=edge.url("/another"))
    assert bodies(edge, "/kept") == {OLD}


def test_the_command_purges(edge: Edge, origin: Origin) -> None:
    replaced(edge, origin, "/command")
    command = [str(Path(sys.executable).parent / "headrace"), "purge", edge.url("/command")]
    done = subprocess.run(
        [*command, "--config", str(edge.config_file)], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert bodies(edge, "/command") == {NEW}


def test_the_admin_api_shows_a_stored_object(edge: Edge, origin: Origin) -> None:
    replaced(edge, origin, "/shown")
    url = edge.url("/shown")
    (variant,) = edge.ask_admin("GET", f"/objects/inspect?url={url}").json["variants"]
    assert (variant["status"], variant["length"], variant["tags"]) == (200, len(OLD), ["news"])
    assert [one["n"] for one in variant["slices"]] == [0]
    found = edge.ask_admin("GET", f"/objects?prefix={url}").json["objects"]
    assert [one["version"] for one in found] == [variant["version"]]


def test_requests_are_counted_over_all_workers(edge: Edge, origin: Origin) -> None:
    replaced(edge, origin, "/counted")
    before = edge.metric("headrace_requests_total", cache="hit")
    bodies(edge, "/counted")
    eventually(
        lambda: edge.metric("headrace_requests_total", cache="hit") == before + CLIENTS,
        "every hit is counted",
    )
