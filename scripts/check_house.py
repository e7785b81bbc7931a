"""Check the house rules that neither ruff, mypy nor import-linter can hold.

Sizes of functions and modules, imports for types alone that would hide a circle, docstrings, and
the subjects of commits. What may break a rule stands in `pyproject.toml` under
`[tool.headrace.house]`, with its reason; an entry that is no longer needed is an error too. What
was there before a rule came is counted by package in `house_ratchet.json`: no count may grow, and
`--tighten` writes those that shrank.
"""

from __future__ import annotations

import argparse
import ast
import gc
import json
import subprocess
import sys
import tomllib
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
SOURCE = ROOT / "src" / "headrace"
RATCHET = ROOT / "scripts" / "house_ratchet.json"
FUNCTION_LINES = 60
MODULE_LINES = 400
SUBJECT_LETTERS = 72
# Words that begin a description of a thing, where a function's docstring says what to do.
_NOT_IMPERATIVE = """
a all an any are as both by does each every false for from gets gives has how if in is it its makes
no none nothing of on one reads returns says sends sets some takes tells that the these this those
to true two was what when where whether which who whom whose why with writes yields
"""
NOT_IMPERATIVE = frozenset(_NOT_IMPERATIVE.split())

Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """One place that breaks one rule; `name` is what an exception in the configuration names."""

    rule: str
    path: str
    line: int
    name: str
    text: str

    def __str__(self) -> str:
        """Return the finding as a line that an editor can follow."""
        return f"{self.path}:{self.line}: {self.rule}: {self.text}"


@dataclass(slots=True)
class House:
    """What is known of all modules before one is checked."""

    modules: dict[str, ast.Module] = field(default_factory=dict)
    lines: dict[str, int] = field(default_factory=dict)
    own_errors: set[str] = field(default_factory=set)

    def add(self, path: str, text: str) -> None:
        """Parse a module."""
        self.modules[path] = ast.parse(text)
        self.lines[path] = text.count("\n")

    def know_errors(self) -> None:
        """Collect the names of the exceptions that the modules define, of whatever depth."""
        bases = {
            node.name: {base.id for base in node.bases if isinstance(base, ast.Name)}
            for tree in self.modules.values()
            for node in ast.walk(tree)
            if isinstance(node, ast.ClassDef)
        }
        known = {"Exception"}
        while True:
            more = {name for name, of in bases.items() if of & known and name not in known}
            if not more:
                self.own_errors = known - {"Exception"}
                return
            known |= more


def read_house(source: Path) -> House:
    """Return the house below a directory, its paths relative to the repository."""
    house = House()
    for file in sorted(source.rglob("*.py")):
        if "node_modules" not in file.parts:
            house.add(file.relative_to(ROOT).as_posix(), file.read_text())
    house.know_errors()
    return house


def findings(house: House) -> list[Finding]:
    """Return every place that breaks a rule, exceptions or not."""
    return sorted(found for path in house.modules for found in module_findings(house, path))


def module_findings(house: House, path: str) -> Iterator[Finding]:
    """Check one module."""
    tree = house.modules[path]
    if house.lines[path] > MODULE_LINES:
        text = f"{house.lines[path]} lines, where {MODULE_LINES} are allowed: part it by ideas"
        yield Finding("module-size", path, 1, path, text)
    for name, node in functions(tree):
        lines = (node.end_lineno or node.lineno) - node.lineno + 1
        if lines > FUNCTION_LINES:
            text = f"{name} has {lines} lines, where {FUNCTION_LINES} are allowed"
            yield Finding("function-size", path, node.lineno, f"{path}:{name}", text)
    yield from hidden_imports(tree, path)
    yield from docstring_findings(house, tree, path)


def functions(tree: ast.AST, outer: str = "") -> Iterator[tuple[str, Function]]:
    """Yield every function with its qualified name, inner ones too."""
    for node in ast.iter_child_nodes(tree):
        name = f"{outer}.{node.name}" if outer and hasattr(node, "name") else outer
        if isinstance(node, Function):
            name = name or node.name
            yield name, node
        elif isinstance(node, ast.ClassDef):
            name = name or node.name
        yield from functions(node, name)


