from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from headrace.config.node import default_node_id

ROOT = Path(__file__).parents[3]
SMALL = """
cache_dir = "cache"
[[listen]]
address = "127.0.0.1:8080"
[[service]]
name = "default"
hosts = ["*"]
origins = ["http://127.0.0.1:8000"]
"""


def headrace(*arguments: str) -> subprocess.CompletedProcess[str]:
    code = "from headrace.cli.main import main; main()"
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_the_package_is_the_same_command(tmp_path: Path) -> None:
    (tmp_path / "edge.toml").write_text(SMALL.replace("hosts", "guests"))
    command = [sys.executable, "-m", "headrace", "check", str(tmp_path / "edge.toml")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    same = headrace("check", str(tmp_path / "edge.toml"))
    assert (done.returncode, done.stdout, done.stderr) == (2, same.stdout, same.stderr)
    assert f"{tmp_path / 'edge.toml'}:" in done.stderr


def test_check_prints_the_effective_configuration(tmp_path: Path) -> None:
    (tmp_path / "edge.toml").write_text(SMALL)
    done = headrace("check", str(tmp_path / "edge.toml"))
    assert (done.returncode, f'node_id = "{default_node_id()}"' in done.stdout) == (0, True)


def test_check_refuses_a_wrong_file_with_code_2(tmp_path: Path) -> None:
    (tmp_path / "edge.toml").write_text("workers = 0\n" + SMALL)
    done = headrace("check", str(tmp_path / "edge.toml"))
    assert (done.returncode, "edge.toml:1: error: workers" in done.stderr) == (2, True)


def test_check_finds_a_certificate_that_is_not_there(tmp_path: Path) -> None:
    text = SMALL.replace('8080"', '8080"\ntls = true')
    text += '[[certificate]]\ncert = "no.pem"\nkey = "no.key"\n'
    (tmp_path / "edge.toml").write_text(text)
    done = headrace("check", str(tmp_path / "edge.toml"))
    assert (done.returncode, "no.pem cannot be read" in done.stderr) == (2, True)


@pytest.mark.parametrize(("example", "certificates"), [("edge", 2), ("open-internet", 1)])
def test_an_example_is_valid_but_for_its_certificates(example: str, certificates: int) -> None:
    done = headrace("check", str(ROOT / f"docs/examples/{example}.toml"))
    complaints = [line for line in done.stderr.splitlines() if ": error:" in line]
    assert [line for line in complaints if "certificate[" not in line] == []
    assert len(complaints) == certificates


def test_the_schema_is_json() -> None:
    done = headrace("check", "--schema")
    assert "listen" in json.loads(done.stdout)["properties"]


def test_a_wrong_option_has_no_traceback() -> None:
    done = headrace("edge", "--listen", "nonsense", "--origin", "http://o", "--cache-dir", "/tmp/x")
    assert (done.returncode, "Traceback" in done.stderr) == (2, False)


def test_the_version_is_printed() -> None:
    done = headrace("--version")
    assert (done.returncode, done.stdout.startswith("headrace ")) == (0, True)


def test_a_cache_directory_that_others_can_write_to_is_refused(tmp_path: Path) -> None:
    place = tmp_path / "cache"
    place.mkdir()
    place.chmod(0o777)
    (tmp_path / "edge.toml").write_text(SMALL)
    for command in (["check"], ["edge", "--config"]):
        done = headrace(*command, str(tmp_path / "edge.toml"))
        assert f"{place} can be written to by others (mode 0777)" in done.stderr
        assert f"chmod 0700 {place}" in done.stderr
        assert done.returncode == 2


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGUSR1])
def test_a_starting_edge_is_not_ended_by_signals_for_a_running_one(
    tmp_path: Path, number: signal.Signals
) -> None:
    (tmp_path / "edge.toml").write_text("workers = 0\n" + SMALL)
    code = (
        "import os, sys\nimport headrace.cli\n"
        f"os.kill(os.getpid(), {int(number)})\n"
        "from headrace.cli.main import main; main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, "edge", "--config", str(tmp_path / "edge.toml")],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert (done.returncode, "workers" in done.stderr) == (2, True)
