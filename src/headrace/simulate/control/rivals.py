"""What others do about load: nothing; a threshold; weights by room; the better of two. Pure.

They see the same reports as the balance does, as late, as incomplete and as wrong.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from headrace.feedback.observation import NodeReport
from headrace.simulate.fluid import Policy
from headrace.topology.model import Topology
from headrace.topology.view import ServerState, ServerView, View

Name = Literal["none", "threshold", "proportional", "two-choices"]

OUT_ABOVE, IN_BELOW = 0.85, 0.7
"""A site is out above the one, and in again below the other."""

LEAST_WEIGHT = 0.01


class Loads:
    """The load of each site as its servers' reports say it, as a share of what they carry."""

    def __init__(self, topology: Topology) -> None:
        self._topology = topology

    def of(
        self, servers: Mapping[str, ServerView], reports: Mapping[str, NodeReport]
    ) -> dict[str, float]:
        """Return the loads."""
        sent: dict[str, float] = {}
        most: dict[str, float] = {}
        for server in self._topology.servers:
            if server.name in servers:
                continue
            known = reports.get(server.name)
            if known is not None:
                sent[server.site] = sent.get(server.site, 0.0) + known.report.egress_bps
                most[server.site] = most.get(server.site, 0.0) + server.capacity_bps
        return {site: sent[site] / bps for site, bps in most.items() if bps}


class Threshold(Policy):
    """A site above a load takes no new clients until it is below another."""

    def __init__(self, topology: Topology) -> None:
        self._topology = topology
        self._loads = Loads(topology)
        self._out: set[str] = set()

    def step(
        self,
        servers: Mapping[str, ServerView],
        reports: Mapping[str, NodeReport],
        elapsed_s: float,
    ) -> View:
        """Return the view."""
        for site, load in self._loads.of(servers, reports).items():
            if load > OUT_ABOVE:
                self._out.add(site)
            elif load < IN_BELOW:
                self._out.discard(site)
        full = {
            server.name: ServerView(ServerState.FULL)
            for server in self._topology.servers
            if server.site in self._out and server.name not in servers
        }
        return View(servers={**servers, **full})


class ByLoads(Policy):
    """The weights of a coverage's sites follow from their loads."""

    def __init__(self, topology: Topology) -> None:
        self._topology = topology
        self._loads = Loads(topology)

    def step(
        self,
        servers: Mapping[str, ServerView],
        reports: Mapping[str, NodeReport],
        elapsed_s: float,
    ) -> View:
        """Return the view."""
        loads = self._loads.of(servers, reports)
        coverage = {
            one.name: self.weights(
                {choice.site: loads.get(choice.site, 0.0) for choice in one.sites}
            )
            for one in self._topology.coverage
        }
        return View(servers=servers, coverage=coverage)

    def weights(self, loads: Mapping[str, float]) -> dict[str, float]:
        """Return the weights of the sites that have these loads."""
        raise NotImplementedError


class ByRoom(ByLoads):
    """All sites of a coverage share its clients by what each has left."""

    def weights(self, loads: Mapping[str, float]) -> dict[str, float]:
        """Return what each has left."""
        return {site: round(max(1.0 - load, LEAST_WEIGHT), 3) for site, load in loads.items()}


class TwoChoices(ByLoads):
    """For each client the router draws two sites of its coverage, and takes the one that is less
    loaded by the last report."""

    def weights(self, loads: Mapping[str, float]) -> dict[str, float]:
        """Return as many for each site as the draws send there."""
        ordered = sorted(loads, key=lambda site: (loads[site], site))
        count = len(ordered)
        # The one at place n wins against itself and all that come after it.
        return {site: (2 * (count - place) - 1) / count**2 for place, site in enumerate(ordered)}


def rival(name: Name, topology: Topology) -> Policy:
    """Return the one that a scenario names."""
    if name == "threshold":
        return Threshold(topology)
    if name == "proportional":
        return ByRoom(topology)
    return TwoChoices(topology) if name == "two-choices" else Policy()
