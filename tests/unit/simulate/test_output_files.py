from __future__ import annotations

import csv
import errno
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from headrace.cli.main import app
from headrace.errors import HeadraceError
from headrace.simulate.figures import Figures, UnreadableFigures, figures_of, read_figures
from headrace.simulate.report import files
from headrace.simulate.report.files import (
    UnwritableOutput,
    check_directory,
    check_file,
    write_file,
    write_files,
)
from headrace.simulate.report.page import page
from headrace.simulate.report.tables import write_tables
from tests.harness.scenarios import simulated

PRINTS_OUTPUT = """
import sys
from pathlib import Path
from headrace.simulate.figures import figures_of
from headrace.simulate.report.page import page
from headrace.simulate.report.tables import write_tables
from tests.harness.scenarios import simulated
for turn in ("first", "again"):
    result = simulated(seed=7, length=120, control={"mode": "both", "reports_wrong": 0.1})
    figures = figures_of(result, {}, 0.0, 0.0)
    directory = Path(sys.argv[1]) / turn
    directory.mkdir(parents=True)
    write_tables(directory, result, figures)
    (directory / "page").write_text(page(result, figures))
"""


def test_report_and_tables_are_the_same_bytes_in_any_process_and_again_in_one(
    tmp_path: Path,
) -> None:
    for seed in ("1", "2"):
        subprocess.run(
            [sys.executable, "-c", PRINTS_OUTPUT, str(tmp_path / seed)],
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": os.pathsep.join(sys.path)},
            check=True,
        )
    for name in ("network.csv", "sites.csv", "events.csv", "figures.csv", "page"):
        found = {path.read_bytes() for path in tmp_path.glob(f"*/*/{name}")}
        assert len(found) == 1
        assert len(list(tmp_path.glob(f"*/*/{name}"))) == 4


def test_what_cannot_be_written_is_said_before_the_run(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for path in (
        tmp_path,
        tmp_path / "none" / "r.html",
        Path("/dev/null"),
        tmp_path / "file" / "r",
    ):
        with pytest.raises(UnwritableOutput, match=str(path).split("/")[1]):
            check_file(path)
    with pytest.raises(UnwritableOutput):
        check_directory(tmp_path / "file")
    check_file(tmp_path / "file")
    check_directory(tmp_path / "new" / "deep")


def test_devices_are_not_replaced() -> None:
    result = CliRunner().invoke(
        app, ["simulate", "docs/examples/simulator/evening.toml", "--report", "/dev/null"]
    )
    assert isinstance(result.exception, UnwritableOutput)
    assert Path("/dev/null").is_char_device()


def test_a_link_to_a_report_stays_one(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "real")
    write_file(tmp_path / "link", "text")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real").read_text() == "text"


def test_of_files_that_could_not_all_be_written_none_is_new(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, last = tmp_path / "first", tmp_path / "last"
    write_files({first: "old", last: "old"})
    write = files._write

    def no_room(path: Path, text: str) -> None:
        write(path, text[:1])
        if "last" in path.name:
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(files, "_write", no_room)
    with pytest.raises(UnwritableOutput, match="last cannot be written: No space left"):
        write_files({first: "new", last: "new"})
    assert [first.read_text(), last.read_text()] == ["old", "old"]
    assert sorted(tmp_path.iterdir()) == [first, last]


def test_the_last_of_several_files_says_that_all_are_of_one_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, last = tmp_path / "first", tmp_path / "last"
    write_files({first: "old", last: "old"})
    replace = Path.replace

    def killed(path: Path, target: Path) -> Path:
        if target == last:
            raise KeyboardInterrupt
        return replace(path, target)

    monkeypatch.setattr(Path, "replace", killed)
    with pytest.raises(KeyboardInterrupt):
        write_files({first: "new", last: "new"})
    assert sorted(tmp_path.iterdir()) == [first]


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b"\xff", b"[" * 5000])
def test_figures_that_are_none_are_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "before.json").write_bytes(content)
    with pytest.raises(UnreadableFigures):
        read_figures(tmp_path / "before.json")


@pytest.mark.parametrize("path", ["/dev/zero", "/", "/nowhere/f.json"])
def test_figures_in_what_is_no_file_are_refused(path: str) -> None:
    with pytest.raises(UnreadableFigures):
        read_figures(Path(path))


def test_names_in_figures_steer_no_terminal(tmp_path: Path, document: dict[str, Any]) -> None:
    import json

    document["sites"][0]["name"] = "\x1b[2J"
    (tmp_path / "before.json").write_text(json.dumps(document))
    with pytest.raises(HeadraceError, match="name"):
        read_figures(tmp_path / "before.json")


@pytest.fixture
def document() -> dict[str, Any]:
    from headrace.simulate.figures import as_dict

    return as_dict(figures_of(simulated(), {}, 0.0, 0.0))


def test_no_cell_of_a_table_is_a_formula_or_a_number_that_is_none(tmp_path: Path) -> None:
    result = simulated(failure=[{"site": "north", "from": 200, "until": 300}])
    figures: Figures = figures_of(result, {}, 0.0, 0.0)
    write_tables(tmp_path, result, figures)
    for path in tmp_path.glob("*.csv"):
        for row in csv.reader(path.read_text().splitlines()):
            for cell in row:
                assert not cell.startswith(("=", "+", "-", "@", "\t", "\r"))
                assert cell not in {"nan", "inf"}


def test_a_page_has_no_handler_and_no_address(tmp_path: Path) -> None:
    result = simulated(title="<img src=x onerror=alert(1)>{data}%s")
    text = page(result, figures_of(result, {}, 0.0, 0.0))
    assert "<img" not in text
