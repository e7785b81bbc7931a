"""Servers without an address, which some would need: other servers, and clients by DNS. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from headrace.config.locate import TomlPath
from headrace.config.network.model import NetworkConfig
from headrace.config.network.places import ServerTable
from headrace.config.problems import Problem, Severity
from headrace.http.hosts import literal_address

_MOST_NAMED = 10
_CONCERNS: tuple[TomlPath, ...] = (
    ("site", "kind"),
    ("site", "parents"),
    ("server", "site"),
    ("server", "state"),
    ("class", "tiering"),
)


def unaddressed(config: NetworkConfig) -> Iterator[Problem]:
    """Yield a warning for each site with such servers, at the first of them."""
    kinds = {site.name: site.kind for site in config.sites}
    parents = {parent for site in config.sites for parent in site.parents}
    tiering = any(one.tiering for one in config.classes)
    for site, indexes in _in_use(config).items():
        without = [index for index in indexes if not _has_address(config.servers[index])]
        is_edge = kinds.get(site) == "edge"
        asked = tiering and (len(indexes) > 1 if is_edge else site in parents)
        if without and (is_edge or asked):
            yield _problem(config, without, asked=asked, is_edge=is_edge)


def _in_use(config: NetworkConfig) -> dict[str, list[int]]:
    """Return the numbers of the servers that are in use, by site."""
    found: dict[str, list[int]] = {}
    for index, server in enumerate(config.servers):
        if server.state != "withdrawn":
            found.setdefault(server.site, []).append(index)
    return found


def _has_address(server: ServerTable) -> bool:
    return bool(server.ipv4 or server.ipv6) or literal_address(server.host) is not None


def _problem(config: NetworkConfig, indexes: list[int], *, asked: bool, is_edge: bool) -> Problem:
    names = [repr(config.servers[index].name) for index in indexes]
    shown = ", ".join(names[:_MOST_NAMED])
    if len(names) > _MOST_NAMED:
        shown += f" and {len(names) - _MOST_NAMED} others"
    has = "has" if len(names) == 1 else "have"
    missed = [
        *(["other servers cannot ask there"] if asked else []),
        *(["DNS can send no client there"] if is_edge else []),
    ]
    return Problem(
        path=("server", indexes[0]),
        message=f"{shown} {has} no address: {', and '.join(missed)}",
        remedy="add ipv4 or ipv6; a host name is not looked up",
        severity=Severity.WARNING,
        concerns=(*_CONCERNS, *(("server", index) for index in indexes)),
    )
