"""A role that is given the file of another says so in one line."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from typer.testing import CliRunner

from headrace.cli.main import app
from headrace.cli.role_file import NotOfARole, load_for
from headrace.config.edge import EDGE
from headrace.config.problems import ConfigError

EXAMPLES = Path(__file__).parents[3] / "docs" / "examples"
FILES = {
    "edge": 'cache_dir = "c"\n[[service]]\nname = "a"\n',
    "router": 'state_dir = "s"\n[network]\nfile = "n"\n[steering]\n',
    "feedback": 'state_dir = "s"\ntick = "1s"\n[network]\nfile = "n"\n',
}


@pytest.mark.parametrize("command", FILES)
@pytest.mark.parametrize("role", FILES)
def test_the_file_of_another_role_is_named(tmp_path: Path, command: str, role: str) -> None:
    file = tmp_path / "some.toml"
    file.write_text(FILES[role])
    with pytest.raises((NotOfARole, ConfigError)) as caught:
        CliRunner().invoke(app, [command, "--config", str(file)], catch_exceptions=False)
    if command == role:
        assert isinstance(caught.value, ConfigError)  # nothing here is a whole configuration
        return
    told = str(caught.value)
    assert told.endswith(f": run headrace {role} --config {file}")
    assert "\n" not in told


def test_a_key_of_another_role_among_ones_own_is_a_wrong_key(tmp_path: Path) -> None:
    file = tmp_path / "edge.toml"
    file.write_text('cache_dir = "c"\n[steering]\n')
    with pytest.raises(ConfigError, match="steering"):
        load_for(file, EDGE)


def test_the_description_of_a_network_is_no_configuration() -> None:
    with pytest.raises(NotOfARole, match="headrace network check"):
        load_for(EXAMPLES / "network.toml", EDGE)


@pytest.mark.parametrize(
    ("text", "reads"),
    [
        ('[[isp]]\n[[site]]\nname = "b"\n', "headrace lab up --topology"),
        ('affected = ["a"]\n[[step]]\n', "headrace lab drill"),
        ('network = "n"\n[[audience]]\nnetwork = "i"\n', "headrace simulate"),
    ],
)
def test_what_configures_no_role_is_told_who_reads_it(
    tmp_path: Path, text: str, reads: str
) -> None:
    file = tmp_path / "some.toml"
    file.write_text(text)
    with pytest.raises(NotOfARole, match=f"{reads} {file} reads it"):
        load_for(file, EDGE)


def test_a_pipe_is_read_once() -> None:
    reads, writes = os.pipe()
    os.write(writes, b"cache_dir = 1\n")
    os.close(writes)
    with pytest.raises(ConfigError, match="cache_dir = 1"):
        load_for(Path(f"/dev/fd/{reads}"), EDGE)
    os.close(reads)
