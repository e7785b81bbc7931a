"""Checks of the prefixes of a description: each by itself, and whether two claim the same.

Of two prefixes that overlap, the longer one comes first, so that only an equal one leaves it open
whose a client is.
"""

from __future__ import annotations

import operator
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from headrace.config.locate import TomlPath
from headrace.config.network.model import NetworkConfig
from headrace.config.network.places import CoverageTable, NetworkTable
from headrace.config.problems import Problem, Severity
from headrace.topology.prefix_file import (
    MOST_PREFIXES,
    PrefixFiles,
    lines_of_prefixes,
)
from headrace.topology.prefix_set import PrefixSet, record_of, set_of_records, text_of

_MOST_SHOWN = 20


@dataclass(frozen=True, slots=True)
class Claim:
    """The prefixes that a network, or a coverage itself, has. `coverage` is the place of the
    coverage that they are of in the end (None: of none).
    """

    key: str
    index: int
    name: str
    prefixes: PrefixSet
    inline: Sequence[str]
    file: Path | None
    coverage: int | None


def prefix_problems(config: NetworkConfig, files: PrefixFiles) -> Iterator[Problem]:
    """Yield every such problem; warnings are among them."""
    for index, network in enumerate(config.networks):
        yield from _of_table(("network", index), network, files)
    for index, coverage in enumerate(config.coverage):
        yield from _of_table(("coverage", index), coverage, files)
    claims = list(_claims(config, files))
    if sum(len(claim.prefixes) for claim in claims) > MOST_PREFIXES:
        yield Problem(
            path=("network",),
            message=f"more than {MOST_PREFIXES} prefixes in all",
            remedy="leave out what is covered by shorter prefixes of the same network",
        )
    else:
        yield from _claimed_twice(config, claims, files)


def prefixes_of(table: NetworkTable | CoverageTable, files: PrefixFiles) -> PrefixSet:
    """Return all prefixes of a table; what is no prefix is left out."""
    inline = set_of_records([record for record in map(_record_or_none, table.prefixes) if record])
    if table.prefix_file is None:
        return inline
    return files.read(table.prefix_file).prefixes | inline


def _record_or_none(text: str) -> bytes | None:
    try:
        return record_of(text)
    except ValueError:
        return None


def _of_table(
    path: TomlPath, table: NetworkTable | CoverageTable, files: PrefixFiles
) -> Iterator[Problem]:
    for place, text in enumerate(table.prefixes):
        try:
            record_of(text)
        except ValueError as error:
            message, _, remedy = str(error).partition(": ")
            yield Problem((*path, "prefixes", place), message, remedy, repr(text))
    if table.prefix_file is not None:
        yield from _faults((*path, "prefix_file"), table.prefix_file, files)


def _faults(path: TomlPath, file: Path, files: PrefixFiles) -> Iterator[Problem]:
    read, name = files.read(file), files.name_of(file)
    for fault in read.faults:
        if fault.line:
            place = f"{name}:{fault.line}"
            yield Problem(path, fault.message, fault.remedy, fault.value, place=place)
        else:
            yield Problem(path, fault.message, fault.remedy, repr(name))
    if not read.faults and not read.prefixes:
        yield Problem(
            path,
            "has no prefix",
            "write one prefix a line, or remove prefix_file",
            repr(name),
            Severity.WARNING,
        )


def _claims(config: NetworkConfig, files: PrefixFiles) -> Iterator[Claim]:
    covered = {
        name: index
        for index, coverage in reversed(list(enumerate(config.coverage)))
        for name in coverage.networks
    }
    for index, table in enumerate(config.networks):
        prefixes = prefixes_of(table, files)
        yield Claim(
            "network", index, table.name, prefixes, table.prefixes, table.prefix_file,
            covered.get(table.name),
        )  # fmt: skip
    for index, own in enumerate(config.coverage):
        prefixes = prefixes_of(own, files)
        yield Claim("coverage", index, own.name, prefixes, own.prefixes, own.prefix_file, index)


def _claimed_twice(
    config: NetworkConfig, claims: Sequence[Claim], files: PrefixFiles
) -> Iterator[Problem]:
    every = [record for claim in claims for record in claim.prefixes.records()]
    every.sort()
    if not any(map(operator.eq, every, islice(every, 1, None))):
        return
    twice = {one for one, other in zip(every, islice(every, 1, None), strict=False) if one == other}
    del every
    clashes = list(_clashes(claims, twice))
    shown = clashes[:_MOST_SHOWN]
    places = _places(shown, files)
    for record, claim, first in shown:
        path, place = places[record, claim.key, claim.index]
        yield Problem(
            path=path,
            place=place,
            value=repr(text_of(record)),
            message=_complaint(config, claim, first),
            remedy="leave it in one of them"
            if claim.key == first.key == "network"
            else "leave it in one of them; which sites come first is said by their order",
            concerns=((first.key, first.index),),
        )
    if len(clashes) > len(shown):
        path, _ = places[shown[-1][0], shown[-1][1].key, shown[-1][1].index]
        yield Problem(
            path=path,
            message=f"{len(clashes) - len(shown)} more prefixes are there twice",
            remedy="correct these first",
        )


def _complaint(config: NetworkConfig, claim: Claim, first: Claim) -> str:
    if claim.key == first.key == "network":
        return f"network {first.name!r} has this prefix already"
    coverage = config.coverage[first.coverage or 0].name
    by = f", by its network {first.name!r}" if first.key == "network" else ""
    return f"coverage {coverage!r} has this prefix already{by}"


def _clashes(claims: Sequence[Claim], twice: set[bytes]) -> Iterator[tuple[bytes, Claim, Claim]]:
    """Yield each prefix that a claim has though one before it has it too."""
    earlier: dict[bytes, list[Claim]] = {}
    for claim in claims:
        for record in claim.prefixes.records():
            if record not in twice:
                continue
            for first in earlier.setdefault(record, []):
                if _exclude(first, claim):
                    yield record, claim, first
                    break
            earlier[record].append(claim)


def _exclude(first: Claim, second: Claim) -> bool:
    if first.key == second.key == "network":
        return True
    return first.coverage is not None and first.coverage != second.coverage


def _places(
    clashes: Sequence[tuple[bytes, Claim, Claim]], files: PrefixFiles
) -> dict[tuple[bytes, str, int], tuple[TomlPath, str | None]]:
    """Return where each of these prefixes is written: the path, or the place in a file."""
    places: dict[tuple[bytes, str, int], tuple[TomlPath, str | None]] = {}
    in_files: dict[Path, dict[bytes, int]] = {}
    for _, claim, _ in clashes:
        if claim.file is not None and claim.file not in in_files:
            wanted = [record for record, other, _ in clashes if other.file == claim.file]
            in_files[claim.file] = lines_of_prefixes(claim.file, wanted)
    for record, claim, _ in clashes:
        path: TomlPath = (claim.key, claim.index, "prefix_file")
        place = None
        inline = [_record_or_none(text) for text in claim.inline]
        if record in inline:
            path = (claim.key, claim.index, "prefixes", inline.index(record))
        elif claim.file is not None and record in in_files[claim.file]:
            place = f"{files.name_of(claim.file)}:{in_files[claim.file][record]}"
        places[record, claim.key, claim.index] = path, place
    return places
