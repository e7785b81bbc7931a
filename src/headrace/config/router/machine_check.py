"""What a router's configuration asks of this machine."""

from __future__ import annotations

from headrace.config.for_servers import for_servers_alone
from headrace.config.node_check import (
    directory_problems,
    interface_problems,
    member_problems,
    tls_problems,
    unreadable,
)
from headrace.config.problems import Problem
from headrace.config.router.model import RouterConfig


def machine_problems(config: RouterConfig) -> list[Problem]:
    """Return everything that this machine does not have as the configuration needs it."""
    found = [*tls_problems(config), *interface_problems(config)]
    found += for_servers_alone(config, "a router answers no servers of the network")
    found += directory_problems(config.state_directory, "state_dir")
    found += member_problems(config.network)
    token = config.debug.token_file
    for path, place in (
        (config.network.file, ("network", "file")),
        (config.geo_file, ("geo_file",)),
        (token, ("debug", "token_file")),
    ):
        problem = None if path is None else unreadable(path, place)
        if problem is not None:
            found.append(problem)
    return found
