"""Reads a configuration of any root: a TOML file, or a document with the same keys.

Every problem is reported at once, each with its place. The files that a configuration names
(certificates, directories) are touched only by `check_machine`.
"""

from __future__ import annotations

import copy
import json
import re
import tomllib
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from headrace.config.explain import explain, explain_renamed
from headrace.config.former_words import as_written, in_todays_words
from headrace.config.locate import TomlPath, line_of, locate
from headrace.config.problems import ConfigError, Problem, Where, has_errors
from headrace.config.root import Root, RootT

_MOST_ROUNDS = 4
_MOST_FAULTS = 200
_DEEPEST = 32
_MOST_BYTES = 64 * 1024**2
_SYNTAX_PLACE = re.compile(r" \(at (?:line (\d+), column (\d+)|end of document)\)$")


Warn = Callable[[str], None]
"""Takes the text of each warning about a configuration that can be used."""


def _ignore(_warning: str) -> None:
    """Take a warning that nobody is there to read."""


def load_config(path: Path, root: Root[RootT], *, warn: Warn = _ignore) -> RootT:
    """Return the configuration in a TOML file, from whose directory its relative paths start.

    Raises ConfigError, with every problem found, when it cannot be read or used.
    """
    try:
        with path.open("rb") as file:
            read = file.read(_MOST_BYTES + 1)
        if len(read) > _MOST_BYTES:
            raise _unreadable(f"larger than {_MOST_BYTES >> 20} MiB", path)
        text = read.decode("utf-8")
    except OSError as error:
        raise _unreadable(f"cannot be read: {error.strerror}", path) from error
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise _unreadable("not UTF-8 text", f"{path}:{line}") from error
    return parse_config(text, str(path), root, base=path.absolute().parent, warn=warn)


def parse_config(
    text: str, name: str, root: Root[RootT], *, base: Path, warn: Warn = _ignore
) -> RootT:
    """Return the configuration in a TOML text; `name` stands for the file in messages.

    `base` is where relative paths start. Raises ConfigError.
    """
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise _syntax_error(error, text, name) from error
    except (ValueError, RecursionError):  # a number of thousands of digits, or brackets
        raise _beyond_bounds(name) from None
    if not _is_within_bounds(document):
        raise _beyond_bounds(name)
    return validate_document(document, root, _lines_of(text, name), base=base, warn=warn)


def validate_document(
    document: dict[str, Any],
    root: Root[RootT],
    where: Where,
    *,
    base: Path,
    warn: Warn = _ignore,
) -> RootT:
    """Return the configuration in a document keyed as in TOML.

    Raises ConfigError with all problems.
    """
    todays, former = in_todays_words(document, root)
    renamed = explain_renamed(former, document, root)
    config: RootT | None = None
    try:
        config = _validated(todays, root, base)
    except ValidationError as error:
        problems = explain(error.errors(include_url=False), todays, root)
        faulty = [problem.path for problem in problems]
        problems += _inconsistencies_beside(todays, root, faulty, base)
    else:
        problems = list(root.inconsistencies(config))
    problems = [replace(found, path=as_written(found.path, former)) for found in problems]
    in_order = sorted([*renamed, *problems], key=lambda found: _place(document, found.path))
    if config is None or renamed or has_errors(problems):
        raise ConfigError(in_order, where)
    for problem in in_order:
        warn(problem.text(where))
    return config


def _place(document: object, path: TomlPath) -> tuple[int, ...]:
    """Return what sorts paths as the document has them; what is missing comes before the rest."""
    place = []
    for part in path:
        if isinstance(document, dict) and part in document:
            place.append(list(document).index(part))
        elif isinstance(document, list) and isinstance(part, int) and part < len(document):
            place.append(part)
        else:
            return (*place, -1)
        document = document[part]  # type: ignore[index]  # a dict or a list, as just seen
    return tuple(place)


def check_machine(config: RootT, root: Root[RootT], path: Path, warn: Warn = _ignore) -> None:
    """Check that this machine has what the configuration in the file at `path` asks of it.

    Raises ConfigError, with the file's lines, when anything is missing that it needs.
    """
    found = root.machine_problems(config)
    if has_errors(found):
        refuse(found, path)
    where = _lines_of(path.read_text(encoding="utf-8"), str(path)) if found else None
    for problem in found:
        assert where is not None
        warn(problem.text(where))


def refuse(found: Sequence[Problem], path: Path) -> None:
    """Refuse the configuration in the file at `path` if there is a problem.

    Raises ConfigError, with the file's lines.
    """
    if found:
        raise ConfigError(found, _lines_of(path.read_text(encoding="utf-8"), str(path)))


