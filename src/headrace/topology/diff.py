"""What another description of a network would change, and for whom. Pure.

By the descriptions alone: views, which also move clients, are left aside.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from typing import Any, Protocol, TypeVar

import msgspec

from headrace.topology.client_shares import Group, SiteShares, groups, moved
from headrace.topology.coverage import CoverageTable
from headrace.topology.model import Server, Topology
from headrace.topology.shard_moves import ShardMoves, ShardSample
from headrace.topology.site_capacity import site_capacities
from headrace.topology.snapshot import version_of


class Part(msgspec.Struct):
    """A part of the description: `change` is `added`, `removed`, `changed`, or "" for none;
    `fields` are what changed of it.
    The network `*` stands for the name of the whole, the class `*` for the order of classes, the
    schedule `*` for all withdrawals.
    """

    kind: str
    name: str
    change: str
    fields: list[str] = []


class Clients(msgspec.Struct):
    """A share of the addresses that the descriptions name, by family; None where they name none of
    it.
    """

    v4: float | None = None
    v6: float | None = None


class SiteChange(msgspec.Struct):
    """A site: its capacity, which clients it serves, and the shards whose owner in it changes."""

    name: str
    change: str
    capacity_bps_before: int | None
    capacity_bps_after: int | None
    clients_before: Clients
    clients_after: Clients
    clients_leave: Clients
    clients_come: Clients
    shards_moved: dict[str, float]


class ServerChange(msgspec.Struct):
    """A server: its capacity, and the share of its site's shards that it owns, by class."""

    name: str
    site: str
    change: str
    capacity_bps_before: int | None
    capacity_bps_after: int | None
    shards_before: dict[str, float]
    shards_after: dict[str, float]


class CoverageChange(msgspec.Struct):
    """Clients that one coverage of each description covers ("": the default one, or none): how
    many addresses and IPv6 networks (/64), their sites, and the share that goes elsewhere.
    """

    before: str
    after: str
    v4_addresses: float
    v6_networks: float
    sites_before: dict[str, float]
    sites_after: dict[str, float]
    moved: float


class Difference(msgspec.Struct):
    """The whole: `clients_moved` and `shards_moved` (of all sites and classes that remain, on the
    average) say in two numbers how much it is.
    """

    version_before: str
    version_after: str
    clients_moved: Clients
    others_moved: float
    shards_moved: float
    parts: list[Part]
    sites: list[SiteChange]
    servers: list[ServerChange]
    coverage: list[CoverageChange]


class Named(Protocol):
    """A part of a description."""

    @property
    def name(self) -> str:
        """Its name, unique among its kind."""
        ...


NamedT = TypeVar("NamedT", bound=Named)


def difference(old: Topology, new: Topology) -> Difference:
    """Return what changes when `new` takes the place of `old`."""
    covered = groups(CoverageTable(old), CoverageTable(new))
    before, after = SiteShares(old), SiteShares(new)
    coverage = [_coverage_change(group, before, after) for group in covered]
    shards = _shard_moves(old, new)
    every = [one.moved for by_class in shards.values() for one in by_class.values()]
    parts = [
        *([] if old.name == new.name else [Part("network", "*", "changed", ["name"])]),
        *_parts("network", old.networks, new.networks),
        *_parts("site", old.sites, new.sites),
        *_parts("server", old.servers, new.servers),
        *_parts("coverage", old.coverage, new.coverage),
        *_parts("class", old.classes, new.classes),
        *_reordered(old.classes, new.classes),
        *_rescheduled(old, new),
    ]
    return Difference(
        version_of(old),
        version_of(new),
        _share([(one, one.moved) for one in coverage], coverage),
        moved(before.of(None), after.of(None)),
        sum(every) / len(every) if every else 0.0,
        [part for part in parts if part.change],
        _sites(old, new, coverage, shards, parts),
        _servers(old, new, shards, parts),
        coverage,
    )


def _coverage_change(group: Group, before: SiteShares, after: SiteShares) -> CoverageChange:
    was, now = before.of(group.old), after.of(group.new)
    return CoverageChange(
        "" if group.old is None else group.old.name,
        "" if group.new is None else group.new.name,
        group.v4,
        group.v6,
        dict(was),
        dict(now),
        moved(was, now),
    )


