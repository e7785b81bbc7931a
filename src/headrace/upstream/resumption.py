"""Whom to ask for the rest of a body that broke off, and when. Pure: time and chance are arguments.

What must hold: a client that has a part of the body is not cut while bytes keep coming and any
origin of the pool may be able to continue. One that just failed may be able to a moment later; so
origins are asked in rounds, none twice in a round, with a pause of random length before each
further one. An origin whose body turned out to be another one is left out for as long as nothing
more has come.

What bounds it: without a byte, three rounds and the retry policy's total time. Two rounds are free
for each `COUNTED_BYTES` of the body, and are noted in the pool's retry budget all the same; what
goes beyond is paid from the budget, and waits for it. In two rounds even one that fails every other
time has its turn.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass

from headrace.upstream.errors import Failure
from headrace.upstream.pool import PoolState
from headrace.upstream.retry import FailureOrStatus, RetryPolicy, Stop, Try, backoff_s

FREE_ROUNDS = 2
MOST_ROUNDS = 3
COUNTED_BYTES = 64 * 1024
NO_ROOM_PAUSE_S = 0.05
RANGE_NOT_SATISFIABLE = 416  # its body is shorter than what was sent already


@dataclass(frozen=True, slots=True)
class Wait:
    """No origin has room just now: ask the plan again after a pause."""

    pause_s: float


class Resumption:
    """The plan for one body. Begin with `broke`; then comes `failed`, or `broke` again."""

    def __init__(
        self,
        state: PoolState,
        retry: RetryPolicy,
        key: bytes,
        chance: Callable[[], float],
        tried: Collection[int] = (),
    ) -> None:
        """`tried` are the origins that failed just before the body began."""
        self._state = state
        self._retry = retry
        self._key = key
        self._chance = chance
        self._tried = set(tried)
        self._other: set[int] = set()  # have another body
        self._free = FREE_ROUNDS * len(state.pool.origins)
        self._rounds = 0  # begun since the last byte
        self._counted_bytes = 0
        self._since: float | None = None

    def broke(self, origin: int, got_bytes: int, now: float) -> Try | Wait | Stop:
        """Return what to do after `origin` gave so many bytes of the body and then broke off."""
        self._tried.add(origin)
        if self._since is None or got_bytes:
            self._since = now
        if got_bytes:
            self._rounds = 0
            self._counted_bytes += got_bytes
        if self._counted_bytes >= COUNTED_BYTES:
            self._counted_bytes = 0
            self._free = FREE_ROUNDS * len(self._state.pool.origins)
            self._other.clear()
            if self._state.all_asked(self._tried):
                self._tried = {origin}  # the others had time enough to recover
        return self.again(now)

    def failed(self, origin: int, reason: FailureOrStatus, now: float) -> Try | Wait | Stop:
        """Return what to do after `origin` could not continue."""
        self._tried.add(origin)
        if reason in (Failure.OTHER_BODY, RANGE_NOT_SATISFIABLE):
            self._other.add(origin)
        return self.again(now)

    def again(self, now: float) -> Try | Wait | Stop:
        """Return the next step; after a `Wait`, what to do now."""
        assert self._since is not None
        left_s = self._since + self._retry.total_s - now
        if left_s <= 0:
            return Stop.TIME
        if self._state.all_asked(self._other):
            return Stop.OTHER
        pause_s = 0.0
        tried, rounds = self._tried | self._other, self._rounds
        if self._state.all_asked(tried):
            rounds += 1
            if rounds > MOST_ROUNDS:
                return Stop.TRIES
            pause_s = backoff_s(self._retry, rounds) * self._chance()
            tried = self._other
        chosen = self._choose(tried, now)
        if chosen is None:
            return Wait(min(NO_ROOM_PAUSE_S, left_s))
        paid_s = self._pay(chosen, now, left_s)
        if paid_s is None:
            return Stop.BUDGET
        pause_s = max(pause_s, paid_s)
        if pause_s >= left_s:
            return Stop.TIME
        self._tried, self._rounds = set(tried - self._other), rounds
        return Try(chosen, pause_s, left_s - pause_s)

    def _choose(self, tried: Collection[int], now: float) -> int | None:
        chosen = self._state.choose(self._key, now, self._chance(), tried)
        if chosen is None and tried != self._other:
            # Those that are left have no room: once more among all.
            chosen = self._state.choose(self._key, now, self._chance(), self._other)
        return chosen

    def _pay(self, chosen: int, now: float, left_s: float) -> float | None:
        """Return how long to wait until this ask is paid for; None when it cannot be."""
        free = self._free > 0
        self._free -= free
        return self._state.pay(chosen, now, left_s, free=free)
