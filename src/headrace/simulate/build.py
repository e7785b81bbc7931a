"""Makes a simulation of a scenario: the network's nodes, and those who ask."""

from __future__ import annotations

import itertools
import math

from headrace.config.scenario.demand import CatalogueTable, LiveTable
from headrace.config.scenario.model import ScenarioConfig
from headrace.errors import HeadraceError
from headrace.simulate.bounds import check_intervals
from headrace.simulate.content import Kind, Title
from headrace.simulate.control.loop import loop_of
from headrace.simulate.demand.audience import Audience
from headrace.simulate.demand.catalogue import Catalogue
from headrace.simulate.demand.chance import chance_of
from headrace.simulate.demand.sessions import Live, OnDemand
from headrace.simulate.engine import Control, Demand, Engine
from headrace.simulate.node import Node
from headrace.simulate.stores import make_store
from headrace.topology.classify import Classes
from headrace.topology.model import Server, SiteKind, Topology

_UNBOUNDED_BPS = 10**15


class UnknownStorage(HeadraceError):
    """Nobody says how large a server's store is."""


def engine_of(config: ScenarioConfig, topology: Topology, control: Control | None = None) -> Engine:
    """Return a simulation, ready to be run; `control` in place of what the scenario says. Raises
    HeadraceError.
    """
    check_intervals(math.ceil(config.length_s / config.interval_s), len(topology.sites))
    nodes, demand = nodes_of(config, topology), demand_of(config, topology)
    return Engine(config, topology, nodes, demand, control or loop_of(config, topology))


def nodes_of(config: ScenarioConfig, topology: Topology) -> dict[str, Node]:
    """Return a node for each server, by its name, and one for each external site. Raises
    UnknownStorage.
    """
    nodes: dict[str, Node] = {}
    for server in topology.servers:
        storage_bytes = server.storage_bytes or config.edges.storage_bytes
        if not storage_bytes:
            raise UnknownStorage(
                f"nobody says what the store of {server.name!r} holds: write storage in its "
                "[[server]], or in [edges] of the scenario"
            )
        store = make_store(config.edges.eviction, max(1, round(storage_bytes * config.scale)))
        nodes[server.name] = Node(len(nodes), server, store)
    for site in topology.sites:
        if site.kind is SiteKind.EXTERNAL:
            server = Server(
                site.name, site.name, "", capacity_bps=site.capacity_bps or _UNBOUNDED_BPS
            )
            nodes[site.name] = Node(len(nodes), server, make_store("fifo", 1), is_external=True)
    return nodes


def demand_of(config: ScenarioConfig, topology: Topology) -> list[Demand]:
    """Return those who ask. Raises HeadraceError."""
    classes = Classes(topology.classes, topology.servers)
    numbers = itertools.count()
    audiences = [
        Audience(
            table, topology, chance_of(config.seed, f"audience {table.network}"), config.starts_s
        )
        for table in config.audiences
    ]
    found: list[Demand] = []
    if config.catalogues:
        catalogues = {
            table.name: Catalogue(
                table,
                _kind(table, classes, config.length_s),
                chance_of(config.seed, f"catalogue {table.name}"),
                scale=config.scale,
                length_s=config.length_s,
            )
            for table in config.catalogues
        }
        found.append(OnDemand(audiences, catalogues, numbers, scale=config.scale))
    for table in config.live:
        kind = _kind(table, classes, config.length_s)
        chunks = max(1, int(table.length_s / table.chunk_s))
        channels = [
            Title(kind, next(numbers), f"{table.name}-{channel}", chunks)
            for channel in range(table.channels)
        ]
        chance = chance_of(config.seed, f"live {table.name}")
        found.append(Live(table, channels, audiences, chance, scale=config.scale))
    return found


def _kind(table: CatalogueTable | LiveTable, classes: Classes, horizon_s: float) -> Kind:
    return Kind(
        table.name,
        classes,
        table.host,
        table.path,
        chunk_s=table.chunk_s,
        bit_rate_bps=table.bit_rate_bps,
        cache_control=table.cache_control,
        horizon_s=horizon_s,
    )
