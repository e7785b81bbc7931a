"""Clients and requests that nothing in the network would serve. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from headrace.config.locate import TomlPath
from headrace.config.network.classes import ClassTable
from headrace.config.network.model import NetworkConfig
from headrace.config.problems import Problem, Severity

_SERVING: tuple[TomlPath, ...] = (
    ("site", "kind"),
    ("server", "site"),
    ("server", "state"),
    ("server", "http_port"),
    ("server", "https_port"),
)


def unreached(config: NetworkConfig) -> Iterator[Problem]:
    """Yield a problem for each coverage whose clients would get nothing, or nothing of a class,
    and a warning for what is never used.
    """
    serving = _serving(config)
    external = {site.name for site in config.sites if site.kind == "external"}
    yield from _coverages(config, serving, external)
    served = {server.site for server in config.servers}
    has_servers = any(site.kind == "edge" and site.name in served for site in config.sites)
    if has_servers and not serving and not external:
        yield Problem(
            path=("site",),
            message="no site has a server for clients",
            remedy='set the state of a server of an edge site to "online"',
            concerns=_SERVING,
        )
    yield from _unused_sites(config)
    yield from _unused_networks(config)
    yield from _unused_classes(config)


def _serving(config: NetworkConfig) -> set[str]:
    """Return the edge sites with a server that clients may be sent to."""
    edges = {site.name for site in config.sites if site.kind == "edge"}
    return {
        server.site
        for server in config.servers
        if server.site in edges
        and server.state != "withdrawn"
        and (server.http_port or server.https_port)
    }


def _coverages(config: NetworkConfig, serving: set[str], external: set[str]) -> Iterator[Problem]:
    not_external = [one.name for one in config.classes if not one.external]
    for index, coverage in enumerate(config.coverage):
        names = {choice.name for choice in coverage.sites}
        if names & serving:
            continue
        path: TomlPath = ("coverage", index, "sites")
        if not names & external:
            yield Problem(
                path=path,
                message=f"the clients of coverage {coverage.name!r} would get nothing: all servers "
                "of its sites are withdrawn",
                remedy="add another site, of a higher order, or an external one",
                concerns=_SERVING,
            )
            continue
        for name in not_external:
            yield Problem(
                path=path,
                message=f"class {name!r} has no server for the clients of coverage "
                f"{coverage.name!r}: external sites may not carry it",
                remedy=f"add an edge site with a server, or write external = true in {name!r}",
                concerns=(*_SERVING, ("class", "external")),
            )


def _unused_sites(config: NetworkConfig) -> Iterator[Problem]:
    """Yield the edge sites that no client is sent to. Without a default, all are for those who
    are near.
    """
    if not any(coverage.default for coverage in config.coverage):
        return
    named = {choice.name for coverage in config.coverage for choice in coverage.sites}
    for index, site in enumerate(config.sites):
        if site.kind == "edge" and site.name not in named:
            yield Problem(
                path=("site", index),
                message=f"no client is sent to {site.name!r}: no coverage names it",
                remedy="add it to the sites of a coverage",
                severity=Severity.WARNING,
                concerns=(("coverage", "sites"), ("coverage", "default"), ("site", index, "kind")),
            )


def _unused_networks(config: NetworkConfig) -> Iterator[Problem]:
    covered = {name for coverage in config.coverage for name in coverage.networks}
    for index, network in enumerate(config.networks):
        if network.name in covered and not network.prefixes and network.prefix_file is None:
            yield Problem(
                path=("network", index),
                message=f"no client is of {network.name!r}: it has no prefixes",
                remedy="add prefixes or prefix_file; AS numbers alone find no client",
                severity=Severity.WARNING,
                concerns=(("coverage", "networks"), ("network", index)),
            )


def _unused_classes(config: NetworkConfig) -> Iterator[Problem]:
    for first, catches_all in enumerate(config.classes):
        if not _is_for_all(catches_all):
            continue
        for index in range(first + 1, len(config.classes)):
            yield Problem(
                path=("class", index),
                message=f"no request is of class {config.classes[index].name!r}: "
                f"{catches_all.name!r} before it is for all",
                remedy="put the class for all last",
                severity=Severity.WARNING,
                concerns=(("class", first), ("class", "name")),
            )
        return


def _is_for_all(one: ClassTable) -> bool:
    return not one.paths and not one.kinds and (not one.hosts or "*" in one.hosts)
