"""Files of results, and the page that is drawn from all of them."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path

from bench.speed import report, result
from bench.speed.compared import all_works
from bench.speed.result import Result

FINDINGS = Path(__file__).parent / "findings.md"
"""What profiles have shown, in words."""
MACHINES = "speed-machines"
PAGE = "speed.md"
FORMER = ("speed.json", "speed-throughput.png", "speed-growth.png")
KINDS = ("ratios", "growth")
"""Of pictures, as `plots` names them."""
Say = Callable[[str], None]


def write_result(found: Result, path: Path) -> None:
    """One machine's file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(result.encoded(found))


def add(found: Result, directory: Path, say: Say) -> None:
    """Add a machine, or replace it, and draw the page again."""
    write_result(found, directory / MACHINES / f"{found.machine.name}.json")
    draw(directory, say)


def draw(directory: Path, say: Say) -> None:
    """Write page and pictures from all results there. Raises BadResult, naming the file."""
    results = known(directory)
    if importlib.util.find_spec("matplotlib") is None:
        say("no pictures are drawn: matplotlib is missing (pip install -r requirements/bench.txt)")
        images = {each.machine.name: drawn_before(directory, each) for each in results}
    else:
        from bench.speed import plots

        images = {each.machine.name: plots.draw(each, directory) for each in results}
    text = report.document(results, FINDINGS.read_text(encoding="utf-8"), images)
    (directory / PAGE).write_text(text, encoding="utf-8")
    for name in FORMER:  # of the time when there was one machine
        (directory / name).unlink(missing_ok=True)


def drawn_before(directory: Path, found: Result) -> list[str]:
    """The pictures of a machine that are there already."""
    names = [f"speed-{kind}-{found.machine.name}.png" for kind in KINDS]
    return [name for name in names if (directory / name).is_file()]


def known(directory: Path) -> list[Result]:
    """All machines, the newest first. Raises BadResult."""
    found = []
    for path in sorted((directory / MACHINES).glob("*.json")):
        try:
            found.append(result.load(path))
        except result.BadResult as error:
            raise result.BadResult(f"{path}: {error}") from error
    return sorted(found, key=lambda each: each.machine.date, reverse=True)


def as_text(found: Result) -> str:
    """One machine's page."""
    return report.document([found], "", {found.machine.name: ()}) if all_works(found) else ""
