"""A node carries another role than the edge: here one of a few lines, under the real supervisor."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.harness.polling import eventually
from tests.harness.toy_node import Toy


@pytest.fixture
def toy(tmp_path: Path) -> Iterator[Toy]:
    with Toy(tmp_path) as running:
        running.write_toy('greeting = "hello"')
        running.start()
        yield running


def test_it_answers_with_two_workers_until_it_is_stopped(toy: Toy) -> None:
    assert toy.get() == (200, "hello from toy-1", False)
    assert len(set(toy.worker_pids())) == 2
    ready = toy.event("ready")
    assert (ready["role"], ready["node_id"]) == ("toy", "toy-1")
    toy.signal(signal.SIGTERM)
    assert toy.ended() == 0


def test_a_reload_changes_what_all_workers_say(toy: Toy) -> None:
    pids = toy.worker_pids()
    toy.write_toy('greeting = "good evening"')
    assert toy.ask("POST", "/reload").status == 200
    assert {toy.get()[1] for _ in range(20)} == {"good evening from toy-1"}
    assert sorted(toy.worker_pids()) == sorted(pids)


def test_a_file_that_is_wrong_changes_nothing(toy: Toy) -> None:
    toy.write_toy("greeting = 7")
    refused = toy.ask("POST", "/reload")
    assert refused.status == 422
    assert "edge.toml:4: error: greeting" in refused.json()["detail"]
    toy.write_toy('greeting = "hello"', admin="127.0.0.1:1")
    assert toy.ask("POST", "/reload").status == 409
    assert toy.get() == (200, "hello from toy-1", False)


def test_it_drains(toy: Toy) -> None:
    assert toy.ask("POST", "/drain").status == 200
    assert toy.ask("GET", "/ready", token=None).status == 503
    assert toy.get()[2]
    assert toy.ask("POST", "/undrain").json() == {"status": "ready"}
    assert not toy.get()[2]


def test_it_survives_a_workers_death(toy: Toy) -> None:
    pids = toy.worker_pids()
    os.kill(pids[0], signal.SIGKILL)
    toy.event("worker_died")
    eventually(lambda: len(set(toy.worker_pids()) - {pids[0]}) == 2, "there are two again")
    assert toy.ask("GET", "/ready", token=None).status == 200
    assert toy.get() == (200, "hello from toy-1", False)


def test_its_admin_api_is_every_roles(toy: Toy) -> None:
    toy.get()
    assert toy.ask("GET", "/live", token=None).status == 200
    assert toy.ask("GET", "/ready", token=None).status == 200
    paths = toy.ask("GET", "/openapi.json").json()["paths"]
    assert set(paths) == {
        "/live", "/ready", "/metrics", "/stats", "/drain", "/undrain", "/reload", "/openapi.json",
    }  # fmt: skip
    assert toy.ask("POST", "/purge", {"all": True}).status == 404
    text = toy.ask("GET", "/metrics").body.decode()
    found = {family.name: family for family in text_string_to_metric_families(text)}
    assert found["headrace_workers_ready"].samples[0].value == 2
    assert sum(one.value for one in found["headrace_responses"].samples) == 1
    assert not any(name.startswith("headrace_store_bytes") for name in found)
    assert "store" not in toy.stats()
