"""Whether a VIP can be served from here: what checks of it in a row come to. Pure.

A check that fails for certain (nothing listens, another certificate, other bytes) counts at once;
one that may be chance (nothing in time) must come `failures` times in a row. At the start, and
after a failure, it takes `successes` checks in a row that found the VIP served. Flaps are damped: a
VIP that fails again and again is sound, but `damped`, until its penalty is forgotten.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass

from headrace.damping import NO_FLAPS, Flaps, decayed, flapped


class Found(enum.Enum):
    """What one check found: the VIP is served, something is wrong with it though it is, it may not
    be served, it is not served for certain."""

    PASSED = "passed"
    IMPAIRED = "impaired"
    DOUBTFUL = "doubtful"
    FAILED = "failed"


class Soundness(enum.Enum):
    """What checks come to. Only what is sound or degraded may be announced."""

    UNKNOWN = "unknown"
    SOUND = "sound"
    DEGRADED = "degraded"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class HealthRules:
    """Counts of checks in a row, for how long a check counts, and the rules of damping: with the
    defaults, the third failure within half a minute damps for about two minutes.
    """

    failures: int = 2
    impairments: int = 3
    successes: int = 3
    check_age_s: float = 5.0
    flap_penalty: float = 1000.0
    half_life_s: float = 60.0
    suppress: float = 2500.0
    reuse: float = 750.0
    longest_suppress_s: float = 300.0


HEALTH_RULES = HealthRules()


@dataclass(frozen=True, slots=True)
class Health:
    """What checks of a VIP have come to. `alike` counts how many in a row found what the last one
    did, `served` how many in a row found it served; `at` is when the last one ended (None: there
    was none), `why` what it said; `since` is when the soundness last changed.
    """

    soundness: Soundness = Soundness.UNKNOWN
    last: Found = Found.FAILED
    alike: int = 0
    served: int = 0
    at: float | None = None
    since: float = 0.0
    why: str = ""
    flaps: Flaps = NO_FLAPS


@dataclass(frozen=True, slots=True)
class Verdict:
    """What may be said of a VIP at a moment, for how long it has been so, and the words of the
    check that says so.
    """

    soundness: Soundness
    damped: bool = False
    why: str = ""
    for_s: float = 0.0


def checked(
    health: Health, found: Found, why: str, now: float, rules: HealthRules = HEALTH_RULES
) -> Health:
    """Return what is known after a check that ended now."""
    old = _is_old(health, now, rules)
    before = Soundness.UNKNOWN if old else health.soundness
    alike = health.alike + 1 if found is health.last and not old else 1
    served = 0
    if found in (Found.PASSED, Found.IMPAIRED):
        served = 1 if old else health.served + 1
    after = _after(before, found, alike, served, rules)
    flaps = decayed(health.flaps, _elapsed_s(health, now), rules)
    if after is Soundness.FAILED and before in _GOOD:
        flaps = flapped(flaps, rules)
    since = health.since if after is health.soundness and not old else now
    return Health(after, found, alike, served, now, since, why, flaps)


def verdict(health: Health, now: float, rules: HealthRules = HEALTH_RULES) -> Verdict:
    """Return what checks say at a time: nothing, where the last one is old."""
    if _is_old(health, now, rules):
        return Verdict(Soundness.UNKNOWN, why="not checked lately" if health.at else "not checked")
    flaps = decayed(health.flaps, _elapsed_s(health, now), rules)
    return Verdict(health.soundness, flaps.suppressed, health.why, max(0.0, now - health.since))


_GOOD = frozenset({Soundness.SOUND, Soundness.DEGRADED})


def _is_old(health: Health, now: float, rules: HealthRules) -> bool:
    return health.at is None or abs(now - health.at) > rules.check_age_s


def _elapsed_s(health: Health, now: float) -> float:
    return 0.0 if health.at is None else max(0.0, now - health.at)


def _after(
    before: Soundness, found: Found, alike: int, served: int, rules: HealthRules
) -> Soundness:
    if found is Found.FAILED:
        return Soundness.FAILED
    if before not in _GOOD:
        if found is Found.DOUBTFUL:
            return Soundness.FAILED
        if served < rules.successes:
            return before
        return Soundness.SOUND if found is Found.PASSED else Soundness.DEGRADED
    match found:
        case Found.DOUBTFUL if alike >= rules.failures:
            return Soundness.FAILED
        case Found.IMPAIRED if alike >= rules.impairments:
            return Soundness.DEGRADED
        case Found.PASSED if alike >= rules.successes:
            return Soundness.SOUND
    return before
