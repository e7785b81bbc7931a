"""Draw the floors of the house from the imports that are there: `python scripts/draw_floors.py`.

Writes `docs/images/floors.svg` (the packages, on the floors that `.importlinter` names) and
`docs/images/floors-edge.svg` (the rooms of `edge`, each above what it imports). Each box says what
the package is, by its docstring, and what it stands on: what it imports, less what that imports
already. With `--check` nothing is written, and a picture that is out of date is an error.
"""

from __future__ import annotations

import argparse
import ast
import configparser
import sys
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SOURCE = ROOT / "src"
IMAGES = ROOT / "docs" / "images"
WIDTH = 920
GAP = 14
LETTER = 6.6
"""The width of a letter of the text, in the units of the picture; a little more than most have."""
NAME_SIZE = 14
NAME_LETTER = 0.65
"""The width of a letter of a name, which is bold, as a share of its size."""

Graph = Mapping[str, frozenset[str]]


@dataclass(frozen=True, slots=True)
class Box:
    """One package on a floor."""

    name: str
    says: str
    on: tuple[str, ...] = ()
    upward: tuple[str, ...] = field(default=())
    """What it imports from its own floor or one above: there should be none."""


# What the code says.


def modules(source: Path) -> dict[str, Path]:
    """Return every module by its dotted name."""
    found = {}
    for file in sorted((source / "headrace").rglob("*.py")):
        parts = file.relative_to(source).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = file
    return found


def imported_names(text: str) -> set[str]:
    """Return what a module imports, wherever in it: `from a import b` may be `a` or `a.b`."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            found |= {each.name for each in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            found |= {f"{node.module}.{each.name}" for each in node.names}
    return found


def imports_between(known: Mapping[str, Path], parent: str) -> dict[str, frozenset[str]]:
    """Return which children of a package import which of their siblings."""
    graph: dict[str, set[str]] = {}
    for name, file in known.items():
        child = child_of(name, parent)
        if child is None:
            continue
        found = graph.setdefault(child, set())
        for imported in imported_names(file.read_text()):
            other = child_of(imported, parent)
            if other is not None and other != child and f"{parent}.{other}" in known:
                found.add(other)
    return {name: frozenset(graph[name]) for name in sorted(graph)}


def child_of(name: str, parent: str) -> str | None:
    """Return the child of `parent` that a module is or is in."""
    if not name.startswith(parent + "."):
        return None
    return name[len(parent) + 1 :].split(".", maxsplit=1)[0]


def first_sentence(file: Path) -> str:
    """Return what a module's docstring says first."""
    text = ast.get_docstring(ast.parse(file.read_text())) or ""
    sentence = " ".join(text.split("\n\n", maxsplit=1)[0].split()).split(". ", maxsplit=1)[0]
    return sentence.removesuffix(".").replace("`", "")


def reachable(graph: Graph, names: Iterable[str]) -> set[str]:
    """Return what can be reached from these, themselves included only if by a circle."""
    found: set[str] = set()
    todo = [other for name in names for other in graph.get(name, ())]
    while todo:
        name = todo.pop()
        if name not in found:
            found.add(name)
            todo.extend(graph.get(name, ()))
    return found


def stands_on(graph: Graph, name: str) -> tuple[str, ...]:
    """Return what a package imports, less what it would reach through the others that it does."""
    direct = graph[name] - {name}
    return tuple(sorted(each for each in direct if each not in reachable(graph, direct - {each})))


# On which floor.


def named_floors(text: str) -> list[list[str]]:
    """Return the floors of the contract of layers, the highest first."""
    config = configparser.ConfigParser()
    config.read_string(text)
    layers = config["importlinter:contract:floors"]["layers"]
    return [
        [name.strip() for name in line.split("|")] for line in layers.splitlines() if line.strip()
    ]


def computed_floors(graph: Graph) -> list[list[str]]:
    """Return floors on which each stands above all it imports, the highest first. Those that
    import each other in a circle are put where the rest of their imports allows.
    """
    level: dict[str, int] = {}

    def height(name: str, above: frozenset[str]) -> int:
        if name not in level:
            below = [each for each in graph[name] if each not in above]
            found = max((height(each, above | {name}) + 1 for each in sorted(below)), default=0)
            if above & graph[name]:
                return found
            level[name] = found
        return level[name]

    for name in sorted(graph):
        level[name] = height(name, frozenset({name}))
    return [
        sorted(name for name in graph if level[name] == each)
        for each in sorted(set(level.values()), reverse=True)
    ]


