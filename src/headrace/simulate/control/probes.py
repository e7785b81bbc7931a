"""Probes in a simulation: what each observer sees of each server. Pure but for what it remembers.

Observers that are sound see the same, so that their records are made once. So do those that are
wrong by the same table of a scenario: of the servers that it names, every probe fails.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from headrace.config.scenario.control import BadObserverTable
from headrace.feedback.observation import Observer, Outcome, ProbeRecord, next_record
from headrace.simulate.happenings import names_of
from headrace.simulate.node import Node
from headrace.topology.model import Topology

_GOOD_S = 0.02


def observer_names(count: int) -> tuple[str, ...]:
    """Return the names of so many observers."""
    return tuple(f"observer{number}" for number in range(1, count + 1))


def outcome_of(node: Node) -> Outcome:
    """Return how a probe of a node ends."""
    if not node.is_up:
        return Outcome.TIMEOUT
    if node.gives_wrong:
        return Outcome.WRONG_BYTES
    return Outcome.SLOW if node.is_slow else Outcome.OK


class Probes:
    """All observers' records."""

    def __init__(self, count: int, bad: Sequence[BadObserverTable], topology: Topology) -> None:
        """Raises UnknownServer."""
        self._names = observer_names(count)
        self._sound: dict[str, ProbeRecord] = {}
        self._bad = [_Bad(table, frozenset(names_of(table, topology)), {}) for table in bad]

    def probe(self, nodes: Iterable[Node], now: float) -> None:
        """Let each observer probe each server once."""
        wrong = [bad for bad in self._bad if bad.table.sees == "failures" and bad.lasts(now)]
        for node in nodes:
            name, outcome = node.server.name, outcome_of(node)
            before = self._sound.get(name)
            steady = before is not None and before.successes > _ENOUGH and before.failing < _LITTLE
            if outcome is not Outcome.OK or not steady:
                self._sound[name] = next_record(before, outcome, _GOOD_S, _GOOD_S)
            for bad in wrong:
                if not bad.servers or name in bad.servers:
                    known = bad.records.get(name, before)
                    bad.records[name] = next_record(known, Outcome.TIMEOUT)

    def observers(self, now: float) -> Mapping[str, Observer]:
        """Return what observers say now."""
        seen: dict[str, dict[str, ProbeRecord]] = dict.fromkeys(self._names, self._sound)
        silent: set[str] = set()
        for bad in self._bad:
            if not bad.lasts(now):
                continue
            for name in self._names[-bad.table.count :]:
                if bad.table.sees == "failures":
                    seen[name] = seen[name] | bad.records
                else:
                    silent.add(name)
        return {
            name: Observer(name, 0.0, records)
            for name, records in seen.items()
            if name not in silent
        }


@dataclass(frozen=True, slots=True)
class _Bad:
    """What wrong observers see; `servers` is empty where it is so of all."""

    table: BadObserverTable
    servers: frozenset[str]
    records: dict[str, ProbeRecord]

    def lasts(self, now: float) -> bool:
        """Return whether they are wrong at a time."""
        until_s = self.table.until_s
        return self.table.from_s <= now and (until_s is None or now < until_s)


_ENOUGH = 1000
_LITTLE = 1e-6
