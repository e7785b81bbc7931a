"""When a request is tried again, and when not any more. Pure: time and chance are arguments.

The same origin is not asked twice while another is untried; only when all have been asked is there
a pause, of random length (full jitter). Retries are bounded by a count, a total time, and a budget
that all requests to a pool share, so that a pool that is down is not stormed as well. The budget is
never a reason not to ask another origin in place of a switching one; it is charged all the same.

This is the plan until a response begins; for the rest of its body see `resumption`.
"""

from __future__ import annotations

import enum
from collections.abc import Callable
from dataclasses import dataclass, field

import msgspec

from headrace.reasons import Reason
from headrace.upstream.errors import Failure
from headrace.upstream.pool import PoolState

BEFORE_BODY = frozenset(
    (
        Failure.DNS, Failure.CONNECT_REFUSED, Failure.CONNECT_TIMEOUT, Failure.TLS, Failure.SEND,
        Failure.HEAD_TIMEOUT, Failure.HEAD_RESET, Failure.BAD_HEAD,
    )
)  # fmt: skip

FailureOrStatus = Failure | int
"""Why a try brought nothing: a failure, or a response's status."""


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How requests are retried. `tries` None: as many as the pool has origins.

    A response's body has to come at `min_rate_bytes_per_s` over each `stall_s` (None: whatever the
    time limit between two bytes is).
    """

    name: str = "default"
    failures: frozenset[Failure] = BEFORE_BODY
    statuses: frozenset[int] = frozenset((500, 502, 503, 504))
    tries: int | None = None
    backoff_s: float = 0.1
    backoff_most_s: float = 2.0
    total_s: float = 30.0
    min_rate_bytes_per_s: float = 0.0
    stall_s: float | None = None

    def covers(self, reason: FailureOrStatus) -> bool:
        """Return whether the retry policy retries after this."""
        if isinstance(reason, Failure):
            return reason in self.failures
        return reason in self.statuses


def is_failed_status(status: int) -> bool:
    """Return whether a status says that the origin itself is in trouble."""
    return status >= 500


class Stop(enum.Enum):
    """Why there is no further try; the values are words for the log."""

    NOT_COVERED = Reason.NOT_RETRIED.word
    NOT_REPEATABLE = Reason.NOT_REPEATABLE.word
    TRIES = Reason.TRIES_SPENT.word
    TIME = Reason.TIME_SPENT.word
    BUDGET = Reason.RETRY_BUDGET_SPENT.word
    NO_ORIGIN = Reason.NO_ORIGIN_FREE.word
    OTHER = Reason.NO_ORIGIN_HAS_IT.word


class Try(msgspec.Struct, frozen=True):
    """Ask this origin, after a pause. The try may take `limit_s` (None: as the client's
    limits)."""

    origin: int
    pause_s: float = 0.0
    limit_s: float | None = None


def backoff_s(retry: RetryPolicy, rounds: int) -> float:
    """Return the longest pause before a further round through the origins, the first being 1."""
    return min(retry.backoff_most_s, retry.backoff_s * 2.0 ** min(rounds - 1, 30))


@dataclass(slots=True)
class Attempts:
    """The tries of one request. Begin with `first`; after each that failed, ask `after`.

    `again` says that the request itself is a retry, of whoever makes it: the budget may refuse it.
    """

    state: PoolState
    retry: RetryPolicy
    key: bytes
    repeatable: bool
    began: float
    chance: Callable[[], float]
    tried: set[int] = field(default_factory=set)
    count: int = 0
    rounds: int = 0
    again: bool = False

    def first(self, now: float) -> Try | Stop:
        """Return the first origin to ask."""
        if not self.again:
            self.state.budget.request(now)
        elif not self.state.budget.take(now):
            return Stop.BUDGET
        return self._next(now, 0.0)

    def after(self, origin: int, reason: FailureOrStatus, now: float) -> Try | Stop:
        """Return what to do after `origin` failed like this."""
        switching = self._switches(origin, reason)
        if not switching and not self.retry.covers(reason):
            return Stop.NOT_COVERED
        if not self.repeatable:
            return Stop.NOT_REPEATABLE
        size = len(self.state.pool.origins)
        most = max(self.retry.tries or size, size if switching else 1)
        if self.count >= most:
            return Stop.TRIES
        if now - self.began >= self.retry.total_s:
            return Stop.TIME
        everyone = len(self.tried) >= size
        if switching and not everyone:
            self.state.budget.spend(now)
        elif not self.state.budget.take(now):
            return Stop.BUDGET
        pause_s = 0.0
        if everyone:
            self.rounds += 1
            pause_s = backoff_s(self.retry, self.rounds) * self.chance()
            pause_s = min(pause_s, max(0.0, self._left_s(now)))
            self.tried.clear()
        return self._next(now, pause_s)

    def _left_s(self, now: float) -> float:
        return self.retry.total_s - (now - self.began)

    def _switches(self, origin: int, reason: FailureOrStatus) -> bool:
        """Return whether switching overrides the retry policy: for failures, and their statuses."""
        origins = self.state.pool.origins
        if len(origins) == 1 or not origins[origin].switching:
            return False
        return isinstance(reason, Failure) or is_failed_status(reason)

    def _next(self, now: float, pause_s: float) -> Try | Stop:
        chosen = self.state.choose(self.key, now, self.chance(), self.tried)
        if chosen is None and self.tried:
            # Those that are left have no room: once more among all.
            chosen = self.state.choose(self.key, now, self.chance())
        if chosen is None:
            return Stop.NO_ORIGIN
        self.tried.add(chosen)
        self.count += 1
        if self.count == 1:
            return Try(chosen, pause_s)
        return Try(chosen, pause_s, max(0.001, self._left_s(now) - pause_s))
