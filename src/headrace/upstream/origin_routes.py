"""Which pool a request goes to: ordered routes by host, path, type, query and header. Pure.

The client and the cache key see nothing of it. A route may hold for a share of the objects only,
chosen by the key, so that one object always comes from one side.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl

import msgspec
import xxhash

from headrace.http.content import content_of
from headrace.http.hosts import host_matches, host_of
from headrace.http.message import Request
from headrace.http.target import without_dot_segments
from headrace.upstream.pool import PoolState
from headrace.upstream.retry import RetryPolicy
from headrace.upstream.target import Target


@dataclass(frozen=True, slots=True)
class OriginRoute:
    """Conditions, all of which must hold, and where requests go that meet them.

    `path` must match the whole path; what its groups captured can be used in `rewrite` (`\\1`).
    `query` and `headers` are names with a pattern for the value (None: it is enough that it is
    there). `types` are kinds of content or media types (see `content`). `share` is the part of the
    objects that the route is for. `pool` None keeps the service's pool, and the next route is
    tried: of use with `mirror`, the pool that is asked as well, for comparison.
    """

    name: str
    path: re.Pattern[bytes] | None = None
    hosts: tuple[bytes, ...] = ()
    types: frozenset[str] = frozenset()
    query: tuple[tuple[str, re.Pattern[str] | None], ...] = ()
    headers: tuple[tuple[bytes, re.Pattern[bytes] | None], ...] = ()
    share: float = 1.0
    pool: str | None = None
    retry: str | None = None
    rewrite: bytes | None = None
    mirror: str | None = None

    def matches(self, request: Request, key: bytes) -> bool:
        """Return whether the route is for this request. `key` is the cache key, for `share`."""
        if self.hosts:
            host = host_of(request.authority)
            if not any(host_matches(pattern, host) for pattern in self.hosts):
                return False
        if self.types and not content_of(request.path).is_one_of(self.types):
            return False
        if self.path is not None and self.path.fullmatch(request.path) is None:
            return False
        if self.query and not self._query_matches(request.query):
            return False
        for name, pattern in self.headers:
            value = request.headers.get(name)
            if value is None or (pattern is not None and pattern.fullmatch(value) is None):
                return False
        return self.share >= 1 or share_of(self.name, key) < self.share

    def _query_matches(self, query: bytes | None) -> bool:
        found = dict(parse_qsl((query or b"").decode("latin-1"), keep_blank_values=True))
        for name, pattern in self.query:
            value = found.get(name)
            if value is None or (pattern is not None and pattern.fullmatch(value) is None):
                return False
        return True

    def rewritten(self, path: bytes) -> bytes:
        """Return the path that the origin is asked for."""
        if self.rewrite is None:
            return path
        if self.path is None:
            return self.rewrite
        match = self.path.fullmatch(path)
        if match is None:
            return path
        # What was within a segment may have become one: it must not lead out of the origin's path.
        return without_dot_segments(match.expand(self.rewrite))


def share_of(name: str, key: bytes) -> float:
    """Return where an object stands in a route's rollout: from 0 up to 1, the same for a key."""
    return xxhash.xxh3_64_intdigest(name.encode() + b"\0" + key) / 2**64


def apply_routes(
    routes: tuple[OriginRoute, ...],
    request: Request,
    default: Target,
    pool_state: Callable[[str], PoolState],
    retries: Mapping[str, RetryPolicy],
) -> Target:
    """Return where a request goes that goes to `default` when no route matches.

    The first route that matches and names a pool decides. Those before it that name none may
    change the retry policy, and add a mirror. `pool_state` and `retries` know the names.
    """
    path, state, retry = request.path, default.state, default.retry
    mirroring: OriginRoute | None = None
    matched = []
    for route in routes:
        if not route.matches(request, default.key):
            continue
        matched.append(route.name)
        if route.retry is not None:
            retry = retries[route.retry]
        if route.mirror is not None and mirroring is None:
            mirroring = route
        if route.pool is not None:
            path, state = route.rewritten(request.path), pool_state(route.pool)
            break
    _path, mark, query = default.request_target.partition(b"?")
    mirror: Target | None = None
    if mirroring is not None and mirroring.mirror is not None:
        mirror = msgspec.structs.replace(
            default,
            state=pool_state(mirroring.mirror),
            retry=retry,
            request_target=mirroring.rewritten(request.path) + mark + query,
        )
    return msgspec.structs.replace(
        default,
        state=state,
        retry=retry,
        # As it was spelled, if no route rewrites the path.
        request_target=default.request_target if path == request.path else path + mark + query,
        routes=tuple(matched),
        mirror=mirror,
    )
