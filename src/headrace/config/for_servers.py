"""Settings of addresses for servers, in roles that have no such address. Pure."""

from __future__ import annotations

from headrace.config.node import NodeConfig
from headrace.config.problems import Problem


def for_servers_alone(config: NodeConfig, message: str) -> list[Problem]:
    """Return the settings of addresses for servers, where a role has no such address: nobody would
    be asked for the certificates that they speak of.
    """
    return [
        Problem(path=("listen", index, key), value=value, message=message, remedy="remove the line")
        for index, listener in enumerate(config.listeners)
        for key, value in (
            ("peers", "true" if listener.peers else None),
            ("client_ca", None if listener.client_ca is None else repr(str(listener.client_ca))),
        )
        if value is not None
    ]
