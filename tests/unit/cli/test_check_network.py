"""`headrace check` of a node that belongs to a network checks the description as well."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509
from typer.testing import CliRunner

from headrace.cli.main import app
from headrace.config.problems import ConfigError
from tests.harness.certificates import Authority

EXAMPLE = Path(__file__).parents[3] / "docs" / "examples" / "network.toml"


def check(directory: Path, server: str, description: Path = EXAMPLE, more: str = "") -> str:
    file = directory / "edge.toml"
    file.write_text(f"""cache_dir = "{directory}/cache"
[[listen]]
address = "127.0.0.1:8080"
[[service]]
name = "vod"
hosts = ["*"]
origins = ["http://127.0.0.1:9000"]
[network]
file = "{description}"
server = "{server}"
""")
    with file.open("a") as added:
        added.write(more)
    result = CliRunner().invoke(app, ["check", str(file)], catch_exceptions=False)
    assert result.exit_code == 0
    return result.output


def test_a_server_of_the_network_is_sound(tmp_path: Path) -> None:
    assert 'server = "oslo1"' in check(tmp_path, "oslo1")


def test_a_server_that_is_not_there_is_an_error_with_its_line(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as refused:
        check(tmp_path, "oslo9")
    text = str(refused.value)
    assert "edge.toml:10: error: network.server = " in text
    assert "it has oslo1, oslo2, rome1, rome2, frankfurt1" in text


def test_a_wrong_description_is_an_error_with_its_own_line(tmp_path: Path) -> None:
    wrong = tmp_path / "network.toml"
    wrong.write_text("nonsense")
    with pytest.raises(ConfigError, match=r"network\.toml:1"):
        check(tmp_path, "oslo1", wrong)


def test_a_secret_that_others_can_read_is_warned_of(tmp_path: Path) -> None:
    secret = tmp_path / "network.secret"
    secret.write_text("s" * 40)
    for mode, warned in ((0o640, False), (0o644, True)):
        secret.chmod(mode)
        told = check(tmp_path, "oslo1", more=f'secret_file = "{secret}"\n')
        assert (f"edge.toml: warning: {secret} is open to every user" in told) is warned


def test_a_certificate_that_is_not_for_the_own_host_is_warned_of(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    for host, warned in (("oslo1.cdn.example.org", False), ("oslo2.cdn.example.org", True)):
        pair = authority.issue(host, file_name=host)
        more = f'[network.tiering]\ncert = "{pair.cert}"\nkey = "{pair.key}"\n'
        told = check(tmp_path, "oslo1", more=more)
        assert ("is for oslo2.cdn.example.org, and the description gives" in told) is warned
        assert ("peer_certificate" in told) is warned


def test_a_certificate_that_has_expired_is_warned_of(tmp_path: Path) -> None:
    host = "oslo1.cdn.example.org"
    for valid_for, warned in ((timedelta(days=1), False), (timedelta(days=-1), True)):
        name = f"{host}.{valid_for.days}"
        pair = Authority(tmp_path).issue(host, file_name=name, valid_for=valid_for)
        more = f'[network.tiering]\ncert = "{pair.cert}"\nkey = "{pair.key}"\n'
        more += f'[[certificate]]\ncert = "{pair.cert}"\nkey = "{pair.key}"\n'
        told = check(tmp_path, "oslo1", more=more)
        assert told.count(f"warning: the certificate in {pair.cert} has expired on 20") == warned


@pytest.mark.parametrize(
    ("names", "told"),
    [
        ("30058703010203", "the names in a certificate (subjectAltName) cannot be read"),
        ("3004a3023000", "the names in a certificate (subjectAltName) cannot be read"),
        ("300882061b5d303b6107", r"is for '\x1b]0;a\x07', and the description gives"),
    ],
    ids=["address", "type", "terminal"],
)
def test_names_of_a_certificate_that_cannot_be_read_or_printed_are_warned_of(
    tmp_path: Path, names: str, told: str
) -> None:
    extension = x509.UnrecognizedExtension(x509.ObjectIdentifier("2.5.29.17"), bytes.fromhex(names))
    pair = Authority(tmp_path).issue("oslo1.cdn.example.org", instead_of_names=extension)
    more = f'[network.tiering]\ncert = "{pair.cert}"\nkey = "{pair.key}"\n'
    assert told in check(tmp_path, "oslo1", more=more)
