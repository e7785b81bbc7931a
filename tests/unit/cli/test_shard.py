"""`headrace shard`: where a URL's shard is, and why."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from headrace.cli.main import app
from headrace.node.network.view_file import write_view
from headrace.topology.view import ServerState, ServerView, View

NETWORK = """\
[[site]]
name = "north"
[[server]]
name = "n1"
site = "north"
host = "n1.example"
ipv4 = ["198.51.100.1"]
[[server]]
name = "n2"
site = "north"
host = "n2.example"
ipv4 = ["198.51.100.2"]
[[server]]
name = "n3"
site = "north"
host = "n3.example"
ipv4 = ["198.51.100.3"]
[[coverage]]
name = "all"
default = true
sites = [{ name = "north" }]
[[class]]
name = "vod"
hosts = ["vod.example"]
shard_pattern = "/(?P<programme>[^/]+)/"
shard_key = "{programme}"
"""
URL = "https://vod.example/film/%31.m4s?session=1"


@pytest.fixture
def network(tmp_path: Path) -> Path:
    path = tmp_path / "network.toml"
    path.write_text(NETWORK)
    return path


def run(*words: str | Path) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["shard", *map(str, words)])
    said = f"{result.exception}" if result.exception is not None else ""
    return result.exit_code, result.output + said


def servers(network: Path, *words: str | Path) -> list[tuple[str, str, str]]:
    code, text = run(URL, "--network", network, "--json", *words)
    assert code == 0, text
    (site,) = json.loads(text)["sites"]
    return [(each["server"], each["role"], each["why"]) for each in site["servers"]]


def test_it_names_the_shard_and_every_server_in_order(network: Path) -> None:
    code, text = run(URL, "--network", network)
    assert code == 0
    lines = text.splitlines()
    assert lines[:4] == ["class       vod", "shard       film", "", "site north: on one server"]
    assert [line.split()[2] for line in lines[4:]] == ["holds", "stands", "stands"]
    assert "first on the ring" in lines[4]


def test_a_failed_server_is_named_as_left_out(network: Path, tmp_path: Path) -> None:
    first, second, third = servers(network)
    view = tmp_path / "view.json"
    write_view(view, View(1, 1.0, {first[0]: ServerView(ServerState.FAILED)}))
    now = servers(network, "--view", view)
    assert {now[0][0], now[1][0]} == {second[0], third[0]}
    assert now[0][1] == "holds"
    assert now[2] == (first[0], "left out", "has failed")


def test_a_heavy_shard_is_shown_with_its_demand_and_width(network: Path, tmp_path: Path) -> None:
    view = tmp_path / "view.json"
    write_view(view, View(1, 1.0, demand={"vod": {"film": 0.3}}, widths={"vod": {"film": 2}}))
    _code, text = run(URL, "--network", network, "--view", view)
    assert "site north: on 2 servers, 30.00% of the demand" in text
    assert [role for _name, role, _why in servers(network, "--view", view)] == [
        "holds", "holds", "stands in",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("https://other.example/",), "no class of"),
        (("ftp://vod.example/",), "is not an http(s) URL"),
        (("https://vod.example/a b",), "is wrong"),
        ((URL, "--site", "south"), "has no site 'south': write one of north"),
        ((URL, "--view", "/nowhere/view.json"), "cannot read /nowhere/view.json"),
    ],
)
def test_what_cannot_be_answered_is_said(
    network: Path, words: tuple[str, ...], message: str
) -> None:
    code, text = run(*words, "--network", network)
    assert code != 0
    assert message in text
