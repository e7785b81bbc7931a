"""What remains of a view that nobody has renewed: it ages toward what the description says. Pure.

What was measured of load is soon wrong: a site that was full in the evening is empty at night. So
past `max_age_s` weights go to the description's, in steps, over the same time again; a full server
counts as online. What was decided stays: a server that failed is known to have failed until
somebody says otherwise, one that drains drains, and a heavy shard stays where it is stored. But
what was ordered until a time ends then, also when nobody is left who says so.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace

from headrace.topology.model import Topology
from headrace.topology.site_capacity import first_weights, normalised, site_capacities
from headrace.topology.view import ServerState, ServerView, View

STEPS = 10
"""In how many steps: each is a new view for all who decide."""


def step_of_age(age_s: float, max_age_s: float) -> int:
    """Return how far a view has aged: from 0, as it was, to STEPS, by the description."""
    over_s = age_s - max_age_s
    if over_s < 0:
        return 0
    return min(STEPS, 1 + int(over_s / max_age_s * STEPS))


def ended(view: View, now: float) -> frozenset[str]:
    """Return the servers of which something was ordered until a Unix time that has come."""
    return frozenset(name for name, one in view.servers.items() if one.is_over(now))


def aged(view: View, topology: Topology, step: int, over: Collection[str] = ()) -> View:
    """Return what counts of a view at a step of its age; `over` are the servers whose orders have
    ended since.
    """
    if step <= 0:
        return view
    share = min(step, STEPS) / STEPS
    described = _described(topology)
    return replace(
        view,
        servers={
            name: _aged_server(one, share) for name, one in view.servers.items() if name not in over
        },
        coverage={} if share == 1.0 else _aged_coverage(view.coverage, described, share),
        by_class={}
        if share == 1.0
        else {
            content: _aged_coverage(coverage, described, share)
            for content, coverage in view.by_class.items()
        },
    )


def _aged_server(server: ServerView, share: float) -> ServerView:
    state = ServerState.ONLINE if server.state is ServerState.FULL else server.state
    return replace(server, state=state, weight=server.weight + (1.0 - server.weight) * share)


def _described(topology: Topology) -> dict[str, dict[str, float]]:
    """Return how the clients of each coverage are shared by the description alone."""
    capacities = site_capacities(topology)
    return {one.name: normalised(first_weights(one, capacities)) for one in topology.coverage}


def _aged_coverage(
    coverage: Mapping[str, Mapping[str, float]],
    described: Mapping[str, Mapping[str, float]],
    share: float,
) -> dict[str, dict[str, float]]:
    return {
        name: _mixed(normalised(weights), described[name], share) if weights else {}
        for name, weights in coverage.items()
        if name in described
    }


def _mixed(
    weights: Mapping[str, float], others: Mapping[str, float], share: float
) -> dict[str, float]:
    return {
        site: weights.get(site, 0.0) * (1.0 - share) + others.get(site, 0.0) * share
        for site in sorted(weights.keys() | others.keys())
    }
