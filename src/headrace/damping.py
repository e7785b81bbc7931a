"""Damping of flaps, as RFC 2439 damps routes. Pure.

Each failure of something that served adds to its penalty, which decays by half in each half-life.
Above `suppress` it stays out though it answers, until the penalty is below `reuse`; the
penalty never grows so far that this takes longer than `longest_suppress_s`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

MOST_PENALTY = 1e9


class DampingRules(Protocol):
    """How much each failure counts, and how it is forgotten."""

    @property
    def flap_penalty(self) -> float:
        """What one failure adds."""

    @property
    def half_life_s(self) -> float:
        """In which time half of the penalty goes."""

    @property
    def suppress(self) -> float:
        """The penalty above which it is kept out."""

    @property
    def reuse(self) -> float:
        """The penalty below which it returns."""

    @property
    def longest_suppress_s(self) -> float:
        """How long it is kept out at most without another failure."""


@dataclass(frozen=True, slots=True)
class Flaps:
    """The penalty of a server, or of what it serves, and whether it is kept out."""

    penalty: float = 0.0
    suppressed: bool = False


NO_FLAPS = Flaps()
_NEGLIGIBLE = 1.0


def decayed(flaps: Flaps, elapsed_s: float, rules: DampingRules) -> Flaps:
    """Return what is left after a time; of no more than the ceiling."""
    if not flaps.penalty and not flaps.suppressed:
        return flaps
    penalty: float = flaps.penalty * 0.5 ** (elapsed_s / rules.half_life_s)
    penalty = min(penalty, ceiling(rules))
    if penalty < _NEGLIGIBLE:
        return Flaps()
    return Flaps(penalty, flaps.suppressed and penalty >= rules.reuse)


def flapped(flaps: Flaps, rules: DampingRules) -> Flaps:
    """Return what is left after one more failure. A ceiling below `suppress` takes its place."""
    most = ceiling(rules)
    penalty = min(flaps.penalty + rules.flap_penalty, most)
    return Flaps(penalty, flaps.suppressed or penalty > min(rules.suppress, 0.999 * most))


def unflapped(flaps: Flaps, rules: DampingRules) -> Flaps:
    """Return what is left when the last failure turns out to have been none."""
    penalty = max(0.0, flaps.penalty - rules.flap_penalty)
    return Flaps(penalty, flaps.suppressed and penalty >= rules.reuse)


def ceiling(rules: DampingRules) -> float:
    """Return the largest penalty: it decays to `reuse` in the longest time of suppression, and
    fits into a memory."""
    doublings = min(rules.longest_suppress_s / rules.half_life_s, 60.0)
    most: float = rules.reuse * 2.0**doublings
    return min(most, MOST_PENALTY)
