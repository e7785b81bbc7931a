"""What happens to a simulated network by its scenario: servers fail, are withdrawn, return, come;
everybody begins to watch an event.

Who fails says so to nobody; what operators do, they write into the description, so that routers and
servers know it: that is the part of a view which is made here.
"""

from __future__ import annotations

import enum
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from headrace.config.scenario.events import FailureTable, NewServerTable, Whose, WithdrawalTable
from headrace.config.scenario.model import ScenarioConfig
from headrace.errors import HeadraceError
from headrace.simulate.network import Origins
from headrace.simulate.node import Node
from headrace.topology.model import Topology
from headrace.topology.view import ServerState, ServerView

_RAMP_STEPS = 20
_LEAST_WEIGHT = 0.02


class UnknownServer(HeadraceError):
    """A scenario speaks of servers that the network does not have."""


class What(enum.Enum):
    """What happens to servers, to the origins, or to what is watched."""

    DEAD = "dead"
    SLOW = "slow"
    WRONG = "wrong"
    DRAINING = "draining"
    WITHDRAWN = "withdrawn"
    ORIGINS = "origins"
    WEIGHT = "weight"
    LIVE = "live"


@dataclass(frozen=True, slots=True)
class Happening:
    """At a time, something begins or ends. `cause` tells what belongs together; `text` is for
    people ("": only a part of something).
    """

    at_s: float
    what: What
    begins: bool
    servers: tuple[str, ...]
    cause: int
    text: str = ""
    loses_store: bool = False
    weight: float = 1.0


@dataclass(slots=True)
class _Condition:
    """Why a server is as it is: the causes, by what they do."""

    causes: dict[What, set[int]] = field(default_factory=lambda: {what: set() for what in What})
    weight: float = 1.0


class Happenings:
    """All that happens, in order; `advance` makes it so."""

    def __init__(
        self, config: ScenarioConfig, topology: Topology, nodes: Mapping[str, Node]
    ) -> None:
        """Raises UnknownServer."""
        found = list(_all(config, topology))
        found.sort(key=lambda one: one.at_s)
        self._waiting = found
        self._next = 0
        self._nodes = nodes
        self._conditions: dict[str, _Condition] = {}
        self.seen: list[Happening] = []
        self.told: dict[str, ServerView] = {}

    def advance(self, now: float, origins: Origins) -> bool:
        """Let happen what is due; return whether operators said something of servers."""
        told = False
        while self._next < len(self._waiting) and self._waiting[self._next].at_s <= now:
            one = self._waiting[self._next]
            self._next += 1
            if one.text:
                self.seen.append(one)
            if one.what is What.ORIGINS:
                origins.is_up = not one.begins
                continue
            for name in one.servers:
                self._apply(one, name)
            told = told or one.what in {What.DRAINING, What.WITHDRAWN, What.WEIGHT}
        if told:
            self.told = {
                name: view
                for name, condition in self._conditions.items()
                if (view := _told_of(condition)) != ServerView()
            }
        return told

    def _apply(self, one: Happening, name: str) -> None:
        condition = self._conditions.setdefault(name, _Condition())
        node = self._nodes[name]
        if one.what is What.WEIGHT:
            condition.weight = one.weight
            return
        causes = condition.causes[one.what]
        if one.begins:
            causes.add(one.cause)
        else:
            causes.discard(one.cause)
        if one.loses_store and not one.begins:
            node.store.clear()
        node.is_up = not (condition.causes[What.DEAD] or condition.causes[What.WITHDRAWN])
        node.is_slow = bool(condition.causes[What.SLOW])
        node.gives_wrong = bool(condition.causes[What.WRONG])


def _told_of(condition: _Condition) -> ServerView:
    state = ServerState.ONLINE
    if condition.causes[What.WITHDRAWN]:
        state = ServerState.FAILED
    elif condition.causes[What.DRAINING]:
        state = ServerState.DRAINING
    return ServerView(state, condition.weight)


