"""Maintenance that would leave clients without any server: a warning. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from headrace.config.network.model import NetworkConfig
from headrace.config.problems import Problem, Severity


def withdrawn_at_once(config: NetworkConfig) -> Iterator[Problem]:
    """Yield a warning for each coverage all of whose servers are withdrawn at some time, at the
    withdrawal that makes it so.
    """
    if not config.withdrawals:
        return
    servers: dict[str, set[str]] = {}
    for server in config.servers:
        if server.state != "withdrawn":
            servers.setdefault(server.site, set()).add(server.name)
    sites_of = {server.name: server.site for server in config.servers}
    externals = {site.name for site in config.sites if site.kind == "external"}
    coverages = [
        (index, {choice.name for choice in one.sites})
        for index, one in enumerate(config.coverage)
        if not any(choice.name in externals for choice in one.sites)
    ]
    warned: set[int] = set()
    out: dict[str, int] = {}
    for _moment, begins, number in _events(config):
        one = config.withdrawals[number]
        site = one.site or sites_of.get(one.server or "", "")
        for name in servers.get(site, set()) if one.site is not None else {one.server or ""}:
            out[name] = out.get(name, 0) + (1 if begins else -1)
        if not begins:
            continue
        for index, sites in coverages:
            if index in warned or site not in sites:
                continue
            left = {name for each in sites for name in servers.get(each, ())}
            if left and all(out.get(name, 0) > 0 for name in left):
                warned.add(index)
                yield _problem(config, number, index)


def _events(config: NetworkConfig) -> list[tuple[datetime, bool, int]]:
    """Return when withdrawals begin and end, in order; at the same time, ends come first."""
    begins = [(one.from_, True, number) for number, one in enumerate(config.withdrawals)]
    ends = [(one.until, False, number) for number, one in enumerate(config.withdrawals)]
    return sorted([*begins, *ends])


def _problem(config: NetworkConfig, number: int, coverage: int) -> Problem:
    return Problem(
        path=("withdrawal", number),
        message=f"with it, no server is left for the clients of coverage "
        f"{config.coverage[coverage].name!r}",
        remedy="choose another time, or write another site into the coverage",
        severity=Severity.WARNING,
        concerns=(("coverage", coverage), ("withdrawal",)),
    )
