"""`headrace network diff` as people and scripts get it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from headrace.cli.main import app
from headrace.config.problems import ConfigError

EXAMPLE = Path(__file__).parents[3] / "docs" / "examples" / "network.toml"
MORE = """
[[server]]
name = "oslo3"
site = "oslo"
host = "oslo3.cdn.example.org"
ipv4 = ["198.51.100.3"]

[[coverage]]
name = "near"
prefixes = ["192.0.2.0/25"]
sites = [{ name = "rome" }]
"""


@pytest.fixture
def files(tmp_path: Path) -> tuple[str, str]:
    new = tmp_path / "new.toml"
    new.write_text(EXAMPLE.read_text() + MORE)
    return str(EXAMPLE), str(new)


def run(*arguments: str) -> str:
    result = CliRunner().invoke(app, ["network", "diff", *arguments], catch_exceptions=False)
    assert result.exit_code == 0
    return result.output


def test_people_get_whom_it_moves_and_what_it_adds(files: tuple[str, str]) -> None:
    lines = [" ".join(line.split()) for line in run(*files).splitlines()]
    assert (
        "clients 25.0 % of the IPv4 addresses and 0.0 % of the IPv6 networks to another site"
        in (lines)
    )
    assert "+ server oslo3" in lines
    assert "+ coverage near" in lines
    assert "north → near 128 0 oslo 100.0 % → rome 100.0 % 100.0 %" in lines
    assert any(line.startswith("+ oslo3 oslo - → 10Gbps - → ") for line in lines)


def test_scripts_get_the_same_as_json(files: tuple[str, str]) -> None:
    found = json.loads(run(*files, "--json"))
    assert found["clients_moved"] == {"v4": 0.25, "v6": 0.0}
    assert {site["name"] for site in found["sites"]} == {"oslo", "rome", "frankfurt", "elsewhere"}


def test_the_same_twice_is_said_in_a_line() -> None:
    assert run(str(EXAMPLE), str(EXAMPLE)).endswith(": both say the same\n")


def test_a_wrong_file_is_refused_as_by_check(files: tuple[str, str], tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.toml"
    wrong.write_text("nonsense")
    with pytest.raises(ConfigError, match=r"wrong\.toml:1"):
        run(files[0], str(wrong))
