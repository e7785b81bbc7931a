"""`headrace purge` against a running edge."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from headrace.cli.purge import purge
from tests.harness.supervised import Supervised

URL = "http://video.example/a"
app = typer.Typer()
app.command()(purge)


def run(*arguments: str, stdin: str = "") -> tuple[int, str]:
    """The exit code and everything printed."""
    result = CliRunner().invoke(app, arguments, input=stdin)
    return result.exit_code, result.output


@pytest.fixture
def admin(edge: Supervised) -> list[str]:
    """A started edge, as the command's options name it."""
    edge.start()
    host, port = edge.admin_address
    return ["--admin", f"{host}:{port}", "--token-file", str(edge.cache_dir / "admin.token")]


def test_a_url_is_purged(edge: Supervised, admin: list[str]) -> None:
    assert run(URL, *admin) == (0, f"purged {URL}: generation 1\n")
    assert edge.event("purge")["kind"] == "url"


def test_several_things_are_purged_in_one_call(edge: Supervised, admin: list[str]) -> None:
    arguments = ("-", "--prefix", URL, "--tag", "news", "--soft", *admin)
    code, output = run(*arguments, stdin=f"{URL}\n\n{URL}2\n")
    assert (code, output.count("purged")) == (0, 4)
    assert {event["soft"] for event in edge.found("purge")} == {True}


def test_all_is_purged(admin: list[str]) -> None:
    assert run("--all", *admin) == (0, "purged everything: generation 1\n")


def test_one_refused_url_does_not_stop_the_rest(admin: list[str]) -> None:
    code, output = run("http://nobody.test/", URL, *admin)
    assert code == 1
    assert "no service serves the host 'nobody.test'" in output
    assert f"purged {URL}" in output


def test_a_wrong_token_is_reported(edge: Supervised, admin: list[str], tmp_path: Path) -> None:
    wrong = tmp_path / "wrong"
    wrong.write_text("not-the-token-at-all")
    code, output = run(URL, *admin[:2], "--token-file", str(wrong))
    assert (code, "401" in output) == (1, True)


def test_an_edge_that_does_not_answer_is_reported(tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("0123456789abcdef")
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{bound.getsockname()[1]}"
        code, output = run(URL, "--admin", address, "--token-file", str(token))
    assert (code, f"no answer from {address}" in output) == (1, True)


def test_the_config_names_address_and_token(edge: Supervised) -> None:
    path = edge.directory / "admin.sock"
    edge.file.write_text(
        edge.file.read_text().replace('listen = "127.0.0.1:0"', f'listen = "unix:{path}"')
    )
    edge.start()
    assert run(URL, "--config", str(edge.file))[0] == 0


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ([], "nothing to purge"),
        ([URL], "which edge?"),
        ([URL, "--all", "--admin", "127.0.0.1:1"], "leave out"),
        ([URL, "--admin", "nowhere"], "the port is missing"),
        ([URL, "--admin", "127.0.0.1:1"], "which token?"),
        ([URL, "--admin", "127.0.0.1:1", "--token-file", "/absent"], "cannot read the token"),
        ([URL, "--config", "/absent.toml"], "cannot be read"),
    ],
)
def test_a_command_that_is_not_clear_is_a_mistake_of_usage(arguments: list[str], told: str) -> None:
    code, output = run(*arguments)
    assert (code, told in output) == (2, True), output


def test_one_edge_that_is_gone_does_not_keep_others_from_it(
    edge: Supervised, admin: list[str]
) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))  # bound, and not listening
        gone = f"127.0.0.1:{nobody.getsockname()[1]}"
        code, output = run(URL, "--admin", gone, *admin)
    assert code == 1
    assert f"not purged there: no answer from {gone}" in output
    assert f"{admin[1]}: purged {URL}: generation 1" in output
    assert edge.event("purge")["kind"] == "url"
