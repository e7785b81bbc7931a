"""How far servers may be taken out by what is observed. Pure.

Those that are not there at all first, then those that serve badly: of a site never more than its
floor allows, and never the last server that a coverage's clients have.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from headrace.feedback.states.groups import Group, Groups
from headrace.feedback.states.model import SERVING, Alarm, AlarmKind, ServerRecord, State, Why
from headrace.feedback.states.quorum import Verdict
from headrace.feedback.states.rules import StateRules
from headrace.topology.model import Server


@dataclass(frozen=True, slots=True)
class Floors:
    """What is held by a floor, by server, and which damped servers may return since they are
    needed."""

    held: Mapping[str, Why]
    needed: frozenset[str]
    alarms: tuple[Alarm, ...]


def find_floors(
    groups: Groups,
    records: Mapping[str, ServerRecord],
    verdicts: Mapping[str, Verdict],
    held: Mapping[str, Why],
    leaving: Collection[str],
    pinned: Collection[str],
    rules: StateRules,
) -> Floors:
    """Return what the floors hold of what a quorum sees fail and nothing else holds.

    `leaving` are servers that operators want no more: a site's floor is a share of the others.
    `pinned` are those that operators want to serve whatever is seen of them.
    """
    count = _Count(groups, records, verdicts, leaving, rules)
    falling = [
        server
        for server in groups.topology.servers
        if records[server.name].state in SERVING
        and server.name not in leaving
        and server.name not in pinned
        and server.name not in held
        and verdicts[server.name].down
    ]
    found: dict[str, Why] = {}
    alarms: set[Alarm] = set()
    for server in sorted(falling, key=lambda one: _order(verdicts[one.name], one.name)):
        dead = verdicts[server.name].dead
        if not count.site_allows(server, dead):
            found[server.name] = Why.FLOOR
            text = "servers that fail are kept, since no fewer may serve"
            alarms.add(Alarm(AlarmKind.FLOOR, server.site, text))
        elif (last := count.last_of(server)) is not None:
            found[server.name] = Why.LAST
            text = f"{server.name} fails and is kept: it is the last that these clients have"
            alarms.add(Alarm(AlarmKind.LAST, last.coverage, text))
        else:
            count.take(server)
    return Floors(found, _needed(groups, records, count), tuple(sorted(alarms)))


def _order(verdict: Verdict, name: str) -> tuple[bool, bool, int, str]:
    """Return a key that has those first that are of least use."""
    return (not verdict.refused, not verdict.dead, -verdict.failures, name)


def _needed(groups: Groups, records: Mapping[str, ServerRecord], count: _Count) -> frozenset[str]:
    return frozenset(
        server.name
        for server in groups.topology.servers
        if records[server.name].suppressed
        and records[server.name].state is State.FAILED
        and (count.is_below(server.site) or count.has_none_left(server))
    )


class _Count:
    """How many servers serve, by site and by group, while some are taken out."""

    def __init__(
        self,
        groups: Groups,
        records: Mapping[str, ServerRecord],
        verdicts: Mapping[str, Verdict],
        leaving: Collection[str],
        rules: StateRules,
    ) -> None:
        self._groups = groups
        self._rules = rules
        self._of_site = {
            site: sum(1 for one in servers if one.name not in leaving)
            for site, servers in groups.by_site.items()
        }
        self._serving = {
            site: sum(
                1
                for one in servers
                if one.name not in leaving and records[one.name].state in SERVING
            )
            for site, servers in groups.by_site.items()
        }
        self._records = records
        self._verdicts = verdicts
        self._left: dict[Group, int] = {}

    def site_allows(self, server: Server, dead: bool) -> bool:
        """Return whether one server less leaves a site above its floor."""
        floor = self._rules.floor_dead if dead else self._rules.floor
        return self._serving[server.site] - 1 >= int(floor * self._of_site[server.site])

    def is_below(self, site: str) -> bool:
        """Return whether fewer serve at a site than its floor says."""
        return self._serving[site] < int(self._rules.floor * self._of_site[site])

    def last_of(self, server: Server) -> Group | None:
        """Return a group of which a server is the last."""
        for group in self._groups.of_site.get(server.site, ()):
            if group.has(server) and self._left_of(group) <= 1:
                return group
        return None

    def has_none_left(self, server: Server) -> bool:
        """Return whether a group that a server is of has none."""
        return any(
            group.has(server) and self._left_of(group) < 1
            for group in self._groups.of_site.get(server.site, ())
        )

    def take(self, server: Server) -> None:
        """Count a server no more."""
        self._serving[server.site] -= 1
        for group in self._groups.of_site.get(server.site, ()):
            if group.has(server):
                self._left[group] = self._left_of(group) - 1

    def _left_of(self, group: Group) -> int:
        left = self._left.get(group)
        if left is None:
            left = self._left[group] = sum(
                1
                for site in group.sites
                for one in self._groups.by_site[site]
                if group.has(one) and self._stands_in(one.name)
            )
        return left

    def _stands_in(self, name: str) -> bool:
        """Return whether clients have a server when there is no other: one that drains too."""
        state = self._records[name].state
        return state in SERVING or (state is State.DRAINING and not self._verdicts[name].down)
