"""What sites can carry, and the weights that follow from it where nobody wrote any. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from headrace.topology.model import AdminState, Coverage, Topology


def site_capacities(topology: Topology) -> dict[str, int]:
    """Return the capacity of each site with servers: theirs, and no more than its own."""
    capacities: dict[str, int] = {}
    for server in topology.servers:
        if server.state is AdminState.ONLINE:
            capacities[server.site] = capacities.get(server.site, 0) + server.capacity_bps
    for site in topology.sites:
        if site.capacity_bps is not None and site.name in capacities:
            capacities[site.name] = min(capacities[site.name], site.capacity_bps)
    return capacities


def described_weights(coverage: Coverage, capacities: Mapping[str, int]) -> dict[str, float]:
    """Return the weight of each site of a coverage by the description alone.

    Where none is written it follows from capacity, 1 on the average of those of the same order; a
    site whose capacity is not known has 1.
    """
    found: dict[str, float] = {}
    for order in {choice.order for choice in coverage.sites}:
        choices = [choice for choice in coverage.sites if choice.order == order]
        mean = _mean(capacities.get(choice.site, 0) for choice in choices)
        for choice in choices:
            capacity = capacities.get(choice.site, 0)
            by_capacity = capacity / mean if capacity else 1.0
            found[choice.site] = by_capacity if choice.weight is None else choice.weight
    return found


def first_weights(coverage: Coverage, capacities: Mapping[str, int]) -> dict[str, float]:
    """Return the weights of those sites that share a coverage's clients while all serve."""
    weights = described_weights(coverage, capacities)
    for order in sorted({choice.order for choice in coverage.sites}):
        found = {
            choice.site: weights[choice.site]
            for choice in coverage.sites
            if choice.order == order and weights[choice.site]
        }
        if found:
            return found
    return {}


def normalised(weights: Mapping[str, float]) -> dict[str, float]:
    """Return weights as shares of 1; as they are where all are 0."""
    total = sum(weights.values())
    return {name: weight / total if total else weight for name, weight in weights.items()}


def _mean(capacities: Iterable[int]) -> float:
    known = [capacity for capacity in capacities if capacity]
    return sum(known) / len(known) if known else 1.0
