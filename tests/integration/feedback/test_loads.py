"""The loop goes by what servers report of their load, and by nothing that is nonsense."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from headrace.telemetry.load_report import LoadReport, encode_report
from headrace.topology.view import ServerView
from tests.harness.edge import free_port
from tests.harness.feedback import HOST, Feedback
from tests.harness.polling import eventually
from tests.harness.probed import Background, ProbedServer
from tests.harness.toml import to_toml

TOKEN = "a-token-for-reports-and-nothing-else"
PATIENCE_S = 40.0


@dataclass
class Admin:
    """The admin API of a server that says what a test wants."""

    name: str
    token: str = TOKEN
    egress_bps: float = 1e9
    says: bytes | None = None
    asked: int = 0
    url: str = field(default="", init=False)

    def answer(self, authorization: str | None) -> tuple[int, bytes]:
        self.asked += 1
        if authorization != f"Bearer {self.token}":
            return 401, b""
        report = LoadReport(node=self.name, role="edge", interval_s=1.0, egress_bps=self.egress_bps)
        return 200, encode_report(report) if self.says is None else self.says


@contextlib.contextmanager
def listening(admin: Admin) -> Iterator[Admin]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            status, body = admin.answer(self.headers["Authorization"])
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_arguments: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    admin.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield admin
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@dataclass
class Loaded:
    """A feedback process, and the servers that report to it."""

    feedback: Feedback
    admins: dict[str, Admin]

    def counts(self) -> Any:
        return self.feedback.ask("GET", "/stats").json()["feedback"]

    def row(self, server: str) -> Any:
        rows = {row["server"]: row for row in self.feedback.status()["servers"]}
        return rows[server]

    def weight(self, server: str) -> float:
        view = self.feedback.view()
        assert view is not None
        return view.servers.get(server, ServerView()).weight

    def until(self, holds: Any, what: str) -> None:
        eventually(holds, what, PATIENCE_S, every_s=0.2)


@pytest.fixture
def loaded(tmp_path: Path) -> Iterator[Loaded]:
    with contextlib.ExitStack() as stack:
        background = stack.enter_context(Background())
        servers = {
            name: ProbedServer(background, f"127.0.7.{number}")
            for number, name in enumerate(("n1", "n2", "n3"), 1)
        }
        admins = {name: stack.enter_context(listening(Admin(name))) for name in servers}
        description = tmp_path / "network.toml"
        description.write_text(
            to_toml(
                {
                    "site": [{"name": "here"}],
                    "server": [
                        {
                            "name": name, "site": "here", "host": f"{name}.example",
                            "ipv4": [f"127.0.7.{number}"], "http_port": servers[name].port,
                            "https_port": 0, "admin": admins[name].url, "capacity": "10Gbps",
                        }
                        for number, name in enumerate(servers, 1)
                    ],
                    "coverage": [{"name": "all", "default": True, "sites": [{"name": "here"}]}],
                    "class": [{"name": "vod", "hosts": [HOST]}],
                }
            )
        )  # fmt: skip
        token = tmp_path / "token"
        token.write_text(TOKEN + "\n")
        feedback = stack.enter_context(Feedback(tmp_path / "feedback", "a", free_port()))
        feedback.write(description, tables=f'[reports]\ntoken_file = "{token}"\n')
        feedback.start()
        yield Loaded(feedback, admins)


def test_a_server_that_reports_that_it_is_full_gets_fewer_clients(loaded: Loaded) -> None:
    loaded.until(lambda: loaded.counts()["reports"] >= 6, "reports are taken")
    assert loaded.row("n1")["egress_bps"] == 1e9
    loaded.admins["n1"].egress_bps = 9.9e9
    loaded.until(lambda: loaded.row("n1")["state"] == "full", "n1 is full")
    loaded.until(lambda: loaded.weight("n1") < 1.0, "its weight is lowered in the view")
    assert loaded.feedback.states() == {}
    assert {loaded.weight("n2"), loaded.weight("n3")} == {1.0}
    loaded.admins["n1"].egress_bps = 2e9
    loaded.until(lambda: loaded.row("n1")["state"] == "online", "n1 is full no more")


NONSENSE = {
    "negative": b'{"node":"n1","role":"edge","interval_s":1,"egress_bps":-9.9e9}',
    "excessive": b'{"node":"n1","role":"edge","interval_s":1,"egress_bps":1e300}',
    "malformed": b'{"node":"n1","role":"edge","interval_s":1,"egress_bps":NaN}',
    "old": b'{"node":"n1","role":"edge","interval_s":1,"age_s":500,"egress_bps":9.9e9}',
    "other_node": b'{"node":"n2","role":"edge","interval_s":1,"egress_bps":9.9e9}',
}


def test_nonsense_is_counted_and_changes_nothing(loaded: Loaded) -> None:
    loaded.until(lambda: loaded.counts()["reports"] >= 6, "reports are taken")
    for kind, says in NONSENSE.items():
        loaded.admins["n1"].says = says
        refused = partial(lambda word: loaded.counts()["refused_reports"].get(word, 0) >= 2, kind)
        loaded.until(refused, f"{kind} is counted")
        assert loaded.feedback.states() == {}
        assert {loaded.row(name)["egress_bps"] for name in loaded.admins} == {1e9}
    assert set(loaded.counts()["refused_reports"]) == set(NONSENSE)


def test_a_server_that_does_not_know_the_token_is_counted(loaded: Loaded) -> None:
    loaded.admins["n2"].token = "another"
    loaded.until(
        lambda: loaded.counts()["refused_reports"].get("unauthenticated", 0) >= 2, "it is counted"
    )
    assert loaded.feedback.states() == {}
    metrics = loaded.feedback.ask("GET", "/metrics").body.decode()
    assert "headrace_feedback_reports_refused_unauthenticated_total" in metrics
    assert json.dumps(TOKEN) not in metrics
