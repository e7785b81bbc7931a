"""`headrace explain`: what it prints of a request, and its exit code for scripts."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from headrace.cli.explain import BadQuestion
from headrace.cli.main import app

CONFIG = """
cache_dir = "cache"
[[listen]]
address = "127.0.0.1:8080"
[[service]]
name = "vod"
hosts = ["vod.test"]
origins = ["http://127.0.0.1:8000"]
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    file = tmp_path / "edge.toml"
    file.write_text(CONFIG)
    return file


def explained(config: Path, *arguments: str) -> tuple[int, str]:
    found = CliRunner().invoke(app, ["explain", "--config", str(config), *arguments])
    if found.exception is not None and not isinstance(found.exception, SystemExit):
        raise found.exception
    return found.exit_code, found.output


def test_a_request_that_would_be_served_is_explained(config: Path) -> None:
    code, output = explained(config, "http://vod.test/a.mp4")
    assert (code, output.splitlines()[0]) == (0, "service        vod")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["http://other.test/"], "refused        421: "),
        (["http://vod.test/", "-H", "bad name: x"], "refused        400: "),
    ],
)
def test_a_request_that_would_be_refused_says_why_and_fails(
    config: Path, arguments: list[str], told: str
) -> None:
    code, output = explained(config, *arguments)
    assert (code, output.startswith(told), output.count("\n")) == (1, True, 1)


@pytest.mark.parametrize(
    "arguments",
    [
        ["vod.test/a"],
        ["http://[::1/a"],
        [f"http://{'ü' * 64}.test/"],
        ["http://vod.test/", "-H", "no colon"],
        ["http://vod.test/", "-H", "x: ☃"],
    ],
)
def test_what_cannot_be_read_is_a_mistake_of_usage(config: Path, arguments: list[str]) -> None:
    with pytest.raises(BadQuestion):
        explained(config, *arguments)
