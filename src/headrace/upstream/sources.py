"""Servers of the network that are asked before a pool, and what a worker knows of them.

They are used like origins: places, ejection, and switching in mid-body at the same byte. But what
they do is never charged to the pool: its retry budget and the health of its origins know only of
requests that came to the pool. Pure: time and chance are arguments.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field, replace

from headrace.errors import HeadraceError
from headrace.http.message import Field
from headrace.upstream.client import OriginTimeouts
from headrace.upstream.outliers import Cause, OutlierRule
from headrace.upstream.pool import Origin, OriginState, PoolState
from headrace.upstream.retry_budget import RetryBudget

PASSED_OVER = frozenset((421, 429))
"""Statuses of a server that does not serve this host, or does not want to be asked by us: whoever
comes next may answer."""

EJECTION = OutlierRule(failures=3, share=0.5, window_s=1.0, ejection_s=2.0, most=1.0)


@dataclass(frozen=True, slots=True)
class SourceRules:
    """How long servers are waited for, in seconds, and how far that may go.

    A server that has said nothing for `first_byte_s` is slow: the next one is asked too, for at
    most a share `hedges` of the requests. After `answer_s` it has failed. It says something at
    once, if only that it asks an origin itself; from then on it has `head_s`.
    """

    first_byte_s: float = 0.1
    answer_s: float = 1.0
    head_s: float = 15.0
    connect_s: float = 0.25
    between_bytes_s: float = 2.0
    idle_s: float = 30.0
    hedges: float = 0.2
    concurrent: int = 256

    @property
    def timeouts(self) -> OriginTimeouts:
        """Return the time limits of the client for such a request."""
        return OriginTimeouts(self.connect_s, self.head_s, self.between_bytes_s, self.idle_s)


@dataclass(slots=True)
class PeerState(OriginState):
    """What a worker knows of one server. A request cannot cause its silence, for it says something
    before it asks anybody else: a few silences are enough to leave it alone for a second.
    """

    def __post_init__(self) -> None:
        self.health.judge_by(EJECTION)


@dataclass(frozen=True, slots=True)
class PeerSource:
    """A server to ask. `group` is what metrics call those that it is asked with: its tier.

    `site`: one that answers, but cannot help, speaks for the others there.
    """

    origin: Origin
    state: PeerState
    site: str
    group: str


class NoServerHelps(HeadraceError):
    """None of the servers has an answer, and the pool is not to be asked by this request."""


@dataclass(frozen=True, slots=True)
class Sources:
    """The servers that one request asks before its pool, in order.

    They are asked for `request_target` of `host`, whatever the pool's origins are asked for;
    `sign` returns the fields that say who asks. `hedging` is shared by all requests of a worker.
    `pool_follows`: the pool is asked when no server helps; else that raises NoServerHelps.
    """

    peers: tuple[PeerSource, ...]
    rules: SourceRules
    hedging: RetryBudget
    host: bytes
    request_target: bytes
    sign: Callable[[bytes, bytes, bytes, float], list[Field]] = field(repr=False)
    pool_follows: bool = True

    def fields_for(self, method: bytes, fields: list[Field], now: float) -> list[Field]:
        """Return a request's fields as a server is to see them: the client's Host, who asks."""
        signed = self.sign(method, self.host, self.request_target, now)
        return [(b"host", self.host), *fields[1:], *signed]


class SourcesThenPool(PoolState):
    """Servers and a pool behind them as one, for one request: first come the servers.

    Each of them is asked once; what is known of them and of the pool's origins is shared.
    """

    def __init__(self, sources: Sources, pool: PoolState) -> None:
        """Make no copy of what is known: places and health are those of all requests."""
        peers = sources.peers
        self._inner = pool
        self._peers = peers
        self._size = len(peers)
        self._asked: set[int] = set()
        self._pool_asked = False
        origins = tuple(peer.origin for peer in peers) + pool.pool.origins
        self.pool = replace(pool.pool, origins=origins)
        self.states = [*(peer.state for peer in peers), *pool.states]
        self.budget = pool.budget

    def next_peer(self, now: float) -> int | None:
        """Return the next server to ask, by number; None when the pool's turn has come."""
        for index, peer in enumerate(self._peers):
            if (
                index not in self._asked
                and peer.state.active < peer.origin.concurrent
                and peer.state.health.usable(now)
            ):
                self._asked.add(index)
                return index
        return None

    def pass_over(self, site: str) -> None:
        """Ask no server of this site any more."""
        self._asked.update(index for index, peer in enumerate(self._peers) if peer.site == site)

    def choose(
        self, key: bytes, now: float, chance: float, tried: Collection[int] = ()
    ) -> int | None:
        """Return a server, each once; then what the pool chooses."""
        peer = self.next_peer(now)
        if peer is not None:
            return peer
        size = self._size
        found = self._inner.choose(
            key, now, chance, {index - size for index in tried if index >= size}
        )
        return None if found is None else found + size

    def all_asked(self, asked: Collection[int]) -> bool:
        """Return whether each origin of the pool is among those that were asked."""
        size = self._size
        return self._inner.all_asked([index for index in asked if index >= size])

    def pay(self, index: int, now: float, within_s: float, *, free: bool) -> float | None:
        """Charge the pool's budget for what comes after this request's first to the pool."""
        if index < self._size:
            return 0.0
        if not self._pool_asked:
            self._pool_asked = True
            self.budget.request(now)
            return 0.0
        return self._inner.pay(index - self._size, now, within_s, free=free)

    def group_of(self, index: int) -> str:
        """Return a server's tier, or the pool's name."""
        return self._peers[index].group if index < self._size else self._inner.pool.name

    def is_server(self, index: int) -> bool:
        """Return whether this is no origin, but another server of the network."""
        return index < self._size

    def blames(self, index: int, status: int) -> bool:
        """Return whether a status is an origin's fault: a server that answers at all is alive."""
        return index >= self._size and self._inner.blames(index - self._size, status)

    def weight(self, index: int, now: float) -> float:
        """Return a pool's origin's weight; servers have none."""
        return 1.0 if index < self._size else self._inner.weight(index - self._size, now)

    def succeeded(self, index: int, now: float) -> None:
        """Note that an answer came whole."""
        self.states[index].health.succeeded(now)

    def failed(self, index: int, now: float, cause: Cause | None) -> bool:
        """Note that a request failed. All servers may be ejected: the pool is behind them."""
        if index < self._size:
            return self._peers[index].state.health.failed(now, cause, may_eject=True)
        return self._inner.failed(index - self._size, now, cause)


def cannot_help(status: int) -> bool:
    """Return whether a server's answer is none: whoever comes next is asked."""
    return status >= 500 or status in PASSED_OVER
