"""Starting, stopping, and workers that die."""

from __future__ import annotations

import os
import signal
import socket
from pathlib import Path

from tests.harness.polling import eventually
from tests.harness.supervised import Supervised


def test_the_ready_line_names_where_it_listens(edge: Supervised) -> None:
    edge.start()
    ready = edge.event("ready")
    assert ready["workers"] == 2
    assert edge.connect(ready["listening"][0])["name"] == "fake"


def test_sigterm_ends_workers_and_supervisor(edge: Supervised) -> None:
    edge.start()
    pids = edge.worker_pids()
    edge.signal(signal.SIGTERM)
    assert edge.ended() == 0
    assert not any(Path(f"/proc/{pid}").exists() for pid in pids)


def test_workers_that_do_not_end_are_killed_at_the_drain_timeout(edge: Supervised) -> None:
    edge.write_config("stuck", drain_timeout="0.2s")
    edge.start()
    edge.signal(signal.SIGTERM)
    assert edge.ended() == 0
    assert len(edge.found("workers_killed_at_deadline")) == 1


def test_a_second_sigterm_ends_it_at_once(edge: Supervised) -> None:
    edge.write_config("stuck", drain_timeout="1h")
    edge.start()
    edge.signal(signal.SIGTERM)
    edge.event("stopping")
    edge.signal(signal.SIGTERM)
    assert edge.ended() == 0
    assert edge.found("stopping_now")


def test_a_killed_worker_is_replaced(edge: Supervised) -> None:
    edge.start()
    victim = edge.worker_pids()[0]
    os.kill(victim, signal.SIGKILL)
    assert edge.event("worker_died")["reason"] == "signal SIGKILL"
    eventually(
        lambda: len(edge.worker_pids()) == 2 and victim not in edge.worker_pids(),
        "a second worker",
    )
    assert edge.stats()["worker_exits"] == 1


def test_counts_do_not_go_back_when_a_worker_dies(edge: Supervised) -> None:
    edge.start()
    for _ in range(20):
        edge.connect()
    assert edge.stats()["counts"]["requests"]["hit"] == 20
    os.kill(edge.worker_pids()[0], signal.SIGKILL)
    edge.event("worker_died")
    assert edge.stats()["counts"]["requests"]["hit"] == 20


def test_a_worker_that_crashes_again_and_again_is_tried_ever_again(
    edge: Supervised, tmp_path: Path
) -> None:
    trouble = tmp_path / "trouble"
    edge.environment["FAKE_WORKER_CRASH_IF"] = str(trouble)
    edge.write_config(workers=1)
    edge.start()
    trouble.touch()
    os.kill(edge.worker_pids()[0], signal.SIGKILL)
    delays = [edge.event("worker_died", number)["restart_in_s"] for number in (1, 2, 3)]
    assert delays == [0.1, 0.2, 0.4]
    refusal = edge.ask("GET", "/ready", token=None)
    assert (refusal.status, refusal.json()["detail"]) == (
        503,
        "no worker serves; the log says why",
    )
    trouble.unlink()
    eventually(lambda: edge.ask("GET", "/ready", token=None).status == 200, "a worker that serves")


def test_a_crash_loop_does_not_hold_up_the_end(edge: Supervised, tmp_path: Path) -> None:
    trouble = tmp_path / "trouble"
    edge.environment["FAKE_WORKER_CRASH_IF"] = str(trouble)
    edge.write_config(workers=1, drain_timeout="1h")
    edge.start()
    trouble.touch()
    os.kill(edge.worker_pids()[0], signal.SIGKILL)
    assert edge.event("worker_died", 5)["restart_in_s"] == 1.6
    edge.signal(signal.SIGTERM)
    assert edge.ended() == 0


def test_an_address_in_use_ends_the_start_with_a_clear_word(edge: Supervised) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        edge.write_config(listen=(f"127.0.0.1:{port}",))
        edge.launch()
        assert edge.ended() == 1
    problem = edge.found("start_failed")[0]["problem"]
    assert problem.startswith(f"cannot listen on 127.0.0.1:{port}: another process uses it")


def test_a_worker_that_cannot_serve_ends_the_start_with_its_own_words(edge: Supervised) -> None:
    edge.write_config("fatal.no-certificate")
    edge.launch()
    assert edge.ended() == 1
    assert "no-certificate" in edge.found("start_failed")[0]["problem"]


def test_a_worker_that_crashes_at_the_first_start_ends_it(edge: Supervised) -> None:
    edge.write_config("crash")
    edge.launch()
    assert edge.ended() == 1
    assert "exit code 3" in edge.found("start_failed")[0]["problem"]


def test_workers_do_not_outlive_a_killed_supervisor(edge: Supervised) -> None:
    edge.start()
    pids = edge.worker_pids()
    edge.signal(signal.SIGKILL)
    edge.ended()
    eventually(lambda: not any(Path(f"/proc/{pid}").exists() for pid in pids), "the workers' end")


def test_sigusr1_reaches_every_worker(edge: Supervised) -> None:
    edge.start()
    edge.signal(signal.SIGUSR1)
    eventually(lambda: edge.stats()["counts"]["purges_seen"] == 2, "both logs reopened")


def test_drain_and_undrain_reach_the_workers(edge: Supervised) -> None:
    edge.start()
    edge.ask("POST", "/drain")
    eventually(lambda: edge.connect()["draining"], "a draining worker")
    assert edge.ask("GET", "/ready", token=None).status == 503
    edge.ask("POST", "/undrain")
    eventually(lambda: not edge.connect()["draining"], "a worker that drains no more")
    assert edge.ask("GET", "/ready", token=None).status == 200


def test_a_unix_socket_is_removed_at_the_end(edge: Supervised, tmp_path: Path) -> None:
    path = tmp_path / "edge.sock"
    edge.write_config(listen=(f"unix:{path}",))
    edge.start()
    assert edge.connect(f"unix:{path}")["name"] == "fake"
    edge.signal(signal.SIGTERM)
    edge.ended()
    assert not path.exists()


def test_systemd_hears_of_ready_and_stopping(edge: Supervised, tmp_path: Path) -> None:
    path = tmp_path / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(path))
        systemd.settimeout(30)
        edge.environment["NOTIFY_SOCKET"] = str(path)
        edge.start()
        assert systemd.recv(1000) == b"READY=1"
        edge.signal(signal.SIGTERM)
        assert systemd.recv(1000).startswith(b"STOPPING=1")
