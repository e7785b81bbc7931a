"""Probes in a simulation: what each observer sees of each server. Pure but for what it remembers.

Observers that are sound see the same, so that their records are made once.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from headrace.config.scenario.control import BadObserverTable
from headrace.feedback.observation import Observer, Outcome, ProbeRecord, next_record
from headrace.simulate.node import Node

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

    def __init__(self, count: int, bad: Sequence[BadObserverTable]) -> None:
        self._names = observer_names(count)
        self._bad = bad
        self._sound: dict[str, ProbeRecord] = {}
        self._unsound: dict[str, ProbeRecord] = {}

    def probe(self, nodes: Iterable[Node]) -> None:
        """Let each observer probe each server once."""
        for node in nodes:
            name, outcome = node.server.name, outcome_of(node)
            before = self._sound.get(name)
            steady = before is not None and before.successes > _ENOUGH and before.failing < _LITTLE
            if outcome is not Outcome.OK or not steady:
                self._sound[name] = next_record(before, outcome, _GOOD_S, _GOOD_S)
            if self._bad:
                self._unsound[name] = next_record(self._unsound.get(name), Outcome.TIMEOUT)

    def observers(self, now: float) -> Mapping[str, Observer]:
        """Return what observers say now."""
        failing: set[str] = set()
        silent: set[str] = set()
        for one in self._bad:
            if one.from_s <= now and (one.until_s is None or now < one.until_s):
                names = self._names[-one.count :]
                (failing if one.sees == "failures" else silent).update(names)
        return {
            name: Observer(name, 0.0, self._unsound if name in failing else self._sound)
            for name in self._names
            if name not in silent
        }


_ENOUGH = 1000
_LITTLE = 1e-6
