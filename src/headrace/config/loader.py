"""Reads a configuration of any root: a TOML file, or a document with the same keys.

Every problem is reported at once, each with its place. The files that a configuration names
(certificates, directories) are touched only by `check_machine`.
"""

from __future__ import annotations

import copy
import json
import re
import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from headrace.config.explain import explain, explain_renamed
from headrace.config.former_words import as_written, in_todays_words
from headrace.config.locate import TomlPath, line_of, locate
from headrace.config.problems import ConfigError, Problem, Where, has_errors
from headrace.config.root import Root, RootT

_SYNTAX_PLACE = re.compile(r" \(at (?:line (\d+), column (\d+)|end of document)\)$")


def load_config(path: Path, root: Root[RootT]) -> RootT:
    """Return the configuration in a TOML file, from whose directory its relative paths start.

    Raises ConfigError, with every problem found, when it cannot be read or used.
    """
    try:
        text = path.read_bytes().decode("utf-8")
    except OSError as error:
        raise _unreadable(f"cannot be read: {error.strerror}", path) from error
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise _unreadable("not UTF-8 text", f"{path}:{line}") from error
    return parse_config(text, str(path), root, base=path.absolute().parent)


def parse_config(text: str, name: str, root: Root[RootT], *, base: Path) -> RootT:
    """Return the configuration in a TOML text; `name` stands for the file in messages.

    `base` is where relative paths start. Raises ConfigError.
    """
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise _syntax_error(error, text, name) from error
    return validate_document(document, root, _lines_of(text, name), base=base)


def validate_document(
    document: dict[str, Any], root: Root[RootT], where: Where, *, base: Path
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
    if config is None or renamed or has_errors(problems):
        in_order = sorted([*renamed, *problems], key=lambda found: _place(document, found.path))
        raise ConfigError(in_order, where)
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


def check_machine(config: RootT, root: Root[RootT], path: Path) -> None:
    """Check that this machine has what the configuration in the file at `path` asks of it.

    Raises ConfigError, with the file's lines, when anything is missing.
    """
    found = root.machine_problems(config)
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

    The faulty values are left out and what remains is judged; judgements that rest on a value
    left out are not passed.
    """
    remaining = copy.deepcopy(document)
    for path in sorted(faulty, key=_deepest_and_last_first):
        _remove(remaining, path)
    try:
        config = _validated(remaining, root, base)
    except ValidationError:
        return []
    return [
        problem
        for problem in root.inconsistencies(config)
        if not any(
            _touches(path, fault) for path in (problem.path, *problem.concerns) for fault in faulty
        )
    ]


def _deepest_and_last_first(path: TomlPath) -> tuple[int, list[int]]:
    return -len(path), [-part for part in path if isinstance(part, int)]


def _remove(document: dict[str, Any], path: TomlPath) -> None:
    here: Any = document
    for part in path[:-1]:
        if isinstance(here, dict) and part not in here:
            return
        here = here[part]
    if path and isinstance(here, list):
        del here[path[-1]]  # type: ignore[arg-type]  # a list's key is an index
    elif path:
        here.pop(path[-1], None)


def _touches(path: TomlPath, fault: TomlPath) -> bool:
    shorter = min(len(path), len(fault))
    same_array = _arrays(path) & _arrays(fault)
    return path[:shorter] == fault[:shorter] or bool(same_array)


def _arrays(path: TomlPath) -> set[TomlPath]:
    """The arrays that an element was or may be taken out of, which shifts their indexes."""
    return {path[:place] for place, part in enumerate(path) if isinstance(part, int)}


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
