"""What is known of the network's state at a moment, beside what its description says.

Whoever observes the network writes a view; routers and servers go by it. Without one, capacities
and administrative states of the description decide. Names that the description does not have are
passed over.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

_NOTHING: Mapping[Any, Any] = MappingProxyType({})


class ServerState(enum.Enum):
    """What a server is good for: all; no new clients; no new clients for now, since it is full;
    nothing.
    """

    ONLINE = "online"
    DRAINING = "draining"
    FULL = "full"
    FAILED = "failed"


class Cause(enum.Enum):
    """Why a server is not online: it is seen to be so; an operator, the schedule or the description
    wants it; its own addresses that move (VIPs) are not announced by it.
    """

    OBSERVED = "observed"
    ORDERED = "ordered"
    AWAY = "away"


@dataclass(frozen=True, slots=True)
class ServerView:
    """A server's state, the share of its capacity that counts (1: all), and why it is so. What is
    ordered ends at a Unix time (None: not by itself). A server that is ordered to be left alone is
    `FAILED` and `ORDERED`.
    """

    state: ServerState = ServerState.ONLINE
    weight: float = 1.0
    cause: Cause = Cause.OBSERVED
    until: float | None = None

    def is_over(self, now: float) -> bool:
        """Return whether it was ordered until a time that has come."""
        return self.until is not None and now >= self.until


@dataclass(frozen=True, slots=True)
class View:
    """A view. `servers` by name; `coverage` has, by the name of a coverage, the weights of the
    sites that share its clients, whatever their orders are; `by_class` has the same by the name of
    a class first, for requests of that class. By the name of a class and the key of a shard, for
    the heavy shards only: `demand` has the measured share of the site-wide demand that the shard
    draws, `widths` on how many servers of a site it is held. `network` is the name of the network
    that it is of ("": it does not say). All are decided by whoever writes the
    view, so that all who read it agree.
    """

    version: int = 0
    made_at: float = 0.0
    servers: Mapping[str, ServerView] = field(default_factory=lambda: _NOTHING)
    coverage: Mapping[str, Mapping[str, float]] = field(default_factory=lambda: _NOTHING)
    demand: Mapping[str, Mapping[str, float]] = field(default_factory=lambda: _NOTHING)
    widths: Mapping[str, Mapping[str, int]] = field(default_factory=lambda: _NOTHING)
    by_class: Mapping[str, Mapping[str, Mapping[str, float]]] = field(
        default_factory=lambda: _NOTHING
    )
    network: str = ""

    def weights(self, content: str, coverage: str) -> Mapping[str, float]:
        """Return the weights of the sites for requests of a class by clients of a coverage; none
        where the description decides."""
        own = self.by_class.get(content, _NOTHING).get(coverage)
        return self.coverage.get(coverage, _NOTHING) if own is None else own

    def has_own_weights(self, content: str, coverage: str) -> bool:
        """Return whether a class has weights of its own in a coverage."""
        return coverage in self.by_class.get(content, _NOTHING)


NO_VIEW = View()