def _lines_of(text: str, name: str) -> Where:
    """Return what names the line of a path in a TOML text that is valid."""
    lines = locate(text)

    def where(path: TomlPath) -> str:
        return f"{name}:{line_of(path, lines)}"

    return where


def _validated(document: dict[str, Any], root: Root[RootT], base: Path) -> RootT:
    # Through JSON, because strict JSON takes paths as text and still refuses `workers = true`.
    text = json.dumps(document, default=str)
    return root.model.model_validate_json(
        text, strict=True, by_alias=True, by_name=False, context={"base": base}
    )


def _inconsistencies_beside(
    document: dict[str, Any], root: Root[RootT], faulty: list[TomlPath], base: Path
) -> list[Problem]:
    """Return the problems between tables that would remain after the faulty values were corrected.

    The faulty values are left out, with the tables that cannot be without them, and what remains
    is judged; judgements that rest on what was left out are not passed. With very many faults
    nothing is judged.
    """
    if len(faulty) > _MOST_FAULTS:
        return []
    remaining = copy.deepcopy(document)
    left_out: list[TomlPath] = []
    for _ in range(_MOST_ROUNDS):
        for path in sorted(faulty, key=_deepest_and_last_first):
            left_out.append(_remove(remaining, path))
        if () in left_out:
            return []
        try:
            config = _validated(remaining, root, base)
        except ValidationError as error:
            faulty = [one.path for one in explain(error.errors(include_url=False), remaining, root)]
            continue
        return [
            problem
            for problem in root.inconsistencies(config)
            if not any(
                _touches(path, out)
                for path in (problem.path, *problem.concerns)
                for out in left_out
            )
        ]
    return []


def _deepest_and_last_first(path: TomlPath) -> tuple[int, list[int]]:
    return -len(path), [-part for part in path if isinstance(part, int)]


def _remove(document: dict[str, Any], path: TomlPath) -> TomlPath:
    """Take what is at a path out of a document; what is not there cannot be missing, and its table
    is taken out. Return the path of what was taken out; empty: nothing can be.
    """
    tables: list[Any] = [document]
    for part in path[:-1]:
        below = tables[-1]
        if not _has(below, part):
            break
        tables.append(below[part])
    length = min(len(tables), len(path))
    while length and not _has(tables[length - 1], path[length - 1]):
        length -= 1
    if length:
        del tables[length - 1][path[length - 1]]
    return path[:length]


def _has(table: Any, key: str | int) -> bool:
    if isinstance(table, list):
        return isinstance(key, int) and key < len(table)
    return isinstance(table, dict) and key in table


def _touches(path: TomlPath, fault: TomlPath) -> bool:
    if not any(isinstance(part, int) for part in path):  # all elements are meant
        keys = tuple(part for part in fault if isinstance(part, str))
        return path[: len(keys)] == keys[: len(path)]
    shorter = min(len(path), len(fault))
    if path[:shorter] == fault[:shorter]:
        return True
    # An element that was taken out of an array has shifted those behind it.
    return bool(fault) and isinstance(fault[-1], int) and path[: len(fault) - 1] == fault[:-1]


def _is_within_bounds(document: dict[str, Any]) -> bool:
    """Return whether all whole numbers are such as TOML has, and nothing is nested too deeply."""
    level: list[Any] = [document]
    for _ in range(_DEEPEST):
        below: list[Any] = []
        for value in level:
            if isinstance(value, dict):
                below += value.values()
            elif isinstance(value, list):
                below += value
            elif isinstance(value, int) and not -(2**63) <= value < 2**63:
                return False
        level = below
    return not level


def _beyond_bounds(name: str) -> ConfigError:
    problem = Problem(
        path=(),
        message="not valid TOML: a number beyond 64 bits, or tables or arrays nested more than "
        f"{_DEEPEST} deep",
        remedy="write numbers and tables as the reference has them",
    )
    return ConfigError([problem], lambda _: name)


def _unreadable(message: str, place: Path | str) -> ConfigError:
    problem = Problem(path=(), message=message, remedy="name a readable TOML file in UTF-8")
    return ConfigError([problem], lambda _: str(place))


def _syntax_error(error: tomllib.TOMLDecodeError, text: str, name: str) -> ConfigError:
    complaint = str(error)
    match = _SYNTAX_PLACE.search(complaint)
    if match is None:
        place = name
    elif match[1]:
        place = f"{name}:{match[1]}:{match[2]}"
    else:
        place = f"{name}:{max(len(text.splitlines()), 1)}"
    problem = Problem(
        path=(),
        message=f"not valid TOML: {_SYNTAX_PLACE.sub('', complaint)}",
        remedy="correct the line; texts stand in quotes, and each key stands once in its table",
    )
    return ConfigError([problem], lambda _: place)