def hidden_imports(tree: ast.Module, path: str) -> Iterator[Finding]:
    """Find imports of this project's modules for types alone: each hides a circle."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.If) or "TYPE_CHECKING" not in ast.unparse(node.test):
            continue
        for inner in node.body:
            names = (
                [inner.module or ""] if isinstance(inner, ast.ImportFrom)
                else [each.name for each in inner.names] if isinstance(inner, ast.Import)
                else []
            )  # fmt: skip
            for name in names:
                if name.split(".")[0] == "headrace":
                    text = f"{name} is imported for types alone, which hides a circle"
                    yield Finding("hidden-import", path, inner.lineno, f"{path}:{name}", text)


def docstring_findings(house: House, tree: ast.Module, path: str) -> Iterator[Finding]:
    """Check the docstrings of the public classes and functions at a module's top."""
    if ast.get_docstring(tree) is None and tree.body:
        yield Finding("no-docstring", path, 1, path, "the module has no docstring")
    for name, node in public(tree):
        text = ast.get_docstring(node)
        if text is None:
            yield Finding("no-docstring", path, node.lineno, f"{path}:{name}", f"of {name}")
        elif isinstance(node, Function):
            if not is_property(node) and not is_imperative(text):
                first = text.split("\n", 1)[0]
                found = f"{name} does not begin with what to do: {first!r}"
                yield Finding("not-imperative", path, node.lineno, f"{path}:{name}", found)
            raised = raised_here(node) & house.own_errors
            if raised and "raise" not in text.lower():
                found = f"{name} raises {', '.join(sorted(raised))}, and its docstring does not say"
                yield Finding("no-raises", path, node.lineno, f"{path}:{name}", found)


def public(tree: ast.Module) -> Iterator[tuple[str, Function | ast.ClassDef]]:
    """Yield the public classes, functions and methods, with their qualified names."""
    for node in tree.body:
        if not isinstance(node, Function | ast.ClassDef) or node.name.startswith("_"):
            continue
        yield node.name, node
        if isinstance(node, ast.ClassDef):
            for inner in node.body:
                if isinstance(inner, Function) and not inner.name.startswith("_"):
                    yield f"{node.name}.{inner.name}", inner


def is_property(node: Function) -> bool:
    """Return whether callers read this as an attribute: its docstring describes a thing."""
    names = {ast.unparse(each).split("(")[0].rsplit(".", 1)[-1] for each in node.decorator_list}
    return bool(names & {"property", "cached_property", "setter"})


def is_imperative(docstring: str) -> bool:
    """Return whether a docstring begins as a command does, as far as its first word shows."""
    word = docstring.split(maxsplit=1)[0].strip("`*.,:;'\"") if docstring.split() else ""
    return word[:1].isupper() and word.lower() not in NOT_IMPERATIVE


def raised_here(node: Function) -> set[str]:
    """Return the names of the exceptions that a function's own body raises."""
    found: set[str] = set()
    todo: list[ast.AST] = list(node.body)
    while todo:
        inner = todo.pop()
        if isinstance(inner, Function | ast.Lambda | ast.ClassDef):
            continue
        if isinstance(inner, ast.Raise) and inner.exc is not None:
            called = inner.exc.func if isinstance(inner.exc, ast.Call) else inner.exc
            if isinstance(called, ast.Name):
                found.add(called.id)
        todo.extend(ast.iter_child_nodes(inner))
    return found


# What may break a rule.

EXCEPTED = {
    "module-size": "modules",
    "function-size": "functions",
    "hidden-import": "hidden_imports",
}


def complaints(
    found: list[Finding], config: Mapping[str, Any], ratchet: Mapping[str, Mapping[str, int]]
) -> list[str]:
    """Return what is wrong, in words: findings without an exception, and stale exceptions."""
    wrong = []
    for rule, table in EXCEPTED.items():
        excepted: Mapping[str, str] = config.get(table, {})
        broken = {each.name for each in found if each.rule == rule}
        wrong += [str(each) for each in found if each.rule == rule and each.name not in excepted]
        for name, reason in excepted.items():
            if name not in broken:
                wrong.append(f"pyproject.toml: {table}: {name!r} breaks no rule: remove it")
            elif len(reason.split()) < 3:
                wrong.append(f"pyproject.toml: {table}: {name!r} needs a reason")
    now = counts(found)
    for rule in sorted(now.keys() | ratchet.keys()):
        for package in sorted(now.get(rule, {}).keys() | ratchet.get(rule, {}).keys()):
            new, old = now.get(rule, {}).get(package, 0), ratchet.get(rule, {}).get(package, 0)
            if new > old:
                wrong += [
                    str(each) for each in found
                    if each.rule == rule and package_of(each.path) == package
                ]  # fmt: skip
                wrong.append(f"{rule}: {new} in {package}, where {old} were before: mend the new")
            elif new < old:
                wrong.append(
                    f"{rule}: {new} in {package}, and {RATCHET.name} says {old}: "
                    "run scripts/check_house.py --tighten"
                )
    return wrong


