"""Which pool a request goes to: ordered rules on host, path, type, query and header. Pure.

The client and the cache key see nothing of it. A rule may hold for a share of the objects only,
chosen by the key, so that one object always comes from one side.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import parse_qsl

import xxhash

from headrace.http.message import Request
from headrace.http.target import without_dot_segments
from headrace.upstream.content import content_of


@dataclass(frozen=True, slots=True)
class OriginRoute:
    """Conditions, all of which must hold, and where requests go that meet them.

    `path` must match the whole path; what its groups captured can be used in `rewrite` (`\\1`).
    `query` and `headers` are names with a pattern for the value (None: it is enough that it is
    there). `types` are kinds of content or media types (see `content`). `share` is the part of the
    objects that the rule is for. `pool` None keeps the pool that the rules before, or the service,
    chose and goes on to the next rule: of use with `mirror`, the pool that is asked as well, for
    comparison.
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
        """Whether the rule is for this request. `key` is the cache key, for `share`."""
        if self.hosts and not any(
            _host_matches(pattern, request.authority) for pattern in self.hosts
        ):
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
        """The path that the origin is asked for."""
        if self.rewrite is None:
            return path
        if self.path is None:
            return self.rewrite
        match = self.path.fullmatch(path)
        if match is None:
            return path
        # What was within a segment may have become one: it must not lead out of the origin's path.
        return without_dot_segments(match.expand(self.rewrite))


def _host_matches(pattern: bytes, authority: bytes) -> bool:
    host = authority if authority.startswith(b"[") else authority.split(b":", 1)[0]
    if pattern.startswith(b"*."):
        return host.endswith(pattern[1:])
    return pattern in (host, authority)


def share_of(name: str, key: bytes) -> float:
    """Where an object stands in a rule's rollout, from 0 up to 1; always the same for a key."""
    return xxhash.xxh3_64_intdigest(name.encode() + b"\0" + key) / 2**64


@dataclass(frozen=True, slots=True)
class Chosen:
    """Where a request goes. `path` is what origins are asked for; `rules` are those that matched.

    `mirror_path` is for the pool `mirror`.
    """

    pool: str
    retry: str
    path: bytes
    rules: tuple[str, ...] = ()
    mirror: str | None = None
    mirror_path: bytes = b""


def choose(
    rules: tuple[OriginRoute, ...], request: Request, key: bytes, pool: str, retry: str
) -> Chosen:
    """Go through the rules in order: the first that names a pool decides.

    Rules without a pool may change the retry policy, and add a mirror, on the way there.
    """
    path, matched = request.path, []
    mirror: str | None = None
    mirror_path = b""
    for rule in rules:
        if not rule.matches(request, key):
            continue
        matched.append(rule.name)
        retry = rule.retry or retry
        if rule.mirror is not None and mirror is None:
            mirror, mirror_path = rule.mirror, rule.rewritten(request.path)
        if rule.pool is not None:
            pool = rule.pool
            path = rule.rewritten(request.path)
            break
    return Chosen(pool, retry, path, tuple(matched), mirror, mirror_path)
