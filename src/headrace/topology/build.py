"""Makes the values of a network from its description."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path
from typing import TypeVar

from headrace.config.loader import load_config
from headrace.config.network import NETWORK
from headrace.config.network.classes import ClassTable, WideningTable
from headrace.config.network.learnt import LearntTable
from headrace.config.network.model import NetworkConfig
from headrace.config.network.places import CoverageTable, ServerTable, SiteTable
from headrace.config.network.schedule import WithdrawalTable
from headrace.config.network.vips import AnnounceTable
from headrace.config.problems import Problem
from headrace.http.hosts import literal_address
from headrace.topology.checks import prefix_problems, prefixes_of
from headrace.topology.families import unserved_families
from headrace.topology.learnt_rules import LearntRules
from headrace.topology.learnt_taken import learnt_problems, with_learnt
from headrace.topology.model import (
    AdminState,
    ClientNetwork,
    ContentClass,
    Coverage,
    Redirect,
    Server,
    Site,
    SiteChoice,
    SiteKind,
    StoreBy,
    Topology,
    Widening,
    Withdrawal,
)
from headrace.topology.prefix_file import PrefixFiles
from headrace.topology.prefix_set import PrefixSet
from headrace.topology.vips import Announce, PreferBy, Vip

AddressT = TypeVar("AddressT", IPv4Address, IPv6Address)


@dataclass(frozen=True, slots=True)
class Description:
    """A network as its file describes it. `prefix_files` are the other files that it was made
    from; `warnings` are texts.
    """

    topology: Topology
    config: NetworkConfig
    prefix_files: tuple[Path, ...]
    warnings: tuple[str, ...]


def load_topology(path: Path) -> Topology:
    """Return the network that a file describes. Raises ConfigError, with every problem."""
    return load_description(path).topology


def load_description(path: Path) -> Description:
    """Return the network that a file describes, and what was said of it.

    Raises ConfigError, with every problem.
    """
    files = PrefixFiles(path)

    def problems(config: NetworkConfig) -> list[Problem]:
        return [
            *NETWORK.inconsistencies(config),
            *prefix_problems(config, files),
            *unserved_families(config, files),
            *_unlearnt(config, files),
        ]

    warnings: list[str] = []
    root = replace(NETWORK, inconsistencies=problems)
    config = load_config(path, root, warn=warnings.append)
    return Description(build(config, files), config, tuple(files.by_path), tuple(warnings))


def build(config: NetworkConfig, files: PrefixFiles | None = None) -> Topology:
    """Return the network that a description means. The prefix files that are not among `files` are
    read.
    """
    read = PrefixFiles() if files is None else files
    return with_learnt(_described(config, read), read)


def _unlearnt(config: NetworkConfig, files: PrefixFiles) -> Iterator[Problem]:
    """Yield a warning for what is in files of learnt prefixes and is not taken."""
    if any(one.learnt is not None for one in config.coverage):
        with contextlib.suppress(ValueError):  # a value with a problem of its own
            yield from learnt_problems(_described(config, files), files)


def _described(config: NetworkConfig, read: PrefixFiles) -> Topology:
    """Return it without what is learnt."""
    return Topology(
        tuple(
            ClientNetwork(one.name, tuple(one.as_numbers), prefixes_of(one, read))
            for one in config.networks
        ),
        tuple(map(_site, config.sites)),
        tuple(map(_server, config.servers)),
        tuple(_coverage(one, prefixes_of(one, read)) for one in config.coverage),
        tuple(map(_class, config.classes)),
        tuple(map(_withdrawal, config.withdrawals)),
        config.name,
    )


def _site(table: SiteTable) -> Site:
    latitude, longitude = table.coordinates or (None, None)
    return Site(
        table.name,
        SiteKind(table.kind),
        table.network or "",
        latitude,
        longitude,
        table.country or "",
        table.continent or "",
        table.capacity_bps,
        table.target_utilisation,
        tuple(table.parents),
        table.base_url or "",
        table.price_per_gb,
        table.preference,
        _announce(table.announce or AnnounceTable()),
    )


def _announce(table: AnnounceTable) -> Announce:
    return Announce(
        table.neighbours,
        PreferBy(table.preference),
        table.med,
        table.med_step,
        table.prepend,
        tuple(table.communities),
        table.ipv4_length,
        table.ipv6_length,
        table.graceful_shutdown,
        table.linger_s,
        table.drain_s,
    )


def _server(table: ServerTable) -> Server:
    vips = tuple(
        Vip(
            None if one.ipv4 is None else IPv4Address(one.ipv4),
            None if one.ipv6 is None else IPv6Address(one.ipv6),
        )
        for one in table.vips
    )
    return Server(
        table.name,
        table.site,
        _host(table, vips),
        tuple(map(IPv4Address, table.ipv4)) or _literal(table, IPv4Address),
        tuple(map(IPv6Address, table.ipv6)) or _literal(table, IPv6Address),
        table.http_port or None,
        table.https_port or None,
        table.peer_port or None,
        table.peer_tls,
        table.capacity_bps,
        table.storage_bytes,
        AdminState(table.state),
        table.admin or "",
        vips,
        table.vip_listener or "",
    )


def _host(table: ServerTable, vips: tuple[Vip, ...]) -> str:
    """Return the name that clients are sent to; where it is an address, that of a VIP."""
    literal = literal_address(table.host)
    if literal is None:
        return table.host
    addresses = [one for vip in vips for one in vip.addresses if one.version == literal.version]
    if not addresses or literal in addresses:
        return table.host
    return f"[{addresses[0]}]" if literal.version == 6 else str(addresses[0])


def _literal(table: ServerTable, kind: type[AddressT]) -> tuple[AddressT, ...]:
    """Return the address that is written in place of a server's name."""
    address = literal_address(table.host)
    return (address,) if isinstance(address, kind) else ()


