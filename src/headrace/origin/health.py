"""Whether an origin is thought to be alive: active checks, and ejection of outliers. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass

LONGEST_EJECTIONS = 8


@dataclass(frozen=True, slots=True)
class HealthRule:
    """A health check: a GET of `path` each `interval_s` that is to bring one of `statuses`.

    `body` must be part of the body, if given. `rise` checks in a row bring an origin back, `fall`
    take it out.
    """

    path: bytes
    interval_s: float = 5.0
    timeout_s: float = 2.0
    statuses: frozenset[int] = frozenset((200,))
    body: bytes | None = None
    rise: int = 2
    fall: int = 3


@dataclass(frozen=True, slots=True)
class OutlierRule:
    """Failures in a row that eject an origin, for how long at first, and which share of a pool
    may be ejected at most. `failures` 0: never."""

    failures: int = 5
    ejection_s: float = 10.0
    most: float = 0.5


@dataclass(slots=True)
class Health:
    """What is known of one origin."""

    up: bool = True
    good: int = 0  # checks in a row
    bad: int = 0
    failures: int = 0  # requests in a row
    ejections: int = 0
    ejected_until: float = -math.inf
    returned_at: float = -math.inf

    def usable(self, now: float) -> bool:
        """Whether it can be asked. Notes when an ejection is over."""
        if self.ejected_until > now:
            return False
        self.returned_at = max(self.returned_at, self.ejected_until)
        return self.up

    def checked(self, rule: HealthRule, now: float, *, good: bool) -> bool:
        """Take in the result of a health check; whether the origin went up or down by it."""
        self.good, self.bad = (self.good + 1, 0) if good else (0, self.bad + 1)
        if self.up and self.bad >= rule.fall:
            self.up = False
            return True
        if not self.up and self.good >= rule.rise:
            self.up = True
            self.failures = 0
            self.returned_at = now
            return True
        return False

    def succeeded(self) -> None:
        self.failures = 0
        self.ejections = 0

    def failed(self, rule: OutlierRule, now: float, *, may_eject: bool) -> bool:
        """Take in a failed request; whether the origin is ejected for it.

        Each ejection is longer than the one before, until a request succeeds.
        """
        self.failures += 1
        if not rule.failures or self.failures < rule.failures:
            return False
        if not may_eject or self.ejected_until > now:
            return False
        self.failures = 0
        self.ejections = min(self.ejections + 1, LONGEST_EJECTIONS)
        self.ejected_until = now + rule.ejection_s * self.ejections
        return True