def _share(
    parts: Sequence[tuple[CoverageChange, float]], all_clients: Sequence[CoverageChange]
) -> Clients:
    """Return which share of all clients the given shares of some are."""
    v4 = sum(one.v4_addresses for one in all_clients)
    v6 = sum(one.v6_networks for one in all_clients)
    return Clients(
        sum(one.v4_addresses * share for one, share in parts) / v4 if v4 else None,
        sum(one.v6_networks * share for one, share in parts) / v6 if v6 else None,
    )


_Moves = dict[str, dict[str, ShardMoves]]
"""By site and class."""


def _shard_moves(old: Topology, new: Topology) -> _Moves:
    sample = ShardSample(old, new)
    old_sites, old_classes = _by_name(old.sites), _by_name(old.classes)
    with_servers = {server.site for server in (*old.servers, *new.servers)}
    both = [(old_classes[one.name], one) for one in new.classes if one.name in old_classes]
    return {
        site.name: {after.name: sample.moves(site, before, after) for before, after in both}
        for site in new.sites
        if site.name in old_sites and site.name in with_servers
    }


def _sites(
    old: Topology,
    new: Topology,
    coverage: Sequence[CoverageChange],
    shards: _Moves,
    parts: Sequence[Part],
) -> list[SiteChange]:
    was, now = site_capacities(old), site_capacities(new)

    def row(part: Part) -> SiteChange:
        name = part.name
        pairs = [
            (one, one.sites_before.get(name, 0.0), one.sites_after.get(name, 0.0))
            for one in coverage
        ]
        return SiteChange(
            name,
            part.change,
            was.get(name),
            now.get(name),
            _share([(one, before) for one, before, _after in pairs], coverage),
            _share([(one, after) for one, _before, after in pairs], coverage),
            _share([(one, max(0.0, before - after)) for one, before, after in pairs], coverage),
            _share([(one, max(0.0, after - before)) for one, before, after in pairs], coverage),
            {content: moves.moved for content, moves in shards.get(name, {}).items()},
        )

    return [row(part) for part in parts if part.kind == "site"]


def _servers(
    old: Topology, new: Topology, shards: _Moves, parts: Sequence[Part]
) -> list[ServerChange]:
    was, now = _by_name(old.servers), _by_name(new.servers)

    def row(part: Part) -> ServerChange:
        before, after = was.get(part.name), now.get(part.name)
        place = after or before
        assert place is not None
        return ServerChange(
            part.name,
            place.site,
            part.change,
            None if before is None else before.capacity_bps,
            None if after is None else after.capacity_bps,
            _owned(before, {k: v.before for k, v in _of_site(before, shards).items()}),
            _owned(after, {k: v.after for k, v in _of_site(after, shards).items()}),
        )

    return [row(part) for part in parts if part.kind == "server"]


def _of_site(server: Server | None, shards: _Moves) -> dict[str, ShardMoves]:
    return {} if server is None else shards.get(server.site, {})


def _owned(server: Server | None, shares: dict[str, Any]) -> dict[str, float]:
    if server is None:
        return {}
    return {content: by_server.get(server.name, 0.0) for content, by_server in shares.items()}


def _by_name(parts: Sequence[NamedT]) -> dict[str, NamedT]:
    return {part.name: part for part in parts}


def _parts(kind: str, old: Sequence[NamedT], new: Sequence[NamedT]) -> list[Part]:
    """Return every part of a kind: those of the new description in its order, then the lost."""
    was = _by_name(old)
    found = []
    for after in new:
        before = was.pop(after.name, None)
        if before is None:
            found.append(Part(kind, after.name, "added"))
            continue
        names = changed_fields(before, after)
        found.append(Part(kind, after.name, "changed" if names else "", names))
    return found + [Part(kind, name, "removed") for name in was]


def _reordered(old: Sequence[Named], new: Sequence[Named]) -> list[Part]:
    """Return the order of classes as a part: the first that matches is a request's."""
    was, now = [one.name for one in old], [one.name for one in new]
    same = [name for name in was if name in now] == [name for name in now if name in was]
    return [] if same else [Part("class", "*", "changed", ["order"])]


def _rescheduled(old: Topology, new: Topology) -> list[Part]:
    """Return the schedule of maintenance as a part: withdrawals have no names of their own."""
    if old.withdrawals == new.withdrawals:
        return []
    return [Part("schedule", "*", "changed", ["withdrawals"])]


def changed_fields(before: Any, after: Any) -> list[str]:
    """Return the names of the fields in which two values of a class differ."""
    names = [one.name for one in fields(after)]
    return [name for name in names if getattr(before, name) != getattr(after, name)]
