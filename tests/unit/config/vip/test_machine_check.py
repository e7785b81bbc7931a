"""What `headrace check` says of the machine is what would stop a session later."""

from __future__ import annotations

from pathlib import Path

import pytest

from headrace.bgp.errors import BgpError
from headrace.bgp.session import read_password
from headrace.config.loader import parse_config
from headrace.config.problems import Problem, Severity
from headrace.config.vip import VIP
from headrace.config.vip.machine_check import machine_problems


def problems_of(file: Path, local: str = "127.0.0.1") -> list[Problem]:
    """What the machine lacks for one session, with the file of its password."""
    text = (
        f'state_dir = "{file.parent}"\n[network]\nfile = "n"\nserver = "s1"\nsecret_file = "s"\n'
        '[[listen]]\naddress = "127.0.0.1:0"\n[speaker]\nas = 64510\nrouter_id = "10.0.0.2"\n'
        f'[[router]]\naddress = "{"fd00::1" if ":" in local else "10.0.0.1"}"\n'
        f'local_address = "{local}"\nas = 64500\n'
        f'password_file = "{file}"\n[[check]]\nhost = "h"\npath = "/p"\n'
    )
    return list(machine_problems(parse_config(text, "vip.toml", VIP, base=file.parent)))


def passwords_refused(file: Path) -> list[str]:
    """What is wrong with the file of a session's password."""
    return [one.message for one in problems_of(file) if one.path[-1] == "password_file"]


@pytest.mark.parametrize(
    ("local", "is_here"), [("127.0.0.1", True), ("198.18.7.7", False), ("2001:db8:7::7", False)]
)
def test_an_address_that_is_not_here_is_a_warning(
    tmp_path: Path, local: str, is_here: bool
) -> None:
    found = [one for one in problems_of(tmp_path / "md5", local) if "local_address" in one.path]
    assert [one.severity for one in found] == ([] if is_here else [Severity.WARNING])


@pytest.mark.parametrize(
    ("content", "mode"),
    [
        ("secret\n", 0o600),
        ("secret\n", 0o640),
        ("secret\n", 0o644),
        ("secret\n", 0o660),
        ("secret\n", 0o601),
        ("", 0o600),
        ("x" * 80, 0o600),
        ("x" * 81, 0o600),
        ("two\nlines\n", 0o600),
        ("ümlaut\n", 0o600),
    ],
)
def test_a_password_is_refused_as_its_session_would(
    tmp_path: Path, content: str, mode: int
) -> None:
    file = tmp_path / "md5"
    file.write_text(content)
    file.chmod(mode)
    try:
        read_password(file)
    except BgpError:
        assert passwords_refused(file)
    else:
        assert passwords_refused(file) == []


def test_a_missing_password_is_named_once(tmp_path: Path) -> None:
    assert passwords_refused(tmp_path / "md5") == ["no such file, or it cannot be read"]
