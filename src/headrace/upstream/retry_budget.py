"""How many retries a pool may cause: a share of its requests, so that trouble is not multiplied.

Whatever asks a pool again has to come here, from wherever it is asked: `take` before a retry that
may be left out, `spend` for one that is made in any case (another origin continues in place of
one that failed), `reserve` where a retry may wait its turn. Pure: the time is an argument.
"""

from __future__ import annotations

RESERVE_PER_S = 1.0
LARGEST = 100.0
AT_FIRST = 10.0


class RetryBudget:
    """Retries as a share of requests: each request earns `ratio` of one, and time a little."""

    def __init__(self, ratio: float, before: RetryBudget | None = None) -> None:
        """`before` is the budget under an earlier configuration: what is left of it stays."""
        self.ratio = ratio
        self._tokens: float = AT_FIRST if before is None else before._tokens
        self._at: float | None = None if before is None else before._at

    def request(self, now: float) -> None:
        """Count a request that is no retry."""
        self._tokens = min(LARGEST, self._tokens + self.ratio)
        self._reserve(now)

    def may_retry(self, now: float) -> bool:
        """Return whether one retry more is within the budget. Nothing is spent."""
        self._reserve(now)
        return self._tokens >= 1

    def take(self, now: float) -> bool:
        """Return whether one retry more is within the budget; if so, it is spent."""
        if not self.may_retry(now):
            return False
        self._tokens -= 1
        return True

    def spend(self, now: float) -> None:
        """Note a retry that is not to be refused; those that may be come short by it."""
        self._reserve(now)
        self._tokens = max(min(self._tokens, 0.0), self._tokens - 1)

    def reserve(self, now: float, within_s: float) -> float | None:
        """Return how long to wait until one more retry is within the budget; it is spent already.

        None when that takes longer than `within_s`: then nothing is spent.
        """
        self._reserve(now)
        wait_s = max(0.0, (1 - self._tokens) / RESERVE_PER_S)
        if wait_s >= within_s:
            return None
        self._tokens -= 1
        return wait_s

    def _reserve(self, now: float) -> None:
        # Without it a pool that is seldom asked could never retry.
        gained = 0.0 if self._at is None else max(0.0, now - self._at) * RESERVE_PER_S
        self._at = now
        self._tokens = min(LARGEST, self._tokens + gained)
