"""Whom to probe, and for what: values made of the description and the configuration. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from headrace.config.feedback.observing import ProbeTable
from headrace.topology.model import AdminState, Topology


@dataclass(frozen=True, slots=True)
class Target:
    """A server: where it serves clients. Each probe takes the next of its addresses."""

    server: str
    addresses: tuple[str, ...]
    http_port: int | None
    https_port: int | None


@dataclass(frozen=True, slots=True)
class Probe:
    """An object that servers are asked for. `https` None: by TLS where the server has a port for
    it. `sha256` is what its body is, in hex (None: what most servers answer).
    """

    host: str
    path: str
    https: bool | None = None
    sha256: str | None = None


def targets_of(topology: Topology) -> tuple[Target, ...]:
    """Return all servers that can be probed: they have an address, and nobody withdrew them by the
    description.
    """
    return tuple(
        Target(
            server.name,
            (*(str(one) for one in server.ipv4), *(str(one) for one in server.ipv6)),
            server.http_port,
            server.https_port,
        )
        for server in topology.servers
        if server.state is not AdminState.WITHDRAWN and (server.ipv4 or server.ipv6)
    )


def probed(targets: Iterable[Target], probes: Iterable[Probe]) -> frozenset[str]:
    """Return the names of the servers of which probes can say something."""
    kinds = tuple(probes)
    return frozenset(
        one.server for one in targets if any(port_for(one, kind) is not None for kind in kinds)
    )


def port_for(target: Target, probe: Probe) -> int | None:
    """Return the port that a probe asks; None where the server has no such."""
    return target.https_port if is_secure(target, probe) else target.http_port


def is_secure(target: Target, probe: Probe) -> bool:
    """Return whether a probe asks by TLS."""
    return probe.https if probe.https is not None else target.https_port is not None


def probes_of(tables: Iterable[ProbeTable]) -> tuple[Probe, ...]:
    """Return what servers are asked for."""
    return tuple(
        Probe(one.host, one.path, None if one.https == "auto" else one.https, one.sha256)
        for one in tables
    )
