"""Every command says all of its help, whatever the terminal's width."""

from __future__ import annotations

import re

import pytest
import typer.main
from typer.testing import CliRunner

from headrace.cli.main import app

COMMANDS = typer.main.get_group(app).commands


def squeezed(text: str) -> str:
    """The text without blanks and line ends: what is left when lines are broken elsewhere."""
    return re.sub(r"\s+", "", text)


@pytest.mark.parametrize("columns", [80, 200])
@pytest.mark.parametrize("name", ["", *COMMANDS])
def test_the_help_of_every_command_is_whole(
    name: str, columns: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    asked = [name, "--help"] if name else ["--help"]
    result = CliRunner().invoke(app, asked, terminal_width=columns)
    assert (result.exit_code, result.exception) == (0, None)
    assert max(len(line) for line in result.stdout.splitlines()) <= columns
    shown = squeezed(result.stdout)
    for parameter in COMMANDS[name].params if name else []:
        told = getattr(parameter, "help", None)
        assert squeezed(told or "") in shown