def package_of(path: str) -> str:
    """Return the package of a module's path: `src/headrace/edge/hot.py` is of `edge`."""
    parts = Path(path).parts[2:]
    return parts[0] if len(parts) > 1 else "headrace"


def counts(found: list[Finding]) -> dict[str, dict[str, int]]:
    """Return the findings of the rules that have no exceptions, counted by package."""
    by_rule: dict[str, Counter[str]] = {}
    for each in found:
        if each.rule not in EXCEPTED:
            by_rule.setdefault(each.rule, Counter())[package_of(each.path)] += 1
    return {rule: dict(sorted(by_rule[rule].items())) for rule in sorted(by_rule)}


def tighten(
    now: Mapping[str, Mapping[str, int]], ratchet: Mapping[str, Mapping[str, int]]
) -> list[str]:
    """Return the rules whose counts, all packages together, grew: then none may be written."""
    grown = []
    for rule, packages in now.items():
        new, old = sum(packages.values()), sum(ratchet.get(rule, {}).values())
        if ratchet and new > old:
            grown.append(f"{rule}: {new}, where {old} were before")
    return grown


# Commits.


def subject_problem(subject: str) -> str | None:
    """Return what is wrong with a commit's subject, None if nothing."""
    if len(subject) > SUBJECT_LETTERS:
        return f"{len(subject)} letters, where {SUBJECT_LETTERS} are allowed: {subject!r}"
    if subject.endswith("."):
        return f"a subject has no full stop: {subject!r}"
    return None


def commit_complaints(since: str) -> list[str]:
    """Return what is wrong with the subjects of the commits since one; say so if it is not here."""
    git = ["git", "-C", str(ROOT)]
    known = subprocess.run(
        [*git, "merge-base", "--is-ancestor", since, "HEAD"], capture_output=True, check=False
    )
    if known.returncode != 0:
        print(f"commit subjects: not checked, {since} is not in this copy's history")
        return []
    log = subprocess.run(
        [*git, "log", "--no-merges", "--format=%h %s", f"{since}..HEAD"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    wrong = []
    for line in log.stdout.splitlines():
        commit, _, subject = line.partition(" ")
        problem = subject_problem(subject)
        if problem is not None:
            wrong.append(f"commit {commit}: {problem}")
    return wrong


def main() -> int:
    """Check the house, or one commit message (for the hook), or write the counts that shrank."""
    line = argparse.ArgumentParser(description=__doc__)
    line.add_argument("--tighten", action="store_true", help="write the counts that shrank")
    line.add_argument("--message", type=Path, help="check only this file with a commit's message")
    asked = line.parse_args()
    if asked.message is not None:
        subject = asked.message.read_text().split("\n", 1)[0]
        problem = None if subject.startswith(("fixup!", "squash!")) else subject_problem(subject)
        print(f"commit subject: {problem}" if problem else "", end="\n" if problem else "")
        return 1 if problem else 0
    gc.disable()  # it would look at each node of all trees, again and again, and free nothing
    config = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["headrace"]["house"]
    ratchet = json.loads(RATCHET.read_text()) if RATCHET.exists() else {}
    found = findings(read_house(SOURCE))
    if asked.tighten:
        now = counts(found)
        grown = tighten(now, ratchet)
        if not grown:
            RATCHET.write_text(json.dumps(now, indent=2) + "\n")
        wrong = grown
    else:
        wrong = complaints(found, config, ratchet)
        wrong += commit_complaints(config["commits_since"])
    print(*wrong, sep="\n", end="\n" if wrong else "")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
