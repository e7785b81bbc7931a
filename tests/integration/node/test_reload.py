"""A reload: all workers move to the new configuration, or none does."""

from __future__ import annotations

import os
import signal
import socket
from pathlib import Path

from tests.harness.polling import eventually
from tests.harness.supervised import Supervised


def test_a_reload_reaches_every_worker_without_a_new_process(edge: Supervised) -> None:
    edge.start()
    pids = edge.worker_pids()
    edge.write_config("second")
    answer = edge.ask("POST", "/reload")
    assert answer.json() == {"status": "reloaded", "version": 2}
    assert {edge.connect()["name"] for _ in range(20)} == {"second"}
    assert edge.worker_pids() == pids


def test_sighup_reloads(edge: Supervised) -> None:
    edge.start()
    edge.write_config("second")
    edge.signal(signal.SIGHUP)
    edge.event("reloaded")
    assert edge.connect()["name"] == "second"


def test_the_address_stays_over_a_reload(edge: Supervised) -> None:
    edge.start()
    before = edge.addresses
    edge.ask("POST", "/reload")
    edge.event("reloaded")
    assert edge.addresses == before


def test_clients_connect_all_through_a_reload(edge: Supervised) -> None:
    edge.start()
    address = edge.addresses[0]
    names = []
    for number in range(5):
        edge.write_config(f"name{number}")
        edge.signal(signal.SIGHUP)
        while len(edge.found("reloaded")) <= number:
            names.append(edge.connect(address)["name"])
    assert edge.connect(address)["name"] == "name4"
    assert names


def test_a_bad_file_is_logged_in_full_and_changes_nothing(edge: Supervised) -> None:
    edge.start()
    edge.file.write_text('workers = "many"\nunknown = 1\n')
    edge.signal(signal.SIGHUP)
    problem = edge.event("reload_failed")["problem"]
    assert "edge.toml:1" in problem
    assert "edge.toml:2" in problem
    assert edge.connect()["name"] == "fake"


def test_the_admin_api_tells_every_problem_of_a_bad_file(edge: Supervised) -> None:
    edge.start()
    edge.file.write_text('workers = "many"\nunknown = 1\n')
    answer = edge.ask("POST", "/reload")
    assert (answer.status, answer.content_type) == (422, "application/problem+json")
    assert {"workers", "unknown"} <= {error["path"] for error in answer.json()["errors"]}
    assert edge.stats()["reloads"] == {"succeeded": 0, "failed": 1}


def test_a_config_that_a_worker_refuses_changes_nothing(edge: Supervised) -> None:
    edge.start()
    edge.write_config("refuse.bad-certificate", listen=("127.0.0.1:0", "127.0.0.1:0"))
    answer = edge.ask("POST", "/reload")
    assert answer.status == 422
    assert "bad-certificate" in answer.json()["detail"]
    assert edge.connect()["name"] == "fake"


def test_after_a_refusal_a_good_config_is_taken(edge: Supervised) -> None:
    edge.start()
    edge.write_config("refuse.it")
    edge.ask("POST", "/reload")
    edge.write_config("third")
    assert edge.ask("POST", "/reload").status == 200
    assert edge.connect()["name"] == "third"


def test_a_change_that_needs_a_restart_is_a_conflict(edge: Supervised) -> None:
    edge.start()
    edge.cache_dir = edge.directory / "other"
    edge.write_config("second")
    edge.cache_dir = edge.directory / "cache"
    answer = edge.ask("POST", "/reload")
    assert (answer.status, "cache_dir" in answer.json()["detail"]) == (409, True)
    assert edge.connect()["name"] == "fake"


def test_a_reload_can_add_and_remove_an_address(edge: Supervised, tmp_path: Path) -> None:
    edge.start()
    first = edge.addresses[0]
    path = tmp_path / "edge.sock"
    edge.write_config("second", listen=("127.0.0.1:0", f"unix:{path}"))
    edge.ask("POST", "/reload")
    assert edge.connect(f"unix:{path}")["name"] == "second"
    assert edge.connect(first)["name"] == "second"
    edge.write_config("third")
    edge.ask("POST", "/reload")
    assert not path.exists()
    assert edge.connect(first)["name"] == "third"


def test_an_address_that_is_taken_changes_nothing(edge: Supervised) -> None:
    edge.start()
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        edge.write_config("second", listen=("127.0.0.1:0", f"127.0.0.1:{port}"))
        answer = edge.ask("POST", "/reload")
    assert (answer.status, f"127.0.0.1:{port}" in answer.json()["detail"]) == (422, True)
    assert edge.connect()["name"] == "fake"


def test_a_reload_can_change_the_number_of_workers(edge: Supervised) -> None:
    edge.start()
    edge.write_config("second", workers=3)
    edge.ask("POST", "/reload")
    eventually(lambda: len(edge.worker_pids()) == 3, "a third worker")
    edge.write_config("third", workers=1)
    edge.ask("POST", "/reload")
    assert len(edge.stats()["workers"]) == 1
    eventually(lambda: edge.stats()["workers_leaving"] == 0, "the others left")
    assert edge.stats()["worker_exits"] == 0
    assert edge.connect()["name"] == "third"


def test_a_worker_that_starts_after_a_reload_takes_the_new_config(edge: Supervised) -> None:
    edge.write_config(workers=1)
    edge.start()
    edge.write_config("second", workers=1)
    edge.ask("POST", "/reload")
    (pid,) = edge.worker_pids()
    os.kill(pid, signal.SIGKILL)
    edge.event("worker_died")
    eventually(edge.worker_pids, "a new worker")
    assert edge.connect()["name"] == "second"
