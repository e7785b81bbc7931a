"""`headrace log`, `top`, `explain --live` and `purge --list` against a running edge."""

from __future__ import annotations

import contextlib
import http.client
import itertools
import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from headrace.telemetry.watch import MOST_FOLLOWERS
from tests.harness.admin_operations import misfits
from tests.harness.bodies import Body
from tests.harness.edge import TOKEN, Edge
from tests.harness.origin import Origin
from tests.harness.polling import eventually
from tests.harness.replies import Reply, cacheable, headers
from tests.integration.edge.conftest import Starter

BODY = Body(23, 20_000)


class Command:
    """A `headrace` command at work, and what it has printed."""

    def __init__(self, edge: Edge, *arguments: str) -> None:
        token = edge.directory / "token"
        token.write_text(TOKEN)
        where = ["--admin", f"127.0.0.1:{edge.admin_port}", "--token-file", str(token)]
        if arguments[0] == "explain":
            where = ["--config", str(edge.config_file)]
        self._process = subprocess.Popen(
            [str(Path(sys.executable).parent / "headrace"), *arguments, *where],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.lines: list[str] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as output:
            for line in output:
                self.lines.append(line)

    def ended(self) -> tuple[int, str, str]:
        """Its exit code, what it printed, and its errors."""
        assert self._process.stderr is not None
        code = self._process.wait(60)
        self._reader.join()
        with self._process.stderr as errors:
            return code, "".join(self.lines), errors.read()

    def stop(self) -> None:
        if self._process.poll() is None:
            self._process.kill()
            self.ended()


@contextlib.contextmanager
def follower(edge: Edge, query: str = "") -> Iterator[http.client.HTTPResponse]:
    """A raw reader of GET /log, who follows when this begins: both workers know him."""
    until = time.monotonic() + 30.0
    while True:
        admin = http.client.HTTPConnection("127.0.0.1", edge.admin_port, timeout=20)
        with contextlib.closing(admin):
            admin.request("GET", f"/log?{query}", headers={"Authorization": f"Bearer {TOKEN}"})
            with contextlib.closing(admin.getresponse()) as response:
                if response.status == 503 and time.monotonic() < until:
                    time.sleep(0.2)  # those of the tests before are not gone yet: the most follow
                    continue
                assert response.status == 200
                response.readline()  # written once every worker has answered the first look
                yield response
                return


def path_is(path: str) -> str:
    return "filter=" + quote(f'path == "{path}"')


def next_line(response: http.client.HTTPResponse) -> dict[str, Any]:
    while not (line := response.readline().strip()):
        pass
    found: dict[str, Any] = json.loads(line)
    return found


def test_requests_are_seen_as_they_end(edge: Edge, origin: Origin, path: str) -> None:
    origin.serve(path, cacheable(BODY))
    with follower(edge, path_is(path)) as response:
        edge.get(path)
        first = next_line(response)
        edge.get(path + "?secret=1")
        edge.get(path)
        seen = [next_line(response), next_line(response)]
    assert (first["cache"], first["status"], first["service"]) == ("miss", 200, "default")
    assert (first["origin_tries"], first["client"]) == (1, "127.0.0.0")
    assert {line["cache"] for line in seen} == {"miss", "hit"}
    assert "secret" not in json.dumps(seen)
    document = edge.ask_admin("GET", "/openapi.json").json
    for line in (first, *seen):
        shown = json.dumps(line)
        assert misfits(document, "GET", "/log", 200, "application/x-ndjson", shown) == []


def test_the_command_prints_what_the_filter_wants_and_ends_at_the_limit(
    edge: Edge, origin: Origin, path: str
) -> None:
    origin.serve(path, cacheable(BODY))
    command = Command(edge, "log", f'path ~ "{path}$" and cache == "hit"', "--limit", "2")
    try:

        def asked() -> bool:
            edge.get(path)
            return len(command.lines) >= 2

        eventually(asked, "the command has printed two lines", 30)
        code, output, _errors = command.ended()
    finally:
        command.stop()
    assert code == 0
    assert output.count(f"GET example.test{path} ") == output.count(" 200 hit ") == 2
    assert "client=127.0.0.0" in output


def test_the_command_gives_all_fields_as_json(edge: Edge, origin: Origin, path: str) -> None:
    origin.serve(path, Reply(body=BODY, headers=headers(cache_control="no-store")))
    command = Command(edge, "log", f'path == "{path}"', "--limit", "1", "--json")
    try:

        def asked() -> bool:
            edge.get(path)
            return len(command.lines) >= 1

        eventually(asked, "the command has printed a line", 30)
        code, output, _errors = command.ended()
    finally:
        command.stop()
    line = json.loads(output)
    assert (code, line["cache"] in ("miss", "pass"), bool(line["reason"])) == (0, True, True)


def test_a_bad_filter_is_a_mistake_of_usage_at_a_place(edge: Edge) -> None:
    code, output, errors = Command(edge, "log", 'status == "500"').ended()
    assert (code, output) == (2, "")
    assert "at character 11: status is a number" in errors
    assert errors.endswith('  status == "500"\n' + " " * 12 + "^\n")


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ("filter=statsu", "did you mean status?"),
        ("limit=0", "limit must be"),
        ("rate=x", "rate must be"),
        ("sample=nan", "sample must be"),
        ("sample=0", "sample must be"),
        ("other=1", "unknown parameter"),
    ],
)
def test_what_cannot_be_read_is_refused(edge: Edge, query: str, told: str) -> None:
    answer = edge.ask_admin("GET", f"/log?{query}")
    assert (answer.status, told in answer.json["detail"]) == (422, True)


