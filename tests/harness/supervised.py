"""A supervisor process under test: its config file, its log, its addresses and its admin API."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

from tests.harness import warm
from tests.harness.polling import eventually
from tests.harness.warm import Process

ROOT = Path(__file__).parents[2]
PATIENCE_S = 60.0
STDOUT = 1


@dataclass(frozen=True, slots=True)
class Answer:
    """A response of the admin API."""

    status: int
    content_type: str
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


class Supervised:
    """Write the config, start the process, ask it things. Use as a context manager."""

    def __init__(self, directory: Path, *, module: str = "tests.harness.run_supervisor") -> None:
        self.directory = directory
        self.cache_dir = directory / "cache"
        self.cache_dir.mkdir(exist_ok=True)
        self.file = directory / "edge.toml"
        self.events: list[dict[str, Any]] = []
        self.environment: dict[str, str] = {}
        self._module = module
        self._process: Process | None = None
        self._reader: threading.Thread | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
        self.ended()

    def write_config(
        self,
        name: str = "fake",
        *,
        workers: int = 2,
        listen: tuple[str, ...] = ("127.0.0.1:0",),
        drain_timeout: str = "5s",
        more: str = "",
    ) -> None:
        """Write the config file; `more` is TOML put in front of the tables."""
        listeners = "".join(f'[[listen]]\naddress = "{address}"\n' for address in listen)
        self.file.write_text(
            f"""
node_id = "{name}"
workers = {workers}
cache_dir = "{self.cache_dir}"
drain_timeout = "{drain_timeout}"
{more}
{listeners}
[admin]
listen = "127.0.0.1:0"

[[service]]
name = "video"
hosts = ["video.example"]
origins = ["http://127.0.0.1:9"]
"""
        )

    def launch(self) -> None:
        """Start the process and do not wait."""
        log, theirs = os.pipe()
        try:
            self._process = warm.start(
                self._module,
                [str(self.file)],
                STDOUT,
                theirs,
                environment={**os.environ, "PYTHONUNBUFFERED": "1", **self.environment},
                directory=ROOT,
            )
        finally:
            os.close(theirs)
        self._reader = threading.Thread(target=self._read_log, args=(log,), daemon=True)
        self._reader.start()

    def start(self) -> None:
        """Start the process and wait until it serves."""
        self.launch()
        self.event("ready")

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def signal(self, number: signal.Signals) -> None:
        os.kill(self.pid, number)

    def ended(self) -> int | None:
        """Wait for its end; the exit code."""
        if self._process is None:
            return None
        code = self._process.wait(PATIENCE_S)
        assert self._reader is not None
        self._reader.join()
        return code

    def found(self, event: str) -> list[dict[str, Any]]:
        """The log's events of that name so far."""
        return [one for one in list(self.events) if one["event"] == event]

    def event(self, event: str, number: int = 1) -> dict[str, Any]:
        """Wait for the event (the first, or a later one)."""

        def last() -> dict[str, Any]:
            found = self.found(event)
            if len(found) >= number:
                return found[number - 1]
            if self._process is not None and self._process.poll() is not None:
                raise AssertionError(f"the process ended; its log: {self.events}")
            return {}

        return eventually(last, f"the event {event} is in the log", PATIENCE_S)

    # Clients.

    @property
    def addresses(self) -> list[str]:
        """Where it listens, by its last word about it."""
        told = [one for one in list(self.events) if one["event"] in {"ready", "reloaded"}]
        return list(told[-1]["listening"])

    def connect(self, url: str | None = None) -> dict[str, Any]:
        """What one fake worker says to a new connection."""
        url = self.addresses[0] if url is None else url
        if url.startswith("unix:"):
            sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            sock.connect(url.removeprefix("unix:"))
        else:
            parts = urlsplit(url)
            assert parts.hostname is not None
            sock = socket.create_connection((parts.hostname, parts.port or 80), PATIENCE_S)
        sock.settimeout(PATIENCE_S)
        with sock:
            text = b""
            while part := sock.recv(4096):
                text += part
        facts: dict[str, Any] = json.loads(text)
        return facts

    # The admin API.

    @property
    def token(self) -> str:
        return (self.cache_dir / "admin.token").read_text().strip()

    @property
    def admin_address(self) -> tuple[str, int]:
        parts = urlsplit(self.event("ready")["admin"])
        assert parts.hostname is not None
        assert parts.port is not None
        return parts.hostname, parts.port

    def ask(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        token: str | None = "",
        headers: dict[str, str] | None = None,
    ) -> Answer:
        """Ask the admin API with its own token, with another, or (None) with none."""
        fields = dict(headers or {})
        if token is not None:
            fields["Authorization"] = f"Bearer {token or self.token}"
        content = None
        if body is not None:
            content = json.dumps(body).encode()
            fields.setdefault("Content-Type", "application/json")
        connection = http.client.HTTPConnection(*self.admin_address, timeout=PATIENCE_S)
        try:
            connection.request(method, path, body=content, headers=fields)
            response = connection.getresponse()
            kind = response.headers.get_content_type()
            return Answer(response.status, kind, response.read())
        finally:
            connection.close()

    def stats(self) -> Any:
        return self.ask("GET", "/stats").json()

    def worker_pids(self) -> list[int]:
        """The processes of the workers that serve now."""
        return [worker["pid"] for worker in self.stats()["workers"] if worker["ready"]]

    def _read_log(self, log: int) -> None:
        with open(log, "rb") as lines:
            for line in lines:
                try:
                    self.events.append(json.loads(line))
                except ValueError:
                    self.events.append({"event": "text", "line": line.decode(errors="replace")})
