"""Clients of a family of addresses (IPv4, IPv6) whose sites have addresses of the other only."""

from __future__ import annotations

from collections.abc import Iterator

from headrace.config.network.model import NetworkConfig
from headrace.config.network.places import CoverageTable, NetworkTable, ServerTable
from headrace.config.problems import Problem, Severity
from headrace.http.hosts import literal_address
from headrace.topology.prefix_file import PrefixFiles
from headrace.topology.prefix_set import V4_RECORD, record_of

_FAMILIES = (4, 6)


def unserved_families(config: NetworkConfig, files: PrefixFiles) -> Iterator[Problem]:
    """Yield a warning for each coverage that has prefixes of such clients."""
    networks = {network.name: network for network in config.networks}
    by_site: dict[str, list[set[int]]] = {}
    for server in config.servers:
        if server.state != "withdrawn":
            by_site.setdefault(server.site, []).append(families_of(server))
    for index, coverage in enumerate(config.coverage):
        servers = [each for one in coverage.sites for each in by_site.get(one.name, ())]
        if not servers or not all(servers):  # where one has no address, nothing is known of it
            continue
        served = set().union(*servers)
        tables: list[NetworkTable | CoverageTable] = [coverage]
        tables += (networks[name] for name in coverage.networks if name in networks)
        for family in _FAMILIES:
            if family not in served and any(_has(table, family, files) for table in tables):
                yield Problem(
                    path=("coverage", index),
                    message=f"{coverage.name!r} has clients with IPv{family} addresses, and no "
                    "server of its sites has one",
                    remedy=f"add ipv{family} to servers; clients with IPv{family} alone reach none",
                    severity=Severity.WARNING,
                    concerns=(("server", f"ipv{family}"), ("server", "site"), ("server", "host")),
                )


def families_of(server: ServerTable) -> set[int]:
    """Return the families of a server's addresses."""
    literal = literal_address(server.host)
    return {
        *([4] if server.ipv4 else []),
        *([6] if server.ipv6 else []),
        *([] if literal is None else [literal.version]),
    }


def _has(table: NetworkTable | CoverageTable, family: int, files: PrefixFiles) -> bool:
    """Return whether a table has prefixes of a family."""
    if any(_family_of(text) == family for text in table.prefixes):
        return True
    if table.prefix_file is None:
        return False
    read = files.read(table.prefix_file).prefixes
    return bool(read.v6 if family == 6 else read.v4)


def _family_of(prefix: str) -> int | None:
    try:
        return 4 if len(record_of(prefix)) == V4_RECORD.size else 6
    except ValueError:  # it has a problem of its own
        return None
