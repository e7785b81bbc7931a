"""Connections to origins that are not in use: kept for the next request, within bounds.

Only connections on which nothing can be left over come here (see `response`), and each is looked
at again when it is taken: what came meanwhile was not asked for. They are descriptors, so they are
bounded for each origin and in all, and closed in time even when no request ever comes again.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Collection

from headrace.upstream.endpoint import Endpoint
from headrace.upstream.network import Stream

PER_ORIGIN = 256
IN_ALL = 1024


class IdleConnections:
    """Kept-alive connections by endpoint, the one used last first. One for each worker."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        idle_s: float,
        moved: Callable[[Endpoint, Stream], bool],
        *,
        per_origin: int = PER_ORIGIN,
        in_all: int = IN_ALL,
    ) -> None:
        """`moved` returns whether an endpoint is no longer where this connection leads."""
        self._loop = loop
        self.idle_s = idle_s
        self._moved = moved
        self._per_origin = per_origin
        self._in_all = in_all
        self._kept: dict[Endpoint, deque[tuple[Stream, float]]] = {}
        self._count = 0
        self._timer: asyncio.TimerHandle | None = None
        self._closed = False

    def __len__(self) -> int:
        return self._count

    def take(self, endpoint: Endpoint) -> Stream | None:
        """Return a connection that is alive and on which nothing came unasked; None when there
        is none.

        The request must be sent before anything is awaited, or the check is worth nothing.
        """
        kept = self._kept.get(endpoint)
        oldest = self._loop.time() - self.idle_s
        found = None
        while kept and found is None:
            stream, since = kept.pop()
            self._count -= 1
            if since > oldest and stream.idle_and_alive() and not self._moved(endpoint, stream):
                found = stream
            else:
                stream.close()
        if kept is not None and not kept:
            del self._kept[endpoint]
        return found

    def keep(self, endpoint: Endpoint, stream: Stream) -> None:
        """Keep a connection for later, if there is room; else one that waits longer goes."""
        if self._closed or self.idle_s <= 0 or not self._per_origin:
            stream.close()
            return
        kept = self._kept.setdefault(endpoint, deque())
        if len(kept) >= self._per_origin:
            self._drop_oldest(endpoint)
        elif self._count >= self._in_all:
            self._drop_oldest(min(self._waiting(), key=lambda known: self._kept[known][0][1]))
        # The one that was dropped may have been the endpoint's only one.
        self._kept.setdefault(endpoint, kept).append((stream, self._loop.time()))
        self._count += 1
        if self._timer is None:
            self._timer = self._loop.call_later(self.idle_s, self._sweep)

    def retain(self, endpoints: Collection[Endpoint]) -> None:
        """Close what leads to any other endpoint: a configuration without it is in force."""
        for endpoint in [known for known in self._kept if known not in endpoints]:
            while endpoint in self._kept:
                self._drop_oldest(endpoint)

    def close(self) -> None:
        """Close all, and whatever is still given back later."""
        self._closed = True
        self.retain(())
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _waiting(self) -> list[Endpoint]:
        return [endpoint for endpoint, kept in self._kept.items() if kept]

    def _drop_oldest(self, endpoint: Endpoint) -> None:
        kept = self._kept[endpoint]
        if kept:
            stream, _since = kept.popleft()
            stream.close()
            self._count -= 1
        if not kept:
            del self._kept[endpoint]

    def _sweep(self) -> None:
        self._timer = None
        oldest = self._loop.time() - self.idle_s
        for endpoint in self._waiting():
            while endpoint in self._kept and self._kept[endpoint][0][1] <= oldest:
                self._drop_oldest(endpoint)
        if self._count:
            next_s = min(self._kept[endpoint][0][1] for endpoint in self._waiting()) - oldest
            self._timer = self._loop.call_later(max(0.1, next_s), self._sweep)