def boxes(
    known: Mapping[str, Path], parent: str, graph: Graph, floors: Sequence[Sequence[str]]
) -> list[list[Box]]:
    """Return what stands on each floor."""
    at = {name: number for number, floor in enumerate(floors) for name in floor}
    down = {
        name: frozenset(other for other in graph[name] if at[other] > at[name]) for name in graph
    }
    return [
        [
            Box(
                name,
                first_sentence(known[f"{parent}.{name}"]),
                stands_on(down, name),
                tuple(sorted(graph[name] - down[name])),
            )
            for name in floor
        ]
        for floor in floors
    ]


# The picture.


def wrapped(text: str, width: float) -> list[str]:
    """Break a text into lines that fit."""
    return textwrap.wrap(text, max(8, int(width / LETTER)), break_long_words=False)


def name_size(name: str, width: float) -> float:
    """Return the size of letters by which a name fits, the usual one if that does."""
    return round(min(NAME_SIZE, width / (NAME_LETTER * len(name))), 1)


def draw(title: str, floors: Sequence[Sequence[Box]]) -> str:
    """Return the picture as SVG."""
    parts: list[str] = []
    y = 62
    for number, floor in enumerate(floors):
        widths = (WIDTH - 2 * 24 - GAP * (len(floor) - 1)) / len(floor)
        texts = [
            (
                wrapped(box.says, widths - 24),
                wrapped("on " + ", ".join(box.on), widths - 24) if box.on else [],
                wrapped("UPWARD: " + ", ".join(box.upward), widths - 24) if box.upward else [],
            )
            for box in floor
        ]
        height = 36 + 17 * max(sum(len(lines) for lines in each) for each in texts) + 6
        fill = "#f0fdfa" if number % 2 == 0 else "#e6f7f4"
        parts.append(
            f'<rect x="8" y="{y}" width="{WIDTH - 16}" height="{height + 20}" fill="{fill}"/>'
        )
        for place, (box, (says, on, upward)) in enumerate(zip(floor, texts, strict=True)):
            x = 24 + place * (widths + GAP)
            parts.append(
                f'<rect x="{x:.0f}" y="{y + 10}" width="{widths:.0f}" height="{height}" rx="6" '
                'fill="#ccfbf1" stroke="#0f766e"/>'
            )
            line = y + 32
            parts.append(
                f'<text x="{x + 12:.0f}" y="{line}" font-weight="600" '
                f'font-size="{name_size(box.name, widths - 16):g}" '
                f'fill="#134e4a">{escape(box.name)}</text>'
            )
            for lines, colour in ((says, "#334155"), (on, "#0f766e"), (upward, "#b91c1c")):
                for text in lines:
                    line += 17
                    parts.append(
                        f'<text x="{x + 12:.0f}" y="{line}" fill="{colour}">{escape(text)}</text>'
                    )
        y += height + 20
    roof = f'<path d="M8,62 L{WIDTH // 2},12 L{WIDTH - 8},62 z" fill="#0f766e"/>'
    name = (
        f'<text x="{WIDTH // 2}" y="50" text-anchor="middle" font-size="15" font-weight="600" '
        f'fill="#ffffff">{escape(title)}</text>'
    )
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {y + 12}" '
        'font-family="system-ui, sans-serif" font-size="12" role="img" '
        f'aria-label="{escape(title)}: packages on floors, each above what it imports">'
    )
    ground = f'<rect width="{WIDTH}" height="{y + 12}" fill="#ffffff"/>'
    return "\n".join([head, ground, roof, name, *parts, "</svg>"]) + "\n"


def pictures() -> dict[Path, str]:
    """Return each picture's file and text."""
    known = modules(SOURCE)
    house = imports_between(known, "headrace")
    house.pop("__main__", None)
    floors = named_floors((ROOT / ".importlinter").read_text())
    edge = imports_between(known, "headrace.edge")
    return {
        IMAGES / "floors.svg": draw("headrace", boxes(known, "headrace", house, floors)),
        IMAGES / "floors-edge.svg": draw(
            "edge", boxes(known, "headrace.edge", edge, computed_floors(edge))
        ),
    }


def main() -> int:
    """Write the pictures, or say which of them is out of date."""
    line = argparse.ArgumentParser(description=__doc__)
    line.add_argument("--check", action="store_true", help="write nothing")
    asked = line.parse_args()
    stale = 0
    for file, text in pictures().items():
        if asked.check and (not file.exists() or file.read_text() != text):
            print(f"{file.relative_to(ROOT)} is out of date: run make pictures")
            stale = 1
        elif not asked.check:
            file.write_text(text)
    return stale


if __name__ == "__main__":
    sys.exit(main())
