"""A description of the network as a worker gets it: its values, compiled once for all workers."""

from __future__ import annotations

from dataclasses import dataclass

from headrace.topology.model import Topology


@dataclass(frozen=True, slots=True)
class NetworkSnapshot:
    """A description in force. `version` is a hash of what it says: equal for all who have it."""

    topology: Topology
    version: str