def test_without_the_token_no_one_follows(edge: Edge) -> None:
    for path in ("/log", "/top", "/connections", "/reasons?url=x", "/purges"):
        assert edge.ask_admin("GET", path, token=None).status == 401


def test_followers_are_few_and_their_places_come_back(edge: Edge) -> None:
    with contextlib.ExitStack() as stack:
        for _number in range(MOST_FOLLOWERS):
            stack.enter_context(follower(edge))
        refused = edge.ask_admin("GET", "/log?limit=1")
        assert (refused.status, "follow already" in refused.json["detail"]) == (503, True)

    def again() -> bool:
        with contextlib.suppress(AssertionError), follower(edge):
            return True
        return False

    eventually(again, "a place is free again", 20)


def test_a_reader_that_does_not_read_holds_nothing_up(
    edge: Edge, origin: Origin, path: str
) -> None:
    """What does not reach him is dropped and counted; clients are served, and others follow."""
    origin.serve(path, cacheable(BODY))
    query = "rate=1000&" + path_is(path)
    with follower(edge, query) as slow, edge.client() as client:
        for _number in range(3000):
            assert client.get(path, ("User-Agent", "x" * 500)).status == 200
        with follower(edge, path_is(path + "-other")) as other:
            edge.get(path + "-other")
            assert next_line(other)["path"] == path + "-other"
        shown = dropped = 0

        def all_told() -> bool:
            nonlocal shown, dropped
            line = next_line(slow)
            dropped += line.get("dropped", 0) + line.get("unexamined", 0)
            shown += "path" in line
            return bool(shown + dropped >= 3000)

        while not all_told():
            pass
    assert shown + dropped == 3000


def test_a_new_worker_learns_who_follows(edges: Starter, origin: Origin, path: str) -> None:
    edge = edges({"drain_timeout": 6})  # its own: workers are killed
    origin.serve(path, cacheable(BODY))
    edge.expected_errors.add("worker_died")
    with follower(edge, path_is(path)) as response:
        for pid in edge.worker_pids():
            edge.kill_worker(pid)

        def served() -> bool:
            with contextlib.suppress(OSError, AssertionError):
                return edge.get(path).status == 200
            return False

        eventually(served, "a new worker serves", 30)
        asking = threading.Event()

        def ask() -> None:
            while not asking.wait(0.1):
                with contextlib.suppress(OSError, AssertionError):
                    edge.get(path)

        thread = threading.Thread(target=ask)
        thread.start()
        try:
            assert next_line(response)["path"] == path
        finally:
            asking.set()
            thread.join()


