"""What the balance goes by, with defaults for decisions each five seconds."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class BalanceRules:
    """The rules of the balance. Shares are from 0 to 1.

    Weights are worked out each `interval_s`. Clients return to a site only while it is used to
    `release` of its target at most. In one interval no more is moved to a site, or from it, than
    `step` of its capacity, and nothing for less than `least` of one.

    Demand that grows is followed with a time constant of `rise_s`, demand that falls with
    `fall_s`; load that no demand explains with `other_s`, load that is not where the weights should
    have brought it with `correct_s`. Clients follow a weight with the time constant `follow_s`
    (None: the `ttl` of their class). A report counts in full for `hold_s`, then half as much after
    each `decay_s`.
    """

    interval_s: float = 5.0
    release: float = 0.92
    step: float = 0.34
    least: float = 0.01
    rise_s: float = 4.0
    fall_s: float = 15.0
    other_s: float = 15.0
    correct_s: float = 60.0
    follow_s: float | None = None
    hold_s: float = 20.0
    decay_s: float = 30.0


DEFAULT_RULES = BalanceRules()
