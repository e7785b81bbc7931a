"""Which sites may serve a client: coverage by its address first, else by where it is."""

from __future__ import annotations

import msgspec

from headrace.bounded import BoundedMemory
from headrace.reasons import Reason
from headrace.routing.geography import ranks_near
from headrace.routing.sites import Rank, Sites
from headrace.topology.coverage import CoverageTable
from headrace.topology.geo import NOWHERE, Place, Places
from headrace.topology.model import Coverage, Topology


class Eligible(msgspec.Struct, frozen=True):
    """The sites that may serve a client: those of a coverage ("": of none), by its place if one
    was looked for. All addresses of the prefix of `prefix_length` around it have the same."""

    ranks: tuple[Rank, ...]
    coverage: str
    prefix_length: int
    place: Place | None = None


class Eligibility:
    """Finds the sites for clients, under one view."""

    def __init__(
        self,
        topology: Topology,
        sites: Sites,
        coverage: CoverageTable,
        geo: Places | None,
        memory_bytes: int,
    ) -> None:
        self.default = next((each for each in topology.coverage if each.default), None)
        self._sites = sites
        self._coverage = coverage
        self._geo = geo
        self._of_nobody: tuple[Rank, ...] | None = None
        self._of_coverage: dict[tuple[str, bool], tuple[Rank, ...]] = {}
        self._near = BoundedMemory[tuple[Place, bool], tuple[Rank, ...]](
            memory_bytes, lambda _key, ranks: 400 + sum(100 + 8 * len(one.shares) for one in ranks)
        )

    def of(self, client: bytes | None, *, external: bool) -> Eligible:
        """Return the sites that may serve a client, external ones among them or not."""
        if client is None:
            return Eligible(self._for_others(external), self._default_name, 0)
        match = self._coverage.find_client(client)
        if match.coverage is not None:
            ranks = self._by_coverage(match.coverage, Reason.BY_COVERAGE, external)
            return Eligible(ranks, match.coverage.name, match.prefix_length)
        if self._geo is None:
            return Eligible(self._for_others(external), self._default_name, match.prefix_length)
        place, length = self._geo.place(client)
        ranks = self._for_others(external) if place == NOWHERE else self._by_place(place, external)
        return Eligible(ranks, self._default_name, max(match.prefix_length, length), place)

    @property
    def _default_name(self) -> str:
        return self.default.name if self.default is not None else ""

    def _by_coverage(self, coverage: Coverage, reason: Reason, external: bool) -> tuple[Rank, ...]:
        ranks = self._of_coverage.get((coverage.name, external))
        if ranks is None:
            ranks = self._sites.of_coverage(coverage, reason, external=external)
            self._of_coverage[coverage.name, external] = ranks
        return ranks

    def _for_others(self, external: bool) -> tuple[Rank, ...]:
        """Return the sites for clients of no other coverage, before geography has its say."""
        if self.default is None:
            if self._of_nobody is None:
                self._of_nobody = self._sites.of_nobody()
            return self._of_nobody
        return self._by_coverage(self.default, Reason.BY_DEFAULT, external)

    def _by_place(self, place: Place, external: bool) -> tuple[Rank, ...]:
        ranks = self._near.entries.get((place, external))
        if ranks is None:
            ranks = ranks_near(self._for_others(external), place)
            self._near.put((place, external), ranks)
        return ranks
