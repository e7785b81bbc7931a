"""Which origin of a pool to ask. Pure: the time and chance are arguments.

An origin can be asked when its health checks do not fail, it is not ejected as an outlier, and it
has room for one request more. When no origin is left by that measure, health and ejection are
disregarded: a pool never refuses because of what it merely believes.
"""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Literal

import xxhash

from headrace.http.message import Field
from headrace.upstream.endpoint import Endpoint
from headrace.upstream.health import Health, HealthRule
from headrace.upstream.outliers import Cause, OutlierRule
from headrace.upstream.retry_budget import RetryBudget
from headrace.upstream.signing import Credentials

Choice = Literal["first", "weighted", "consistent"]
Sameness = Literal["etag", "modified", "overlap"]
SLOW_START_FLOOR = 0.1
LOOP_DETECTED = 508
"""What a node answers that finds its own name in Via (RFC 5842 section 7.2). Any client can write
that name there, so it says nothing of the one that answers so."""


@dataclass(frozen=True, slots=True)
class Origin:
    """One origin server of a pool.

    `host` is the Host to send (None: the client's). `concurrent` is how many requests may run at
    once. With `switching`, a response from here that breaks off is continued from another origin.
    """

    name: str
    endpoint: Endpoint
    weight: float = 1.0
    backup: bool = False
    host: bytes | None = None
    headers: tuple[Field, ...] = field(default=(), repr=False)
    credentials: Credentials | None = field(default=None, repr=False)
    concurrent: int = 1024
    switching: bool = True


@dataclass(frozen=True, slots=True)
class Pool:
    """Origins that have the same content.

    `same` is how that is proved when one continues what another began; `overlap_bytes` is for
    "overlap" (see `continuation`). `budget` is the share of requests that may be retries.
    """

    name: str
    origins: tuple[Origin, ...]
    choice: Choice = "first"
    same: Sameness = "etag"
    overlap_bytes: int = 4096
    health: HealthRule | None = None
    outlier: OutlierRule = field(default_factory=OutlierRule)
    slow_start_s: float = 0.0
    budget: float = 0.2


@dataclass(slots=True)
class OriginState:
    """What a worker knows of one origin. `active` requests run now."""

    active: int = 0
    health: Health = field(default_factory=Health)

    def take_place(self) -> Place:
        """Count one request more; whoever takes a place must give it back on every way out."""
        self.active += 1
        return Place(self)


class Place:
    """One of the places at an origin. It can be given back once; more than once is no harm."""

    __slots__ = ("_state",)

    def __init__(self, state: OriginState) -> None:
        self._state: OriginState | None = state

    def give_back(self) -> None:
        """Release the place, once."""
        state, self._state = self._state, None
        if state is not None:
            state.active -= 1


class PoolState:
    """A pool and what a worker knows of its origins."""

    def __init__(self, pool: Pool, before: PoolState | None = None) -> None:
        """`before` is the state under an earlier configuration: what it knew is kept."""
        self.pool = pool
        self.states = [OriginState() for _ in pool.origins]
        self.budget: RetryBudget = RetryBudget(
            pool.budget, None if before is None else before.budget
        )
        if before is not None:
            known = {
                (origin.name, origin.endpoint.authority): state
                for origin, state in zip(before.pool.origins, before.states, strict=True)
            }
            for index, origin in enumerate(pool.origins):
                state = known.get((origin.name, origin.endpoint.authority))
                if state is not None:
                    self.states[index] = state
        for state in self.states:
            state.health.judge_by(pool.outlier)

    @property
    def open_places(self) -> int:
        """Return how many requests run now, with all of its origins."""
        return sum(state.active for state in self.states)

    def choose(
        self, key: bytes, now: float, chance: float, tried: Collection[int] = ()
    ) -> int | None:
        """Return the origin to ask for `key`, by number; None when each is tried or has no room.

        `chance` is from 0 up to 1. Backups come when no other can be asked; origins that are
        thought to be down come last of all.
        """
        open_to_us = [
            index
            for index, origin in enumerate(self.pool.origins)
            if index not in tried and self.states[index].active < origin.concurrent
        ]
        alive = [index for index in open_to_us if self.states[index].health.usable(now)]
        for group in (alive, open_to_us):
            for backup in (False, True):
                found = [i for i in group if self.pool.origins[i].backup is backup]
                if found:
                    return self._pick(found, key, now, chance)
        return None

    def all_asked(self, asked: Collection[int]) -> bool:
        """Return whether each origin is among those that were asked."""
        return len(asked) >= len(self.pool.origins)

    def pay(self, index: int, now: float, within_s: float, *, free: bool) -> float | None:
        """Charge the budget for asking an origin once more; return how long to wait for it.

        None when that takes longer than `within_s`. One that is `free` is noted all the same.
        """
        if free:
            self.budget.spend(now)
            return 0.0
        return self.budget.reserve(now, within_s)

    def group_of(self, index: int) -> str:
        """Return what metrics and the log call those that an origin belongs to: its pool."""
        return self.pool.name

    def is_server(self, index: int) -> bool:
        """Return whether this is no origin, but another server of the network."""
        return False

    def blames(self, index: int, status: int) -> bool:
        """Return whether a status says that the origin itself is in trouble."""
        return status >= 500 and status != LOOP_DETECTED

    def _pick(self, among: list[int], key: bytes, now: float, chance: float) -> int:
        if len(among) == 1 or self.pool.choice == "first":
            return among[0]
        weights = [self.weight(index, now) for index in among]
        if self.pool.choice == "consistent":
            names = [self.pool.origins[index].name for index in among]
            scores = [
                rendezvous(key, name, weight) for name, weight in zip(names, weights, strict=True)
            ]
            return among[scores.index(max(scores))]
        left = chance * sum(weights)
        for index, weight in zip(among, weights, strict=True):
            left -= weight
            if left < 0:
                return index
        return among[-1]

    def weight(self, index: int, now: float) -> float:
        """Return an origin's weight; one that has just returned begins with little (slow start)."""
        weight = self.pool.origins[index].weight
        slow_s = self.pool.slow_start_s
        back_for_s = now - self.states[index].health.returned_at
        if slow_s and back_for_s < slow_s:
            weight *= max(SLOW_START_FLOOR, back_for_s / slow_s)
        return weight

    def succeeded(self, index: int, now: float) -> None:
        """Note that an answer came whole."""
        self.states[index].health.succeeded(now)

    def failed(self, index: int, now: float, cause: Cause | None) -> bool:
        """Note that a request failed; return whether the origin is ejected for it.

        `cause`: who may have caused it.

        Never so many that fewer remain than the rule's floor, and never the last.
        """
        rule = self.pool.outlier
        usable = sum(state.health.usable(now) for state in self.states)
        floor = max(1, math.ceil(len(self.states) * (1 - rule.most)))
        return self.states[index].health.failed(now, cause, may_eject=usable - 1 >= floor)


def rendezvous(key: bytes, name: str, weight: float) -> float:
    """Return the score of an origin for a key: the highest wins (weighted rendezvous hashing,
    Thaler and Ravishankar 1998). Without one origin, only that one's keys move.
    """
    hashed = xxhash.xxh3_64_intdigest(name.encode() + b"\0" + key)
    return -weight / math.log((hashed + 1) / (2**64 + 2))
