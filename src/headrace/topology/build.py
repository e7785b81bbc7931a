"""Makes the values of a network from its description."""

from __future__ import annotations

import re
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path

from headrace.config.loader import load_config
from headrace.config.network import NETWORK
from headrace.config.network.classes import ClassTable, WideningTable
from headrace.config.network.model import NetworkConfig
from headrace.config.network.places import CoverageTable, NetworkTable, ServerTable, SiteTable
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
)
from headrace.topology.prefix_set import PrefixSet


def load_topology(path: Path) -> Topology:
    """Return the network that a file describes. Raises ConfigError, with every problem."""
    return build(load_config(path, NETWORK))


def build(config: NetworkConfig) -> Topology:
    """Return the network that a description means."""
    return Topology(
        tuple(
            ClientNetwork(one.name, tuple(one.as_numbers), _prefixes(one))
            for one in config.networks
        ),
        tuple(map(_site, config.sites)),
        tuple(map(_server, config.servers)),
        tuple(map(_coverage, config.coverage)),
        tuple(map(_class, config.classes)),
    )


def _prefixes(table: NetworkTable | CoverageTable) -> PrefixSet:
    texts = list(table.prefixes)
    if table.prefix_file is not None:
        lines = table.prefix_file.read_text(encoding="utf-8").splitlines()
        texts += filter(None, (line.partition("#")[0].strip() for line in lines))
    return PrefixSet.of(texts)


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
    )


def _server(table: ServerTable) -> Server:
    return Server(
        table.name,
        table.site,
        table.host,
        tuple(map(IPv4Address, table.ipv4)),
        tuple(map(IPv6Address, table.ipv6)),
        table.http_port or None,
        table.https_port or None,
        table.peer_port or None,
        table.peer_tls,
        table.capacity_bps,
        table.storage_bytes,
        AdminState(table.state),
    )


def _coverage(table: CoverageTable) -> Coverage:
    return Coverage(
        table.name,
        tuple(SiteChoice(one.name, one.weight, one.order) for one in table.sites),
        tuple(table.networks),
        _prefixes(table),
        table.default,
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


def _widening(table: WideningTable) -> Widening:
    return Widening(table.above, table.below, table.most)
