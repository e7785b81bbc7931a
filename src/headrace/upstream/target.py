"""Where one request goes."""

from __future__ import annotations

import msgspec

from headrace.upstream.pool import PoolState
from headrace.upstream.retry import RetryPolicy
from headrace.upstream.sources import Sources


class Target(msgspec.Struct, frozen=True):
    """The pool that is asked for one request, what it is asked for, and how often.

    `key` is what "consistent" goes by; `request_target` is path and query as in a request line;
    `client_network` is the network of who asks, by which failures are told apart; `service` is
    whose pool it is; `routes` are the names of the routes that matched; `mirror` is whom to ask as
    well, only to compare; `sources` are servers of the network to ask before the pool.
    """

    state: PoolState
    retry: RetryPolicy
    key: bytes
    request_target: bytes
    client_network: str = ""
    service: str = ""
    routes: tuple[str, ...] = ()
    mirror: Target | None = None
    sources: Sources | None = None
