"""Views of a simulated network: what was observed and what operators say, and what another view
moves. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from headrace.topology.model import Topology
from headrace.topology.placement import Placement
from headrace.topology.view import ServerState, ServerView, View

_WORSE = (ServerState.ONLINE, ServerState.FULL, ServerState.DRAINING, ServerState.FAILED)


def merged(view: View, told: Mapping[str, ServerView]) -> View:
    """Return a view in which each server is as bad as either says."""
    if not told:
        return view
    servers = dict(view.servers)
    for name, one in told.items():
        seen = servers.get(name, _UNSEEN)
        servers[name] = ServerView(
            max(seen.state, one.state, key=_WORSE.index), min(seen.weight, one.weight)
        )
    return replace(view, servers=servers)


_UNSEEN = ServerView()

SAMPLE = 256
"""Shards of each site; the share that moves is right to a few hundredths."""


def moved_keys(topology: Topology, before: Placement, after: Placement) -> float:
    """Return the share of the shards that get another owner in their site, by a sample."""
    content = topology.classes[0]
    sites = {server.site for server in topology.servers}
    shards = [b"shard %d" % number for number in range(SAMPLE)]
    moved = 0
    for site in sorted(sites):
        old, new = before.site(site), after.site(site)
        if old is new or old is None or new is None:
            continue
        for shard in shards:
            was, now = old.owners(content, shard), new.owners(content, shard)
            moved += was.servers[:1] != now.servers[:1]
    return moved / (SAMPLE * len(sites)) if sites else 0.0
