"""`headrace locate`: the decision here, and that of a running router."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import ClassVar
from urllib.parse import parse_qs, urlsplit

import pytest
from typer.testing import CliRunner

from headrace.cli.main import app
from headrace.node.network.view_file import write_view
from headrace.topology.geo import Place
from headrace.topology.view import ServerState, ServerView, View
from tests.harness.geo_files import city, write_geo_file

DOCS = Path(__file__).parents[3] / "docs"
NETWORK = str(DOCS / "examples" / "network.toml")
URL = "https://vod.example.org/heidi/v1/seg3.m4s"


def run(*arguments: str) -> tuple[int, str]:
    """Run the command; return its exit code and what it printed or refused with."""
    result = CliRunner().invoke(app, ["locate", *arguments])
    refused = "" if result.exception is None or result.exit_code == 0 else str(result.exception)
    return result.exit_code, result.output + refused


def test_the_decision_is_printed_step_by_step() -> None:
    code, text = run("--network", NETWORK, "--client", "203.0.113.7", URL)
    assert code == 0
    steps = [line.split()[0] for line in text.split("\n\n")[0].splitlines()]
    assert steps[:3] == ["network", "client", "coverage"]
    assert steps[-3:] == ["servers", "external", "decision"]
    assert "coverage south lists it and all of 203.0.113.0/24" in text
    assert "shard heidi/v1" in text
    assert "rome2 last: draining, says the description" in text
    answers = text.split("\n\n")[1].splitlines()
    assert answers[0] == " 1  https://rome1.cdn.example.org  site rome, server rome1"
    assert answers[-1].endswith("server rome2 (only when nothing else serves)")


def test_the_manual_shows_what_is_printed() -> None:
    page = (DOCS / "network" / "routing.md").read_text(encoding="utf-8")
    shown = page.split("```console\n$ headrace locate ")[1].split("\n```")[0].splitlines()
    _code, text = run("--network", NETWORK, *shown[0].split()[2:])
    # The first line has the version, which any change to the example changes.
    assert text.splitlines()[1:] == shown[2:]


def test_the_same_as_json() -> None:
    code, text = run("--network", NETWORK, "--client", "203.0.113.7", "--json", URL)
    found = json.loads(text)
    assert code == 0
    assert found["candidates"][0]["base_url"] == "https://rome1.cdn.example.org"
    assert (found["class"], found["shard"], found["reason"]) == (
        "programmes",
        "heidi/v1",
        "coverage",
    )
    assert [step["step"] for step in found["steps"]][:2] == ["client", "coverage"]


def test_a_view_says_who_failed(tmp_path: Path) -> None:
    names = ("rome1", "rome2", "oslo1", "oslo2")
    view = View(7, 1.0, {name: ServerView(ServerState.FAILED) for name in names})
    write_view(tmp_path / "view.json", view)
    at = ("--network", NETWORK, "--view", str(tmp_path / "view.json"), "--client", "203.0.113.7")
    code, text = run(*at, URL)
    assert code == 0
    assert "view 7" in text
    assert " 1  https://cdn.example.net/headrace  site elsewhere, external" in text
    code, text = run(*at, "https://img.example.org/x.png")
    assert code == 1
    assert "nothing can serve the client" in text
    assert "site oslo: held by none; oslo1 left out: failed, says the view; oslo2 left out" in text


def test_a_geographic_file_says_where_an_unlisted_client_is(tmp_path: Path) -> None:
    geo = write_geo_file(tmp_path / "city.mmdb", {"10.0.0.0/8": city(Place("NO", "EU", 60.4, 5.3))})
    code, text = run("--network", NETWORK, "--geo", str(geo), "--client", "10.0.0.1", URL)
    assert code == 0
    assert "it is in NO, EU, 60.4000, 5.3000" in text
    assert "rank 1 (by country): oslo (100% by weight 1.3333, 306 km; serves)" in text
    assert "server oslo" in text.split("\n\n")[1].splitlines()[0]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([URL], "name either the description"),
        (["--network", NETWORK, "--router", "http://127.0.0.1:1", URL], "name either"),
        (["--network", NETWORK, "--client", "here", URL], "'here' is not an address"),
        (["--network", NETWORK, "ftp://vod.example.org/"], "is not an http(s) URL"),
        (["--network", NETWORK, "vod.example.org/x"], "write https://host/path"),
        (["--network", NETWORK, "https://vod.example.org/ö"], "escape what is not"),
        (["--network", NETWORK, "https:///x"], "is wrong"),
        (["--network", NETWORK, "https://other.example/"], "no class of"),
        (["--network", NETWORK, "--view", "none.json", URL], "cannot read none.json"),
        (["--network", NETWORK, "--view", NETWORK, URL], "is not a view"),
        (["--network", NETWORK, "--geo", NETWORK, URL], "not a whole file in MaxMind's format"),
        (["--network", NETWORK, "--token-file", "t", URL], "--token-file is for a running router"),
        (["--router", "http://127.0.0.1:1", "--geo", "x", URL], "has its own view"),
        (["--router", "127.0.0.1:1", URL], "is not http(s)://host[:port]"),
        (["--router", "http://127.0.0.1:1", URL], "does not answer"),
        (["--router", "http://ex ample:1", URL], "has no host name or address"),
        (["--router", "http://a..b:1", URL], "has no host name or address"),
        (["--router", f"http://{'a' * 70}.example", URL], "has no host name or address"),
        (["--router", "http://\udcff:1", URL], "has no host name or address"),
        (["--router", "http://127.0.0.1:1", "--client", "x", URL], "is not an address"),
    ],
)
def test_what_is_wrong_gets_its_message(arguments: list[str], message: str) -> None:
    code, text = run(*arguments)
    assert code != 0
    assert message in text


class FakeRouter(BaseHTTPRequestHandler):
    """Answers as a router does to whoever shows the token."""

    answer: ClassVar[bytes]

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        asked = parse_qs(parts.query, keep_blank_values=True)
        expected = {"debug": [""], "url": [URL], "client": ["203.0.113.7"]}
        if self.headers["Authorization"] == "Bearer of-an-admin-api":
            status, body = 401, b'{"detail": "the admin token is missing"}'
        elif self.headers["Authorization"] != "Bearer secret":
            status, body = 403, b'{"detail": "not for you"}'
        elif parts.path != "/v1/locate" or asked != expected:
            status, body = 400, b"what?"
        else:
            status, body = 200, self.answer
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_arguments: object) -> None:
        """Say nothing."""


@pytest.fixture
def router() -> Iterator[str]:
    FakeRouter.answer = run("--network", NETWORK, "--client", "203.0.113.7", "--json", URL)[
        1
    ].encode()
    with HTTPServer(("127.0.0.1", 0), FakeRouter) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_a_running_router_is_asked(router: str, tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("secret\n")
    asked = ("--router", router, "--client", "203.0.113.7", URL)
    here = run("--network", NETWORK, "--client", "203.0.113.7", URL)
    assert run(*asked, "--token-file", str(token)) == here
    code, text = run(*asked)
    assert code != 0
    assert "403: not for you" in text
    FakeRouter.answer = b'{"nonsense": 1}'
    code, text = run(*asked, "--token-file", str(token))
    assert code != 0
    assert "answers otherwise than a router" in text


def test_who_leaves_a_server_out_is_said(tmp_path: Path) -> None:
    text = Path(NETWORK).read_text(encoding="utf-8")
    withdrawn = tmp_path / "network.toml"
    withdrawn.write_text(text.replace('state = "draining"', 'state = "withdrawn"'))
    states = {"oslo1": ServerState.FAILED, "oslo2": ServerState.FULL}
    views = {name: ServerView(state) for name, state in states.items()}
    write_view(tmp_path / "view.json", View(7, 1.0, views))
    at = ("--network", str(withdrawn), "--view", str(tmp_path / "view.json"))
    _code, text = run(*at, "--client", "203.0.113.7", URL)
    assert "rome2 left out: withdrawn in the description" in text
    assert "oslo1 left out: failed, says the view" in text
    assert "oslo2 last: full, says the view" in text


@pytest.mark.parametrize("content", [b"one\ntwo", b"a b", b"nul\0", b"\xff"])
def test_a_file_that_holds_no_token_is_not_sent_and_not_shown(
    tmp_path: Path, content: bytes
) -> None:
    token = tmp_path / "token"
    token.write_bytes(content)
    code, text = run("--router", "http://127.0.0.1:1", "--token-file", str(token), URL)
    assert code == 1  # of a refusal that `main` says
    assert "token" in text
    assert content.decode("latin-1") not in text


def test_who_asks_the_admin_api_is_told_where_to_ask(tmp_path: Path, router: str) -> None:
    token = tmp_path / "token"
    token.write_text("of-an-admin-api")
    code, text = run("--router", router, "--token-file", str(token), URL)
    assert code != 0
    assert "is that its admin API? ask where clients do" in text
