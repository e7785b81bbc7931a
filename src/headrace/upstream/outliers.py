"""Whether an origin fails so often that it is better left alone. Pure: the time is an argument.

One client, or one URL, must not be able to take an origin away from the others: many failures can
be caused by a request that the origin chokes on. So what counts is the share of failures among all
requests of the last seconds, and failures that a request can have caused count only when they come
from several paths and several clients. Those that no request can cause (no connection) count alone.

Nothing here grows with the number of requests, paths or clients: sums by tenths of the window, and
the newest few paths and clients, as hashes.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import xxhash

STEPS = 10


@dataclass(frozen=True, slots=True)
class OutlierRule:
    """When an origin is ejected, for how long at first, and which share of a pool at most.

    It takes `failures` within `window_s` that are `share` of the requests there, from `paths`
    different objects and `clients` different networks. `failures` 0: never.
    """

    failures: int = 5
    share: float = 0.5
    window_s: float = 10.0
    paths: int = 3
    clients: int = 3
    ejection_s: float = 10.0
    most: float = 0.5


@dataclass(frozen=True, slots=True)
class Cause:
    """Who may have caused a failure: the object's key and the client's network."""

    key: bytes
    client: str


class Newest:
    """The newest distinct values, as many as matter."""

    __slots__ = ("_at", "_most")

    def __init__(self, most: int) -> None:
        self._most = most
        self._at: dict[int, float] = {}

    def add(self, value: bytes, now: float) -> None:
        """Note one more; the oldest goes when there are too many."""
        hashed = xxhash.xxh3_64_intdigest(value)
        self._at.pop(hashed, None)
        self._at[hashed] = now
        if len(self._at) > self._most:
            del self._at[next(iter(self._at))]

    def all_since(self, since: float) -> bool:
        """Return whether there are as many as matter, none of them older than this."""
        if len(self._at) < self._most:
            return False
        return not self._at or next(iter(self._at.values())) > since


@dataclass(slots=True)
class _Step:
    began: float
    requests: int = 0
    failures: int = 0
    unprovoked: int = 0


class Window:
    """What became of the requests to one origin in the last seconds."""

    __slots__ = ("_clients", "_paths", "_rule", "_steps")

    def __init__(self, rule: OutlierRule) -> None:
        self._rule = rule
        self._steps: deque[_Step] = deque()
        self._paths = Newest(rule.paths)
        self._clients = Newest(rule.clients)

    def succeeded(self, now: float) -> None:
        """Note that a request succeeded."""
        self._step(now).requests += 1

    def failed(self, now: float, cause: Cause | None) -> bool:
        """Note a failure; return whether the origin fails too often. `cause` None: no request can
        have caused it."""
        rule = self._rule
        step = self._step(now)
        step.requests += 1
        step.failures += 1
        if cause is None:
            step.unprovoked += 1
        else:
            self._paths.add(cause.key, now)
            self._clients.add(cause.client.encode(), now)
        failures = sum(step.failures for step in self._steps)
        if not rule.failures or failures < rule.failures:
            return False
        if failures < rule.share * sum(step.requests for step in self._steps):
            return False
        if sum(step.unprovoked for step in self._steps) >= rule.failures:
            return True
        since = now - rule.window_s
        return self._paths.all_since(since) and self._clients.all_since(since)

    def _step(self, now: float) -> _Step:
        steps, rule = self._steps, self._rule
        if not steps or now - steps[-1].began >= rule.window_s / STEPS:
            steps.append(_Step(now))
        while now - steps[0].began >= rule.window_s:
            steps.popleft()
        return steps[-1]
