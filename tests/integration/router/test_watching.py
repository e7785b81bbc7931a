"""`headrace log` and `headrace top` of a router that runs."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator

import pytest

from tests.harness import warm
from tests.harness.router import NORTH, SOUTH, Router


@pytest.fixture(scope="module")
def router(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Router]:
    with Router(tmp_path_factory.mktemp("router")) as running:
        running.write()
        running.start()
        yield running


@pytest.fixture
def busy(router: Router) -> Iterator[Router]:
    """A router that clients ask again and again."""
    stop = threading.Event()

    def ask() -> None:
        number = 0
        while not stop.wait(0.02):
            number += 1
            router.get(f"/film/{number % 3}.m4s?token=x", NORTH)
            router.get("/elsewhere", SOUTH, host="nothing.example")

    thread = threading.Thread(target=ask)
    thread.start()
    yield router
    stop.set()
    thread.join()


def headrace(router: Router, *arguments: str) -> str:
    host, port = router.admin_address
    token_file = str(router.cache_dir / "admin.token")
    words = [*arguments, "--admin", f"{host}:{port}", "--token-file", token_file]
    done = warm.run_headrace(words, timeout_s=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_log_says_where_clients_are_sent(busy: Router) -> None:
    (line,) = headrace(busy, "log", 'server != ""', "--limit", "1").splitlines()
    assert " 302 " in line
    assert "GET vod.example/film/" in line
    assert "token" not in line
    assert "service=vod" in line
    assert "server=n" in line
    (line,) = headrace(busy, "log", "status == 404", "--limit", "1", "--json").splitlines()
    found = json.loads(line)
    assert (found["host"], found["path"], found["service"]) == ("nothing.example", "/elsewhere", "")


def test_top_shows_classes_servers_and_clients(busy: Router) -> None:
    found = json.loads(headrace(busy, "top", "--once", "--json"))
    assert found["requests_per_s"] > 0
    assert set(found["sent_per_s"]) <= {"n1", "n2"}
    assert {row["service"]: row["hit_ratio"] for row in found["services"]} == {
        "vod": None, "": None,
    }  # fmt: skip
    assert all(row["url"].startswith("vod.example/film/") for row in found["objects"])
    text = headrace(busy, "top", "--once")
    assert "sent to  n" in text
    assert "CLASS" in text
    assert "cache" not in text
