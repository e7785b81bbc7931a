"""`headrace vip`: what is planned, asked on the command line."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from headrace.cli.main import app
from headrace.errors import HeadraceError

EXAMPLE = str(Path(__file__).parents[3] / "docs/examples/vips.toml")


def said(*words: str) -> str:
    result = CliRunner().invoke(app, ["vip", *words, "--network", EXAMPLE])
    if isinstance(result.exception, HeadraceError):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.stdout


def test_a_plan_follows_what_is_assumed() -> None:
    assert "6 of 6 announced" in said("plan", "--server", "oslo1")
    assert "0 of 6 announced" in said("plan", "--server", "oslo1", "--failed", "oslo1")
    assert "65535:0" in said("plan", "--server", "oslo1", "--draining", "oslo1")
    assert "0 of 6 announced" in said("plan", "--server", "oslo1", "--withdrawn", "oslo1")
    alone = said(
        "plan",
        "--server",
        "oslo1",
        "--withdrawn",
        "oslo1",
        "--failed",
        "oslo2",
        "--failed",
        "oslo3",
    )
    assert alone.count("last: to be withdrawn, but nobody else") == 6


def test_a_vip_is_explained_by_its_candidates() -> None:
    lines = said("explain", "198.51.100.129").splitlines()
    assert lines[0].startswith("198.51.100.129: VIP 1 of oslo1 in oslo")
    assert lines[-1] == "oslo1 has it"
    assert said("explain", "198.51.100.129", "--failed", "oslo1").splitlines()[-1] != lines[-1]


def test_takeovers_of_one_site_or_of_all_that_have_vips() -> None:
    assert said("takeover") == said("takeover", "--site", "oslo")
    assert "who carries what" not in said("takeover")
    assert "who carries what" in said("takeover", "--failed", "oslo2")


def test_a_plan_may_be_asked_of_a_time_of_maintenance(tmp_path: Path) -> None:
    path = tmp_path / "network.toml"
    withdrawal = '[[withdrawal]]\nsite = "oslo"\nfrom = 2026-12-01T02:00:00+01:00\n'
    path.write_text(f"{Path(EXAMPLE).read_text()}\n{withdrawal}until = 2026-12-01T04:00:00+01:00\n")
    for at, announced in (
        ("2026-12-01T00:59:59+00:00", 6),
        ("2026-12-01T01:00:00Z", 0),
        ("2026-12-01T04:00+01:00", 6),
    ):
        asked = ["vip", "plan", "--network", str(path), "--server", "oslo1", "--at", at]
        assert f"{announced} of 6 announced" in CliRunner().invoke(app, asked).stdout


@pytest.mark.parametrize(
    "option",
    [("--failed", "x"), ("--draining", "x"), ("--withdrawn", "x"), ("--at", "2026-12-01T02:00Z")],
)
@pytest.mark.parametrize("command", [("plan",), ("explain", "198.51.100.129")])
def test_a_running_server_is_not_asked_what_would_be(
    command: tuple[str, ...], option: tuple[str, str], tmp_path: Path
) -> None:
    asked = ["--admin", f"unix:{tmp_path}/nobody", "--token-file", str(tmp_path / "token")]
    result = CliRunner().invoke(app, ["vip", *command, *option, *asked])
    assert result.exit_code == 2
    assert f"{option[0]}: goes with --network FILE alone" in result.stderr


@pytest.mark.parametrize("command", [("plan", "--server", "oslo1"), ("explain", "198.51.100.129")])
def test_nobody_is_asked_where_a_description_is_given(command: tuple[str, ...]) -> None:
    asked = ["vip", *command, "--network", EXAMPLE, "--config", "vip.toml"]
    result = CliRunner().invoke(app, asked)
    assert result.exit_code == 2
    assert "with it nobody is asked" in result.stderr


@pytest.mark.parametrize("at", ["yesterday", "2026-12-01T02:00:00", "2026-13-01T02:00Z"])
def test_a_time_has_its_zone(at: str) -> None:
    asked = ["vip", "takeover", "--network", EXAMPLE, "--at", at]
    result = CliRunner().invoke(app, asked)
    assert result.exit_code == 2
    assert f"'{at}' is no time with its zone: write it as 2026-12-01T02:00:00+01:00" in " ".join(
        result.stderr.split()
    )


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["plan", "--server", "rome1"], "no server 'rome1' here: name one of oslo1, oslo2, oslo3"),
        (["plan", "--server", "oslo1", "--failed", "x"], "there is no server 'x' here"),
        (["explain", "oslo1"], "'oslo1' is not an address"),
        (["explain", "192.0.2.1"], "192.0.2.1 is no VIP: name one of 198.51.100.129, "),
        (["takeover", "--site", "rome"], "no server of 'rome' has a VIP: name one of oslo"),
        (["takeover", "--draining", "x"], "there is no server 'x' here"),
    ],
)
def test_what_is_not_there_is_said_with_what_is(words: list[str], message: str) -> None:
    with pytest.raises(HeadraceError, match=message):
        said(*words)


def test_a_description_without_vips_says_so() -> None:
    plain = str(Path(__file__).parents[3] / "docs/examples/network.toml")
    result = CliRunner().invoke(app, ["vip", "takeover", "--network", plain])
    assert "no server of this description has a VIP" in str(result.exception)
