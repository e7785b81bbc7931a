"""`headrace network check` and `show`: what they print, and their exit codes."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from headrace.cli.main import EXIT_USAGE, app, main
from headrace.cli.role_file import NotOfARole
from headrace.config.problems import ConfigError

EXAMPLE = Path(__file__).parents[3] / "docs/examples/network.toml"


def network(*arguments: str) -> Result:
    result = CliRunner().invoke(app, ["network", *arguments])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def test_a_sound_description_is_summed_up() -> None:
    result = network("check", str(EXAMPLE))
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout == (
        f"{EXAMPLE}: sound: 2 edge sites, 1 mid site, 1 external site, 5 servers, 2 networks, "
        "3 prefixes, 3 coverages, 3 classes\n"
    )


def test_warnings_go_to_standard_error_and_are_no_failure(tmp_path: Path) -> None:
    file = tmp_path / "network.toml"
    file.write_text(EXAMPLE.read_text().replace('prefixes = ["203.0.113.0/24"]', ""))
    result = network("check", str(file))
    assert result.exit_code == 0
    assert "warning: network[1]: no client is of 'southern-cable'" in result.stderr
    assert result.stdout.startswith(f"{file}: sound: ")


def test_a_wrong_one_ends_with_every_problem_and_code_2(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "network.toml"
    text = EXAMPLE.read_text().replace('kind = "mid"', 'kind = "edge"').replace("307", "308")
    file.write_text(text.replace('ttl = "10s"', 'ttl = "soon"'))
    with pytest.raises(ConfigError):
        network("check", str(file))
    monkeypatch.setattr("sys.argv", ["headrace", "network", "check", str(file)])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == EXIT_USAGE
    printed = capsys.readouterr().err
    assert printed.count(" error: ") == 3
    assert "a parent must be a mid site" in printed
    assert 'class[0].ttl = "soon": not a duration' in printed


def test_the_schema_is_printed_without_a_file() -> None:
    schema = json.loads(network("check", "--schema").stdout)
    kinds = ["name", "network", "site", "server", "coverage", "class", "withdrawal"]
    assert list(schema["properties"]) == kinds
    assert network("check").exit_code == EXIT_USAGE


def test_a_tree_shows_every_site_and_server_plainly() -> None:
    result = network("show", str(EXAMPLE))
    assert result.exit_code == 0
    assert "\x1b" not in result.stdout
    document = tomllib.loads(EXAMPLE.read_text())
    for kind in ("network", "site", "server", "coverage", "class"):
        assert all(one["name"] in result.stdout for one in document[kind])


def test_a_tree_is_coloured_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("headrace.cli.network.wants_colour", lambda: True)
    plain = network("show", str(EXAMPLE)).stdout
    coloured = CliRunner().invoke(app, ["network", "show", str(EXAMPLE)], color=True).stdout
    assert "\x1b[32monline" in coloured
    assert "\x1b[33mdraining" in coloured
    assert "\x1b" not in plain


def test_json_has_every_value_in_force(tmp_path: Path) -> None:
    shown: dict[str, Any] = json.loads(network("show", "--json", str(EXAMPLE)).stdout)
    assert shown["server"][0]["http_port"] == 80
    assert shown["site"][0]["target_utilisation"] == 0.8
    assert shown["class"][0]["redirect"] == 302


def test_check_of_a_description_names_the_command_for_it(tmp_path: Path) -> None:
    with pytest.raises(NotOfARole, match=r"headrace network check .*network\.toml checks it"):
        CliRunner().invoke(app, ["check", str(EXAMPLE)], catch_exceptions=False)
    (tmp_path / "deep.toml").write_text("a = " + "[" * 5000)
    with pytest.raises(ConfigError, match="nested more than"):
        CliRunner().invoke(app, ["check", str(tmp_path / "deep.toml")], catch_exceptions=False)


def test_an_edge_that_uses_no_certificate_is_warned_of_it(tmp_path: Path) -> None:
    (tmp_path / "edge.toml").write_text(
        'cache_dir = "cache"\n[[listen]]\naddress = "127.0.0.1:8080"\n'
        '[[certificate]]\ncert = "c.pem"\nkey = "k.pem"\n'
        '[[service]]\nname = "vod"\nhosts = ["*"]\norigins = ["http://127.0.0.1:8000"]\n'
    )
    for name in ("c.pem", "k.pem"):
        (tmp_path / name).write_text("")
    result = CliRunner().invoke(app, ["check", str(tmp_path / "edge.toml")])
    assert "warning: certificate: no listener has tls = true" in result.stderr


WRONG = (
    ('parents = ["frankfurt"]', 'parents = ["frankfrut"]'),
    ('ipv4 = ["198.51.100.2"]', 'ipv4 = ["198.51.100.1"]'),
    ("'/(?P<channel>[^/]+)/'", "'/(.*)+/'"),
    ('prefixes = ["203.0.113.0/24"]', 'prefix_file = "cable.prefixes"'),
)


def test_the_page_shows_what_the_commands_print(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = EXAMPLE.read_text()
    (tmp_path / "network.toml").write_text(text)
    for old, new in WRONG:
        text = text.replace(old, new, 1)
    (tmp_path / "wrong.toml").write_text(text)
    (tmp_path / "cable.prefixes").write_text(
        "# From the cable company.\n203.0.113.0/24\n192.0.2.0/24\n198.18.0.7/15\n"
    )
    monkeypatch.chdir(tmp_path)
    page = (EXAMPLE.parents[1] / "network/description.md").read_text()
    blocks = re.findall(r"```console\n\$ headrace network (.*)\n([^`]*)```", page)
    assert len(blocks) == 3
    for command, shown in blocks:
        try:
            printed = network(*command.split()).stdout
        except ConfigError as error:
            printed = f"headrace: {error}\n"
        assert shown == printed


def test_thousands_of_warnings_are_not_all_printed(tmp_path: Path) -> None:
    file = tmp_path / "network.toml"
    mids = (f'[[site]]\nname = "mid{number}"\nkind = "mid"\n' for number in range(250))
    servers = (
        f'[[server]]\nname = "m{number}"\nsite = "mid{number}"\nhost = "192.0.2.{number}"\n'
        for number in range(250)
    )
    file.write_text(f"{EXAMPLE.read_text()}\n{''.join(mids)}{''.join(servers)}")
    result = network("check", str(file))
    assert result.exit_code == 0
    assert result.stderr.count("is a mid site that no site asks") == 200
    assert result.stderr.endswith("and 50 warnings more\n")


@pytest.mark.parametrize("output", ["/dev/full", None])
def test_output_that_goes_nowhere_ends_in_no_traceback(output: str | None) -> None:
    code = "from headrace.cli.main import main; main()"
    preexec = "" if output else "import os; os.close(1); import sys; sys.stdout = None; "
    with Path(output or "/dev/null").open("wb") as out:
        done = subprocess.run(
            [sys.executable, "-c", preexec + code, "network", "show", str(EXAMPLE)],
            stdout=out, stderr=subprocess.PIPE, text=True, check=False,
        )  # fmt: skip
    expected = (1, "headrace: No space left on device\n") if output else (0, "")
    assert (done.returncode, done.stderr) == expected