def test_top_tells_services_objects_origins_and_clients(
    edge: Edge, origin: Origin, path: str
) -> None:
    origin.serve(path, cacheable(BODY))
    numbers = itertools.count()

    def told() -> bool:
        # Figures are of the time since the look before: all of it has to happen again for each.
        for _number in range(10):
            edge.get(path)
        edge.get(f"{path}/{next(numbers)}")
        found = edge.ask_admin("GET", "/top?limit=50").json
        return (
            any(row["url"].endswith(path) for row in found["objects"])
            and found["requests_per_s"] > 0
            and found["hit_ratio"] > 0
            and "default" in [row["service"] for row in found["services"]]
            and any(row["wait_s"] > 0 for row in found["origins"])
        )

    assert eventually(told, "rates, hits, services, objects and origins are told", 20)


def test_top_prints_once_as_a_table_or_as_json(edge: Edge, origin: Origin, path: str) -> None:
    origin.serve(path, cacheable(BODY))
    table = Command(edge, "top", "--once", "--interval", "3")
    as_json = Command(edge, "top", "--once", "--json", "--interval", "1")
    while table._process.poll() is None:
        edge.get(path)
    code, output, _errors = table.ended()
    assert (code, "requests/s" in output, "\x1b" in output) == (0, True, False)
    assert "HOTTEST OBJECTS" in output
    code, output, _errors = as_json.ended()
    assert (code, json.loads(output)["seconds"] >= 0) == (0, True)


def test_who_holds_most_connections_is_reported_by_network(edge: Edge) -> None:
    with contextlib.ExitStack() as stack:
        for _number in range(12):
            stack.enter_context(edge.client()).get("/none")

        def told() -> bool:
            clients = edge.ask_admin("GET", "/connections").json["clients"]
            return any(one["client"] == "127.0.0.0" and one["connections"] >= 12 for one in clients)

        eventually(told, "twelve connections of one network are told", 10)


def test_why_a_response_was_not_stored_is_remembered_and_counted(
    edge: Edge, origin: Origin, path: str
) -> None:
    origin.serve(path, Reply(body=BODY, headers=headers(cache_control="no-store")))
    for _number in range(5):  # the later ones do not queue for it, and know why all the same
        edge.get(path)
    url = edge.url(path)
    found = edge.ask_admin("GET", f"/reasons?url={quote(url)}").json["reasons"]
    assert [(one["service"], one["reason"], one["status"], one["count"]) for one in found] == [
        ("default", "no-store", 200, 5)
    ]
    assert edge.metric("headrace_not_stored_total", reason="no-store") >= 5
    code, output, _errors = Command(edge, "explain", url, "--live").ended()
    assert (code, "not stored     no-store (status 200), 5 times" in output) == (0, True)
    assert "\n               The response says `no-store`.\n" in output
    code, output, _errors = Command(edge, "explain", url + "-other", "--live").ended()
    assert (code, "nothing is remembered" in output) == (0, True)


def test_purges_are_listed_the_newest_first(edge: Edge, path: str) -> None:
    edge.purge(url=edge.url(path))
    edge.purge(prefix=edge.url(path), soft=True)
    edge.purge(tag="season-2", service="default")
    newest = edge.ask_admin("GET", "/purges?limit=3").json["purges"]
    url = f"example.test{path}"
    assert [(one["kind"], one["soft"], one["value"]) for one in newest] == [
        ("tag", False, "season-2"), ("prefix", True, url), ("url", False, url),
    ]  # fmt: skip
    assert {one["service"] for one in newest} == {"default"}
    code, output, _errors = Command(edge, "purge", "--list").ended()
    assert (code, output.splitlines()[0].endswith("hard tag season-2 service=default")) == (0, True)
    code, _output, errors = Command(edge, "purge", "--list", "--all").ended()
    assert (code, "only lists" in errors) == (2, True)
