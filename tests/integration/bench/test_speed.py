"""The bench from its command line to its page, with tiny slices: what it finds is not judged."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
from bench.speed import pages, result
from bench.speed.counters import Counter
from bench.speed.result import Result

ROOT = Path(__file__).resolve().parents[3]
TIMEOUT_S = 300


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    """From the tree's root, with the tree's packages."""
    paths = os.pathsep.join((str(ROOT / "src"), str(ROOT)))
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT, env=os.environ | {"PYTHONPATH": paths}, capture_output=True, text=True,
        timeout=TIMEOUT_S, check=False,
    )  # fmt: skip


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """Where one small run wrote its page, and what it said."""
    pages_at = tmp_path_factory.mktemp("pages")
    done = run(
        "-m", "bench.speed", "--only", "a,b1,f2,h2", "--peers", "headrace,nginx", "--passes", "1",
        "--rounds", "2", "--slice", "0.3", "--name", "one", "--output", str(pages_at),
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return pages_at, done.stdout


def of_one(measured: tuple[Path, str]) -> Result:
    return result.load(measured[0] / pages.MACHINES / "one.json")


def test_each_work_has_samples_of_both_with_what_they_cost(measured: tuple[Path, str]) -> None:
    works = {each.letter: each for each in of_one(measured).works}
    assert works.keys() == {"a", "b1", "f2", "h2"}
    for letter, work in works.items():
        assert work.samples.keys() == {"headrace", "nginx"}, f"{letter}: {measured[1]}"
        for sample in [each for found in work.samples.values() for each in found.values()]:
            assert sample.figure > 0
            assert sample.cpu_us
            assert sample.server is not None
            assert (sample.instructions is not None) is Counter().works


def test_the_machine_is_described(measured: tuple[Path, str]) -> None:
    found = of_one(measured).machine
    assert found.name == "one"
    assert found.processor
    assert found.versions["nginx"].startswith("nginx version")


def test_the_page_has_ratios(measured: tuple[Path, str]) -> None:
    text = (measured[0] / pages.PAGE).read_text(encoding="utf-8")
    assert "## Ratios" in text
    assert "| a 2 MB segments, plain | **" in text


def test_another_machine_is_added(measured: tuple[Path, str], tmp_path: Path) -> None:
    other = of_one(measured)
    other = msgspec.structs.replace(other, machine=msgspec.structs.replace(other.machine, name="b"))
    (tmp_path / "found.json").write_bytes(result.encoded(other))
    copy = tmp_path / "pages"
    shutil.copytree(measured[0], copy)
    script = str(ROOT / "scripts/add_bench_machine.py")
    done = run(script, str(tmp_path / "found.json"), "--pages", str(copy))
    assert done.returncode == 0, done.stderr
    text = (copy / pages.PAGE).read_text(encoding="utf-8")
    assert "| b: to the best |" in text
    assert "| one: to the best |" in text


def test_what_is_no_result_is_refused(tmp_path: Path) -> None:
    bad = tmp_path / "bad.json"
    bad.write_text('{"format": 1}')
    done = run(str(ROOT / "scripts/add_bench_machine.py"), str(bad), "--pages", str(tmp_path))
    assert done.returncode == 2
    assert "bad.json" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--only", "z"), "no work z"), (("--only", "b3"), "no work b3"),
        (("--peers", "apache"), "no peer apache"),
        (("--name", "../x"), "lower-case"), (("--rounds", "0"), "at least one round"),
    ],
)  # fmt: skip
def test_what_cannot_be_measured_is_refused(arguments: tuple[str, str], said: str) -> None:
    done = run("-m", "bench.speed", *arguments)
    assert done.returncode == 2
    assert said in done.stderr
