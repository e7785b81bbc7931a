"""Puts the learnt prefixes of a network into its coverage, as far as the rules allow. Pure, but for
reading their files.

A learnt prefix comes before the same one of the description: it is written as its two halves, which
are longer. Where the description has a half as well, that one is more specific and stays. Of the
same prefix learnt by two coverages, the first in the description has it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from headrace.config.locate import TomlPath
from headrace.config.problems import Problem, Severity
from headrace.topology.ancestors import Ancestors, parts_of
from headrace.topology.learnt_rules import REMEDIES, Filter, NotTaken
from headrace.topology.model import ClientNetwork, Coverage, Topology
from headrace.topology.prefix_file import PrefixFiles
from headrace.topology.prefix_set import NO_PREFIXES, PrefixSet, set_of_records, text_of


@dataclass(frozen=True, slots=True)
class Taken:
    """The prefixes that are taken, how many are not and why, with the first of each kind."""

    prefixes: PrefixSet = NO_PREFIXES
    refused: Counter[NotTaken] = field(default_factory=Counter)
    first: dict[NotTaken, str] = field(default_factory=dict)


def filter_of(topology: Topology, coverage: Coverage, owners: Ancestors[str] | None) -> Filter:
    """Return the filter of a coverage that learns: for clients of its networks, of the one that
    the site stands in, and of nobody's by the description.
    """
    rules = coverage.learnt
    assert rules is not None
    standing = [one.network for one in topology.sites if one.name == rules.site]
    return Filter(rules, (*coverage.networks, *standing), owners)


def taken(prefixes: PrefixSet, most: int, filtering: Filter) -> Taken:
    """Return which of some prefixes are taken; none of them where they are more than `most`."""
    judge = filtering.prefix
    good: list[bytes] = []
    found = Taken()
    for record in prefixes.records():
        reason = judge(record)
        if reason is None:
            good.append(record)
        else:
            found.refused[reason] += 1
            found.first.setdefault(reason, text_of(record))
    if len(good) > most:
        found.refused[NotTaken.TOO_MANY] += len(good)
        found.first.setdefault(NotTaken.TOO_MANY, f"{len(good)} prefixes")
        good = []
    return replace(found, prefixes=set_of_records(good))


def owners_of(networks: Sequence[ClientNetwork]) -> Ancestors[str]:
    """Return the names of networks by their prefixes."""
    return Ancestors((record, one.name) for one in networks for record in one.prefixes.records())


def with_learnt(topology: Topology, files: PrefixFiles) -> Topology:
    """Return the network with what its files of learnt prefixes have."""
    sets = _sets(topology, files)
    if not any(one.prefixes for one in sets):
        return topology
    every = [*(one.prefixes for one in topology.networks)]
    every += (one.prefixes for one in topology.coverage)
    described = {record for one in every for record in one.records()}
    claimed: set[bytes] = set()
    coverage = []
    for one, found in zip(topology.coverage, sets, strict=True):
        learnt = found.prefixes.records()
        new = [record for record in learnt if record not in claimed]
        claimed.update(new)
        coverage.append(replace(one, prefixes=one.prefixes | _before(new, described, claimed)))
    return replace(topology, coverage=tuple(coverage))


def learnt_problems(topology: Topology, files: PrefixFiles) -> Iterator[Problem]:
    """Yield a warning for each kind of prefix, or file, that is not taken."""
    sets = _sets(topology, files)
    for index, (one, found) in enumerate(zip(topology.coverage, sets, strict=True)):
        if one.learnt is None:
            continue
        path: TomlPath = ("coverage", index, "learnt", "file")
        file = Path(one.learnt.file)
        name = repr(files.name_of(file))
        faults = files.read(file).faults if file.exists() else ()
        if faults:
            fault = faults[0]
            yield Problem(
                path,
                f"nothing is learnt from it: line {fault.line} {fault.message}",
                "remove the file: what is learnt is written to it again",
                name,
                Severity.WARNING,
            )
        for reason, count in found.refused.items():
            yield Problem(
                path,
                f"{count} not taken ({reason}), the first is {found.first[reason]}",
                REMEDIES[reason],
                name,
                Severity.WARNING,
            )


def _sets(topology: Topology, files: PrefixFiles) -> list[Taken]:
    """Return what each coverage takes of its file: nothing of one that is damaged or missing."""
    heard = [_heard(one, files) for one in topology.coverage]
    owners = owners_of(topology.networks) if any(heard) else None
    return [
        taken(prefixes, one.learnt.most, filter_of(topology, one, owners))
        if prefixes and one.learnt is not None
        else Taken()
        for prefixes, one in zip(heard, topology.coverage, strict=True)
    ]


def _heard(coverage: Coverage, files: PrefixFiles) -> PrefixSet:
    file = None if coverage.learnt is None else Path(coverage.learnt.file)
    if file is None or not file.exists():
        return NO_PREFIXES
    read = files.read(file)
    return NO_PREFIXES if read.faults else read.prefixes


def _before(learnt: list[bytes], described: set[bytes], claimed: set[bytes]) -> PrefixSet:
    """Return prefixes that come before the described ones which are equal."""
    found = []
    for record in learnt:
        if record not in described:
            found.append(record)
        else:
            found += [
                half for half in halves_of(record) if half not in described and half not in claimed
            ]
    return set_of_records(found)


def halves_of(record: bytes) -> tuple[bytes, bytes]:
    """Return the two prefixes that a prefix consists of; it is shorter than an address."""
    bits, address, length = parts_of(record)
    size = len(record) - 1
    upper = address | 1 << bits - length - 1
    one, other = (start.to_bytes(size) + bytes([length + 1]) for start in (address, upper))
    return one, other