def _coverage(table: CoverageTable, prefixes: PrefixSet) -> Coverage:
    return Coverage(
        table.name,
        tuple(SiteChoice(one.name, one.weight, one.order) for one in table.sites),
        tuple(table.networks),
        prefixes,
        table.default,
        None if table.learnt is None else _learnt(table.learnt),
    )


def _learnt(table: LearntTable) -> LearntRules:
    return LearntRules(
        table.site,
        str(table.file),
        PrefixSet.of(table.within),
        tuple(table.origin_as),
        tuple(table.communities),
        table.shortest_v4,
        table.longest_v4,
        table.shortest_v6,
        table.longest_v6,
        table.private,
        table.most,
        table.taking == "automatic",
        table.most_changed,
        table.most_prefixes,
        table.settle_s,
        table.keep_s,
        tuple(table.router_as),
    )


def _class(table: ClassTable) -> ContentClass:
    more = {} if table.shard_key is None else {"shard_key": table.shard_key}
    return ContentClass(
        table.name,
        tuple(table.hosts),
        tuple(table.paths),
        tuple(table.kinds),
        None if table.shard_pattern is None else re.compile(table.shard_pattern, re.ASCII),
        replicas=table.replicas,
        widening=None if table.widening is None else _widening(table.widening),
        tiering=table.tiering,
        store=StoreBy(table.store),
        popular_after=table.popular_after,
        external=table.external,
        redirect=Redirect(table.redirect),
        server_host=table.server_host or "",
        ttl_s=table.ttl_s,
        **more,
    )


def _withdrawal(table: WithdrawalTable) -> Withdrawal:
    return Withdrawal(
        table.from_.timestamp(),
        table.until.timestamp(),
        table.server or "",
        table.site or "",
        table.reason,
        table.drain_s,
    )


def _widening(table: WideningTable) -> Widening:
    return Widening(table.above, table.below, table.most)
