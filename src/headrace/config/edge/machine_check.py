"""What a configuration asks of this machine: certificates that load, a directory to write in."""

from __future__ import annotations

from headrace.config.edge.model import Config
from headrace.config.edge.service import Service
from headrace.config.node_check import (
    certificate_problems,
    directory_problems,
    secret_problems,
    unreadable,
)
from headrace.config.problems import Problem


def machine_problems(config: Config) -> list[Problem]:
    """Everything that this machine does not have as the configuration needs it."""
    found = certificate_problems(config)
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
    found += secret_problems(config.network)
    authorities = None if config.network is None else config.network.tiering.ca
    if authorities is not None:
        problem = unreadable(authorities, ("network", "tiering", "ca"))
        found += [] if problem is None else [problem]
    found += directory_problems(config.cache_dir, "cache_dir")
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
