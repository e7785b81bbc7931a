"""The pages on the network show what the commands print of the example, to the letter."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import pytest
from typer.testing import CliRunner

from headrace.cli.main import app

DOCS = Path(__file__).parents[3] / "docs"
EXAMPLE = (DOCS / "examples/network.toml").read_text()
OSLO3 = """[[server]]
name = "oslo3"
site = "oslo"
host = "oslo3.cdn.example.org"
ipv4 = ["198.51.100.3"]
ipv6 = ["2001:db8:c::3"]
capacity = "10Gbps"
storage = "4TB"

"""


def printed_by(command: str) -> str:
    result = CliRunner().invoke(app, shlex.split(command))
    assert result.exit_code == 0, result.output
    return result.stdout


def shown_on(page: str, command: str) -> list[tuple[str, str]]:
    """Each such command of a page with what it shows beneath."""
    text = (DOCS / page).read_text()
    blocks = re.findall(rf"```\w+\n\$ headrace ({command} (?:[^\n]*\\\n)*[^\n]*)\n([^`]*)```", text)
    return [(asked.replace("\\\n", " "), shown) for asked, shown in blocks]


@pytest.fixture(autouse=True)
def _in_a_directory_with_the_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "docs/examples").mkdir(parents=True)
    for file in ("network.toml", "docs/examples/network.toml"):
        (tmp_path / file).write_text(EXAMPLE)
    (tmp_path / "vips.toml").write_text((DOCS / "examples/vips.toml").read_text())
    failed = {"version": 1, "made_at": 1764130000.0, "servers": {"oslo2": {"state": "failed"}}}
    (tmp_path / "view.json").write_text(json.dumps(failed))


@pytest.mark.parametrize(
    ("page", "command", "blocks"),
    [
        ("network/sharding.md", "shard", 2),
        ("network/routing.md", "locate", 1),
        ("vip/plan.md", "vip plan", 1),
        ("vip/plan.md", "vip takeover", 2),
        ("vip/plan.md", "vip explain", 1),
    ],
)
def test_a_page_shows_what_is_printed(page: str, command: str, blocks: int) -> None:
    found = shown_on(page, command)
    assert len(found) == blocks
    for asked, shown in found:
        assert printed_by(asked) == shown


def test_a_router_is_said_to_answer_what_is_decided_from_the_file() -> None:
    ((asked, shown),) = shown_on("router/index.md", "locate")
    assert printed_by(
        asked.replace("--router http://127.0.0.1:8080", "--network network.toml")
    ) == (shown)


def test_the_page_on_following_shows_what_its_change_moves(tmp_path: Path) -> None:
    page = (DOCS / "network/following.md").read_text()
    found = re.search(r'```toml\n(\[\[coverage\]\]\nname = "near-rome"[^`]*)```', page)
    assert found
    new = EXAMPLE.replace('[[server]]\nname = "rome1"', f'{OSLO3}[[server]]\nname = "rome1"')
    new = new.replace('{ name = "rome", weight = 0.5 }', '{ name = "rome" }')
    (tmp_path / "new.toml").write_text(f"{new}\n{found[1]}")
    ((asked, shown),) = shown_on("network/following.md", "network diff")
    assert printed_by(asked) == shown


def write_network_of_the_first_page(directory: Path) -> str:
    """Write the files that the page has, and the second server's; return the page."""
    page = (DOCS / "getting-started.md").read_text()
    files = dict(re.findall(r"```toml\n# (network|one|router)\.toml[^\n]*\n([^`]*)```", page))
    assert set(files) == {"network", "one", "router"}
    two = files["one"].replace('"one"', '"two"').replace("headrace-one", "headrace-two")
    files["two"] = two.replace("127.0.0.2", "127.0.0.3")
    for name, text in files.items():
        (directory / f"{name}.toml").write_text(text.replace("/tmp/", f"{directory}/"))
    secret = directory / "network.secret"
    secret.write_text(f"{'s' * 44}\n")
    secret.chmod(0o600)
    return page


def test_the_network_of_the_first_page_is_sound(tmp_path: Path) -> None:
    page = write_network_of_the_first_page(tmp_path)
    assert "sound: 1 edge site, 2 servers" in printed_by("network check network.toml")
    for name in ("one", "two", "router"):
        assert str(tmp_path / "network.toml") in printed_by(f"check {name}.toml")
    ((asked, shown),) = re.findall(r"\$ \.venv/bin/headrace (shard [^\n]*)\n([^`]*)```", page)
    assert printed_by(asked) == shown


def test_the_page_on_tiering_shows_who_is_asked(tmp_path: Path) -> None:
    write_network_of_the_first_page(tmp_path)
    ((asked, shown),) = shown_on("network/tiering.md", "explain")
    assert printed_by(asked).startswith(shown.removesuffix("…\n"))


def test_the_feedback_loop_of_its_first_page_is_sound(tmp_path: Path) -> None:
    write_network_of_the_first_page(tmp_path)
    page = (DOCS / "feedback/index.md").read_text()
    found = re.search(r"```toml\n# feedback\.toml\n([^`]*)```", page)
    lines = re.search(r"```toml\n(secret_file = [^`]*)```", page)
    assert found
    assert lines
    (tmp_path / "feedback.toml").write_text(found[1].replace("/tmp/", f"{tmp_path}/"))
    assert str(tmp_path / "network.toml") in printed_by("check feedback.toml")
    router = (tmp_path / "router.toml").read_text()
    file = 'file = "network.toml"\n'
    assert file in router
    (tmp_path / "router.toml").write_text(router.replace(file, file + lines[1]))
    assert "http://127.0.0.1:8091" in printed_by("check router.toml")
