"""A real edge, supervisor and workers, started for tests on free ports of loopback.

At the end it must stop cleanly, with no traceback and no error in its log that the test did not
announce.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import random
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
from prometheus_client.parser import text_string_to_metric_families

from headrace.node.fork_server import WORKER_NAME
from tests.harness import warm
from tests.harness.polling import eventually
from tests.harness.toml import to_toml
from tests.harness.warm import Process
from tests.harness.wire import Client, Response

TOKEN = "a-token-for-tests-only"
START_TIMEOUT_S = 90.0
STOP_TIMEOUT_S = 60.0
HOST = "example.test"
NODE_ID = "edge-under-test"
HEADRACE = str(Path(sys.executable).parent / "headrace")

PORTS = range(12_000, 32_000)
"""Below the ephemeral range, so that no outgoing connection takes one meanwhile."""


def own_ports() -> range:
    """Return the ports that are this process's own where the tests run in many (pytest-xdist)."""
    processes = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    number = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    each = len(PORTS) // processes
    return PORTS[number * each : (number + 1) * each]


def free_port() -> int:
    """Return a port that nobody listens on."""
    while True:
        port = random.SystemRandom().choice(own_ports())
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port


@dataclass(frozen=True, slots=True)
class Answer:
    """What the admin API said."""

    status: int
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


def config_for(
    origin: str, cache_dir: Path, port: int, admin_port: int, overrides: Mapping[str, object]
) -> dict[str, object]:
    """A config of one service for all hosts. `overrides` replace top-level tables; `service`,
    `listen` and `more_admin` add to what is there, `more_services` come behind the one.
    """
    service: dict[str, object] = {"name": "default", "hosts": ["*"], "origins": [origin]}
    changed = dict(overrides)
    service.update(_table(changed.pop("service", {})))
    listen = [{"address": f"127.0.0.1:{port}"}, *_list(changed.pop("listen", []))]
    document: dict[str, object] = {
        "node_id": NODE_ID,
        "workers": 2,
        "cache_dir": cache_dir,
        "drain_timeout": 5,
        "listen": listen,
        "admin": {
            "listen": f"127.0.0.1:{admin_port}",
            "token": TOKEN,
            **_table(changed.pop("more_admin", {})),
        },
        "store": {"size": "1GiB", "slice": "256KiB", "checksum": "off"},
        "service": [service, *_list(changed.pop("more_services", []))],
    }
    document.update(changed)
    return document


def _table(value: object) -> Mapping[str, object]:
    assert isinstance(value, Mapping)
    return value


def _list(value: object) -> list[object]:
    assert isinstance(value, list)
    return value