def _all(config: ScenarioConfig, topology: Topology) -> Iterator[Happening]:
    cause = 0
    for failure in config.failures:
        cause += 1
        yield from _failing(failure, topology, cause)
    for withdrawal in config.withdrawals:
        names = names_of(withdrawal, topology)
        turns = [(name,) for name in names] if withdrawal.each_s else [names]
        for turn, servers in enumerate(turns):
            cause += 1
            yield from _withdrawing(withdrawal, servers, turn, cause)
    for table in config.new_servers:
        cause += 1
        yield from _coming(table, names_of(table, topology), cause)
    for event in config.live:
        # It does nothing to servers: its viewers are of `demand`. But traffic moves by it.
        cause += 1
        ends_s = event.at_s + event.length_s
        yield Happening(event.at_s, What.LIVE, True, (), cause, f"{event.name}: live")
        yield Happening(ends_s, What.LIVE, False, (), cause, f"{event.name}: over")


def _failing(table: FailureTable, topology: Topology, cause: int) -> Iterator[Happening]:
    servers = () if table.origins else names_of(table, topology)
    what = What.ORIGINS if table.origins else What(table.how)
    whose = "the origins" if table.origins else _text(servers, table.site)
    yield Happening(table.from_s, what, True, servers, cause, f"{whose}: {_WORDS[what]}")
    if table.until_s is not None:
        yield Happening(
            table.until_s, what, False, servers, cause, f"{whose}: back", table.loses_store
        )


_WORDS = {
    What.DEAD: "dead",
    What.SLOW: "slow",
    What.WRONG: "wrong bytes",
    What.ORIGINS: "unreachable",
}


def _withdrawing(
    table: WithdrawalTable, servers: tuple[str, ...], turn: int, cause: int
) -> Iterator[Happening]:
    from_s = table.from_s + turn * (table.each_s + table.drains_s)
    until_s = from_s + table.each_s if table.each_s else table.until_s
    whose = _text(servers, table.site)
    drains_s = max(0.0, from_s - table.drains_s)
    yield Happening(drains_s, What.DRAINING, True, servers, cause, f"{whose}: draining")
    yield Happening(from_s, What.WITHDRAWN, True, servers, cause, f"{whose}: withdrawn")
    if until_s is not None:
        text = f"{whose}: returned"
        yield Happening(until_s, What.DRAINING, False, servers, cause)
        yield Happening(until_s, What.WITHDRAWN, False, servers, cause, text, table.loses_store)


def _coming(table: NewServerTable, servers: tuple[str, ...], cause: int) -> Iterator[Happening]:
    yield Happening(0.0, What.WITHDRAWN, True, servers, cause)
    text = f"{_text(servers, table.site)}: new"
    yield Happening(table.at_s, What.WITHDRAWN, False, servers, cause, text, loses_store=True)
    if table.ramp_s:
        for step in range(_RAMP_STEPS + 1):
            share = step / _RAMP_STEPS
            yield Happening(
                table.at_s + table.ramp_s * share, What.WEIGHT, True, servers, cause,
                weight=max(_LEAST_WEIGHT, share),
            )  # fmt: skip


def names_of(table: Whose, topology: Topology) -> tuple[str, ...]:
    """Return the servers that a table speaks of. Raises UnknownServer."""
    known = {server.name for server in topology.servers}
    for name in table.servers:
        if name not in known:
            raise UnknownServer(f"the network has no server {name!r}: correct servers")
    names = list(table.servers)
    if table.site is not None:
        here = sorted(one.name for one in topology.servers if one.site == table.site)
        if not here:
            raise UnknownServer(f"the network has no site {table.site!r} with servers")
        names += here
    most = max(1, round(len(names) * table.share))
    return tuple(dict.fromkeys(names[:most]))


def _text(servers: Sequence[str], site: str | None) -> str:
    if site is not None and len(servers) > 1:
        return f"{len(servers)} servers of {site}"
    return servers[0] if len(servers) == 1 else f"{len(servers)} servers"
