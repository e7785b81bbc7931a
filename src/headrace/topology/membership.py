"""Whether a description has the server that an edge says it is. Pure."""

from __future__ import annotations

from headrace.topology.model import Topology

_MOST_NAMES = 10


def missing_server(topology: Topology, name: str | None) -> str:
    """Return what is wrong where the description lacks a server; "" where it has it, or nobody
    asks for one.
    """
    names = [server.name for server in topology.servers]
    if name is None or name in names:
        return ""
    shown = ", ".join(names[:_MOST_NAMES]) + (", …" if len(names) > _MOST_NAMES else "")
    return f"the description of the network has no server {name!r}: it has {shown or 'none'}"
