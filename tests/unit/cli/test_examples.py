"""Each command's help ends with lines that the command itself understands."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from typing import Any

import pytest
from typer.main import get_command
from typer.testing import CliRunner

from headrace.cli.examples import EXAMPLES
from headrace.cli.main import app


def commands(group: Any, words: tuple[str, ...] = ()) -> Iterator[tuple[str, Any]]:
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from commands(command, (*words, name))
        else:
            yield " ".join((*words, name)), command


ALL = dict(commands(get_command(app)))


def test_every_command_has_examples_and_no_other() -> None:
    assert set(EXAMPLES) == set(ALL)


@pytest.mark.parametrize("command", ALL)
def test_an_example_is_parsed_by_its_command(command: str) -> None:
    for line in EXAMPLES[command]:
        program, *rest = shlex.split(line)
        words = command.split()
        assert [program, *rest[: len(words)]] == ["headrace", *words]
        # Raises for an option or a word that the command does not know, or one that is missing.
        ALL[command].make_context(command, rest[len(words) :])


@pytest.mark.parametrize("command", ALL)
def test_examples_stand_in_the_help_as_they_can_be_typed(command: str) -> None:
    found = CliRunner().invoke(app, [*command.split(), "--help"])
    assert found.exit_code == 0
    _, _, shown = found.output.partition("  Examples:\n")
    assert max(map(len, shown.splitlines())) <= 80
    lines = [line.strip() for line in shown.replace(" \\\n       ", "").splitlines()]
    assert lines == list(EXAMPLES[command])
