"""Secrets that every user of the machine can read are named, whichever setting they stand in."""

from __future__ import annotations

from pathlib import Path

import pytest

from headrace.config.edge import EDGE
from headrace.config.exposed_files import exposed_files
from headrace.config.loader import parse_config
from headrace.config.router import ROUTER
from tests.harness.toml import to_toml

EDGES: dict[str, object] = {
    "cache_dir": "c",
    "listen": [{"address": "127.0.0.1:1", "tls": True}],
    "certificate": [{"cert": "server.pem", "key": "server.key"}],
    "admin": {"listen": "127.0.0.1:2", "token_file": "admin.token"},
    "network": {
        "file": "network.toml", "server": "one", "secret_file": "network.secret",
        "tiering": {"cert": "server.pem", "key": "asking.key"},
    },
    "service": [{"name": "a", "hosts": ["*"], "origins": ["http://o:1"]}],
}  # fmt: skip
SECRETS = {"server.key", "admin.token", "network.secret", "asking.key"}


def exposed(directory: Path) -> dict[str, int]:
    config = parse_config(to_toml(EDGES), "edge.toml", EDGE, base=directory)
    return {one.path.name: one.mode for one in exposed_files(config)}


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    for name in (*SECRETS, "server.pem", "network.toml"):
        (tmp_path / name).touch()
        (tmp_path / name).chmod(0o640)
    (tmp_path / "server.pem").chmod(0o644)
    return tmp_path


def test_what_only_owner_and_group_can_read_is_as_it_should_be(directory: Path) -> None:
    assert exposed(directory) == {}


@pytest.mark.parametrize("mode", [0o644, 0o642, 0o604])
def test_what_everybody_can_read_or_write_is_named_and_no_certificate(
    directory: Path, mode: int
) -> None:
    for name in SECRETS:
        (directory / name).chmod(mode)
    assert exposed(directory) == dict.fromkeys(SECRETS, mode)


def test_a_file_that_is_not_there_is_not_exposed(tmp_path: Path) -> None:
    assert exposed(tmp_path) == {}


def test_the_remedy_stands_beside_the_problem(tmp_path: Path) -> None:
    secret = tmp_path / "cookies"
    secret.touch()
    secret.chmod(0o644)
    text = (
        'state_dir = "s"\n[[listen]]\naddress = "127.0.0.1:1"\n[network]\nfile = "n"\n'
        '[dns]\nlisten = ["127.0.0.1:53"]\ncookie_secret_file = "cookies"\n'
        '[[dns.zone]]\nname = "z.example"\nnameservers = ["ns.example"]\n'
    )
    config = parse_config(text, "router.toml", ROUTER, base=tmp_path)
    (found,) = exposed_files(config)
    assert "(mode 0644)" in str(found)
    assert f"chmod o-rwx {secret}" in str(found)
