"""What a configuration asks of this machine: certificates that load, a directory to write in."""

from __future__ import annotations

from pathlib import Path

from headrace.config.edge.model import Config
from headrace.config.edge.service import Service
from headrace.config.node_check import (
    bad_authorities,
    directory_problems,
    interface_problems,
    member_problems,
    pair_problems,
    tls_problems,
    unreadable,
)
from headrace.config.problems import Problem


def machine_problems(config: Config) -> list[Problem]:
    """Everything that this machine does not have as the configuration needs it."""
    found = [*tls_problems(config), *interface_problems(config)]
    for index, service in enumerate(config.services):
        if service.origin_ca is not None and not service.origin_ca.is_file():
            found.append(
                Problem(
                    path=("service", index, "origin_ca"),
                    value=repr(str(service.origin_ca)),
                    message="no such file",
                    remedy="name a PEM file of authorities, or remove the line",
                )
            )
        found += _missing_files(index, service)
    found += member_problems(config.network)
    found += _between_servers(config)
    found += directory_problems(config.cache_dir, "cache_dir")
    return found


def _between_servers(config: Config) -> list[Problem]:
    """Return which files for TLS between servers can not be used."""
    wanted: list[tuple[Path | None, tuple[str | int, ...]]] = [
        (listener.client_ca, ("listen", index, "client_ca"))
        for index, listener in enumerate(config.listeners)
    ]
    if config.network is not None:
        wanted.append((config.network.tiering.ca, ("network", "tiering", "ca")))
    found = [
        problem
        for path, place in wanted
        if path is not None and (problem := bad_authorities(path, place)) is not None
    ]
    options = None if config.network is None else config.network.tiering
    if options is not None and options.cert is not None and options.key is not None:
        place = ("network", "tiering", "cert")
        found += pair_problems(options.cert, options.key, place)
    return found


def _missing_files(index: int, service: Service) -> list[Problem]:
    """Return the files that a service's pools name and that cannot be read."""
    found: list[Problem] = []
    for pool_index, pool in enumerate(service.pools):
        for number, origin in enumerate(pool.origins):
            place = ("service", index, "pool", pool_index, "origin", number)
            secret = origin.signing.secret_file if origin.signing is not None else None
            for path, where in ((origin.ca, (*place, "ca")), (secret, (*place, "signing"))):
                problem = None if path is None else unreadable(path, where)
                if problem is not None:
                    found.append(problem)
    return found