class Edge:
    """A running `headrace edge`. Made by `running_edge` and `edge_from_arguments`."""

    def __init__(
        self,
        directory: Path,
        arguments: list[str],
        port: int,
        admin_port: int,
        output: int | None = None,
        launcher: Sequence[str] = (),
    ) -> None:
        self.directory = directory
        self.cache_dir = directory / "cache"
        self.config_file = directory / "edge.toml"
        self.port = port
        self.admin_port = admin_port
        self.expected_errors: set[str] = set()
        self._log_file = directory / "edge.log"
        self._launcher = tuple(launcher)
        self._arguments = arguments
        self._output = output
        self.process = self._start()
        self._told_to_stop: Process | None = None

    def _start(self) -> Process:
        with self._log_file.open("ab") as log:
            out = log.fileno() if self._output is None else self._output
            if not self._launcher:
                return warm.start_headrace(["edge", *self._arguments], out, out)
            command = [*self._launcher, "edge", *self._arguments]
            return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=out)

    # Talking to it.

    @property
    def address(self) -> tuple[str, int]:
        return ("127.0.0.1", self.port)

    def client(self, **options: Any) -> Client:
        """A plain connection."""
        return Client(self.address, **options)

    def get(self, target: str, *fields: tuple[str, str]) -> Response:
        """One GET on a connection of its own, so that any worker may answer."""
        with self.client() as client:
            return client.get(target, *fields)

    def exchange(
        self, method: str, target: str, *fields: tuple[str, str], body: bytes | None = None
    ) -> Response:
        """One request of any method on a connection of its own."""
        with self.client() as client:
            return client.exchange(method, target, *fields, body=body)

    def ask_admin(
        self, method: str, path: str, body: object = None, token: str | None = TOKEN
    ) -> Answer:
        """One request to the admin API."""
        admin = http.client.HTTPConnection("127.0.0.1", self.admin_port, timeout=20)
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        data = None
        if body is not None:
            data = json.dumps(body).encode()
            headers["Content-Type"] = "application/json"
        try:
            admin.request(method, path, data, headers)
            found = admin.getresponse()
            return Answer(found.status, found.read())
        finally:
            admin.close()

    def purge(self, **what: object) -> Any:
        """Purge by url, prefix, tag or all (and soft, service); in force when this returns."""
        found = self.ask_admin("POST", "/purge", what)
        assert found.status == 200, found
        return found.json

    def url(self, path: str, host: str = HOST) -> str:
        """The URL that clients of this harness ask for."""
        return f"http://{host}{path}"

    def metric(self, name: str, **labels: str) -> float:
        """The sum of this metric's samples that carry these labels."""
        text = self.ask_admin("GET", "/metrics").body.decode()
        return sum(
            sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
            if sample.name == name and labels.items() <= sample.labels.items()
        )

    # Steering it.

    def worker_pids(self) -> list[int]:
        """The worker processes that run now."""
        try:
            children = psutil.Process(self.process.pid).children(recursive=True)
        except psutil.NoSuchProcess:
            return []
        found = []
        for child in children:
            with contextlib.suppress(psutil.Error):
                if child.status() != psutil.STATUS_ZOMBIE and child.name() == WORKER_NAME:
                    found.append(child.pid)
        return sorted(found)

    def kill_worker(self, pid: int | None = None) -> int:
        """Kill one worker with SIGKILL; its process id."""
        chosen = self.worker_pids()[0] if pid is None else pid
        os.kill(chosen, signal.SIGKILL)
        return chosen

    def kill_everything(self) -> None:
        """SIGKILL to the supervisor and its workers at once, as a power cut for the processes."""
        workers = self.worker_pids()
        self.process.kill()
        for pid in workers:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.process.wait(10)
        eventually(
            lambda: not any(psutil.pid_exists(pid) for pid in workers), "every worker is gone"
        )

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def write_config(self, document: Mapping[str, object]) -> None:
        self.config_file.write_text(to_toml(document))

    def reload(self) -> None:
        """SIGHUP, and wait until the log says what came of it."""
        before = len(self.events("reloaded")) + len(self.events("reload_failed"))
        self.signal(signal.SIGHUP)
        eventually(
            lambda: len(self.events("reloaded")) + len(self.events("reload_failed")) > before,
            "the edge answers a reload in its log",
            20,
        )

    def log(self) -> str:
        return self._log_file.read_text(errors="replace")

    def log_lines(self) -> Iterator[dict[str, Any]]:
        """The structured lines of the log."""
        for line in self.log().splitlines():
            if line.startswith("{"):
                with contextlib.suppress(ValueError):
                    yield json.loads(line)

    def events(self, name: str) -> list[dict[str, Any]]:
        return [line for line in self.log_lines() if line.get("event") == name]

    # Its life.

    def start_again(self) -> None:
        """Start it once more after its end, and wait until it is ready."""
        assert self.process.poll() is not None
        self.process = self._start()
        self.wait_until_ready()

    def wait_until_ready(self) -> None:
        def ready() -> bool:
            if self.process.poll() is not None:
                raise AssertionError(f"the edge ended at its start:\n{self.log()[-4000:]}")
            with contextlib.suppress(OSError, http.client.HTTPException):
                return self.ask_admin("GET", "/ready", token=None).status == 200
            return False

        eventually(ready, "the edge is ready", START_TIMEOUT_S)

    def begin_to_stop(self) -> None:
        """SIGTERM, unless it has ended or was told before."""
        if self._told_to_stop is not self.process and self.process.poll() is None:
            self._told_to_stop = self.process
            self.signal(signal.SIGTERM)

    def stop(self) -> int:
        """SIGTERM, and the exit code."""
        self.begin_to_stop()
        return self.process.wait(STOP_TIMEOUT_S)

    def end(self) -> None:
        """Stop and check: exit code 0, no traceback, no error that was not announced."""
        try:
            code = self.stop()
        finally:
            if self.process.poll() is None:
                self.kill_everything()
        problems = self.problems()
        assert code == 0, f"the edge ended with {code}:\n{self.log()[-4000:]}"
        assert not problems, "the edge's log has:\n" + "\n".join(problems)

    def problems(self) -> list[str]:
        """What the log holds that a sound run has not."""
        found = [
            json.dumps(line)
            for line in self.log_lines()
            if line.get("level") in ("error", "critical")
            and line.get("event") not in self.expected_errors
        ]
        text = self.log()
        if "Traceback" in text:
            found.append(text[text.index("Traceback") :][:3000])
        return found


@contextlib.contextmanager
def running_edge(
    origin: str,
    directory: Path,
    overrides: Mapping[str, object] = {},
    *,
    check: bool = True,
    output: int | None = None,
    launcher: Sequence[str] = (),
) -> Iterator[Edge]:
    """An edge by a config file (see `config_for`), ready; it is stopped and checked at the end.

    With `check=False` its end is the test's own business. `output` is a descriptor for what it
    writes, instead of the log file, `launcher` what runs it instead of a process that is warm.
    """
    directory.mkdir(parents=True, exist_ok=True)
    port, admin_port = free_port(), free_port()
    changed = dict(overrides)
    cache_dir = changed.pop("cache_dir", directory / "cache")
    assert isinstance(cache_dir, Path)
    document = config_for(origin, cache_dir, port, admin_port, changed)
    config_file = directory / "edge.toml"
    config_file.write_text(to_toml(document))
    edge = Edge(directory, ["--config", str(config_file)], port, admin_port, output, launcher)
    edge.cache_dir = cache_dir
    with _minded(edge, check=check):
        yield edge


@contextlib.contextmanager
def edge_from_arguments(origin: str, directory: Path, *arguments: str) -> Iterator[Edge]:
    """An edge by the one-line form, as a command; its admin token is the one that it makes."""
    directory.mkdir(parents=True, exist_ok=True)
    port, admin_port = free_port(), free_port()
    line = ["--listen", f"127.0.0.1:{port}", "--origin", origin]
    line += ["--cache-dir", str(directory / "cache"), "--admin", f"127.0.0.1:{admin_port}"]
    edge = Edge(directory, [*line, *arguments], port, admin_port, launcher=(HEADRACE,))
    with _minded(edge, check=True):
        yield edge


@contextlib.contextmanager
def _minded(edge: Edge, *, check: bool) -> Iterator[Edge]:
    try:
        edge.wait_until_ready()
        yield edge
    except BaseException:
        if edge.process.poll() is None:
            edge.kill_everything()
        raise
    if check:
        edge.end()
    elif edge.process.poll() is None:
        edge.kill_everything()
