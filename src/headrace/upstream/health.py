"""Whether an origin is thought to be alive: active checks, and ejection of outliers. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from headrace.upstream.outliers import Cause, OutlierRule, Window

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


@dataclass(slots=True)
class Health:
    """What is known of one origin."""

    up: bool = True
    good: int = 0  # checks in a row
    bad: int = 0
    rule: OutlierRule = field(default_factory=OutlierRule)
    window: Window = field(default_factory=lambda: Window(OutlierRule()))
    ejections: int = 0
    ejected_until: float = -math.inf
    returned_at: float = -math.inf

    def usable(self, now: float) -> bool:
        """Return whether it can be asked. Notes when an ejection is over."""
        if self.ejected_until > now:
            return False
        self.returned_at = max(self.returned_at, self.ejected_until)
        return self.up

    def checked(self, rule: HealthRule, now: float, *, good: bool) -> bool:
        """Note the result of a health check; return whether the origin went up or down by it."""
        self.good, self.bad = (self.good + 1, 0) if good else (0, self.bad + 1)
        if self.up and self.bad >= rule.fall:
            self.up = False
            return True
        if not self.up and self.good >= rule.rise:
            self.up = True
            self.window = Window(self.rule)
            self.returned_at = now
            return True
        return False

    def judge_by(self, rule: OutlierRule) -> None:
        """Hold requests to this rule from now on. What is known by the same rule stays."""
        if rule != self.rule:
            self.rule = rule
            self.window = Window(rule)

    def succeeded(self, now: float) -> None:
        """Note that a request succeeded."""
        self.window.succeeded(now)
        self.ejections = 0

    def failed(self, now: float, cause: Cause | None, *, may_eject: bool) -> bool:
        """Note a failed request; return whether the origin is ejected for it.

        Each ejection is longer than the one before, until a request succeeds.
        """
        if not self.window.failed(now, cause) or not may_eject or self.ejected_until > now:
            return False
        self.window = Window(self.rule)
        self.ejections = min(self.ejections + 1, LONGEST_EJECTIONS)
        self.ejected_until = now + self.rule.ejection_s * self.ejections
        return True
