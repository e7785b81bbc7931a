"""What a configuration asks of this machine: certificates that load, a directory to write in."""

from __future__ import annotations

from headrace.config.edge.model import Config
from headrace.config.edge.service import Service
from headrace.config.node_check import certificate_problems, directory_problems, unreadable
from headrace.config.peer_secrets import read_secrets
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
    found += _secrets(config)
    authorities = None if config.network is None else config.network.tiering.ca
    if authorities is not None:
        problem = unreadable(authorities, ("network", "tiering", "ca"))
        found += [] if problem is None else [problem]
    found += directory_problems(config.cache_dir, "cache_dir")
    return found


def _secrets(config: Config) -> list[Problem]:
    """Return why the secrets of the network can not be used."""
    path = None if config.network is None else config.network.secret_file
    if path is None:
        return []
    try:
        read_secrets(path)
    except ValueError as error:
        return [
            Problem(
                path=("network", "secret_file"),
                value=repr(str(path)),
                message=str(error),
                remedy="name a file that the user who runs headrace can read, with one secret of "
                "at least 32 characters a line, the newest first",
            )
        ]
    return []


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
