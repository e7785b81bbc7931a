"""Why weights are what they are: the values on the way from what was observed, for people. Pure."""

from __future__ import annotations

import msgspec

_ROUNDS_UP = 0.0005
"""What is less than this below a unit would be written as 1,000 of the next smaller one."""
_THREE_DIGITS = 999.5


class SiteLoad(msgspec.Struct, frozen=True):
    """A site as the balance sees it, in bits per second.

    `measured_bps` is what its servers say that they send; `described_bps` what it would send if
    nothing were moved, `planned_bps` what it will when all have gone where they are sent. Both have
    `other_bps`, load that is no client's, and `drift_bps`, what is there beside what should be.
    """

    site: str
    capacity_bps: float
    target_bps: float
    measured_bps: float
    described_bps: float
    planned_bps: float
    other_bps: float
    drift_bps: float
    told: float

    def says(self) -> str:
        """Return it in a sentence."""
        words = [
            f"{self.site} sends {_rate(self.measured_bps)} of {_rate(self.capacity_bps)}",
            f"is to send {_rate(self.target_bps)} at most",
            f"would send {_rate(self.described_bps)} if nothing were moved",
            f"and {_rate(self.planned_bps)} as clients are sent now",
        ]
        if self.other_bps >= 1e6:
            words.append(f"{_rate(self.other_bps)} of that is no client's")
        if abs(self.drift_bps) >= 1e6:
            words.append(f"{_rate(self.drift_bps)} of that is beside what weights should bring")
        if self.told < 0.99:
            words.append(f"{self.told:.0%} of its servers report")
        return ", ".join(words)


class Moved(msgspec.Struct, frozen=True):
    """Clients of a coverage, with classes of a reach, that are sent to other sites than the
    description has them, and why: from which sites, to which."""

    coverage: str
    reach: str
    demand_bps: float
    described: dict[str, float]
    weights: dict[str, float]
    arrived: dict[str, float]
    best: dict[str, float]

    def says(self) -> str:
        """Return it in a sentence."""
        gone = [
            f"{self.described[site] - self.weights.get(site, 0.0):.1%} from {site}"
            for site in self.described
            if self.described[site] > self.weights.get(site, 0.0) + 1e-4
        ]
        come = [
            f"{share - self.described.get(site, 0.0):.1%} to {site}"
            for site, share in self.weights.items()
            if share > self.described.get(site, 0.0) + 1e-4
        ]
        far = ", ".join(f"{site} {share:.1%}" for site, share in self.arrived.items())
        moves = f"{', '.join(gone)}, {', '.join(come)}" if gone else "nothing any more"
        return (
            f"coverage {self.coverage} ({self.reach}) wants {_rate(self.demand_bps)}; moved: "
            f"{moves}; arrived so far: {far}"
        )


class BalanceExplanation(msgspec.Struct, frozen=True):
    """What a step of the balance came to. `level` is how far beyond their targets sites had to be
    filled: 0 not at all, 1 to their capacities, above 1 beyond those (None: nothing helped).
    `applied`: the weights are in the view; else this is what they would be.
    """

    applied: bool
    level: float | None
    sites: tuple[SiteLoad, ...]
    moved: tuple[Moved, ...]

    def of_site(self, site: str) -> tuple[SiteLoad | None, tuple[Moved, ...]]:
        """Return a site's loads, and what was moved from it or to it."""
        load = next((one for one in self.sites if one.site == site), None)
        touched = tuple(one for one in self.moved if site in one.described or site in one.weights)
        return load, touched


def _rate(bps: float) -> str:
    """Return a rate in the unit in which it is a number from 1 to 1,000."""
    for unit, size in (("Gb/s", 1e9), ("Mb/s", 1e6), ("kb/s", 1e3)):
        if abs(bps) >= size * (1 - _ROUNDS_UP):
            return f"{_digits(bps / size)} {unit}"
    return f"{_digits(bps)} b/s"


def _digits(number: float) -> str:
    return f"{number:.3g}" if abs(number) < _THREE_DIGITS else f"{number:.0f}"
