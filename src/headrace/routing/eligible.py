"""Which sites may serve a client: coverage by its address first, else by where it is."""

from __future__ import annotations

import msgspec

from headrace.bounded import BoundedMemory
from headrace.reasons import Reason
from headrace.routing.geography import ranks_near
from headrace.routing.sites import Rank, Sites
from headrace.topology.coverage import CoverageTable
from headrace.topology.geo import NOWHERE, Place, Places
from headrace.topology.model import ContentClass, Coverage, Topology

_Kind = tuple[bool, str]


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
        self._of_coverage: dict[tuple[str, _Kind], tuple[Rank, ...]] = {}
        self._near = BoundedMemory[tuple[Place, _Kind], tuple[Rank, ...]](
            memory_bytes, lambda _key, ranks: 400 + sum(100 + 8 * len(one.shares) for one in ranks)
        )

    def of(self, client: bytes | None, content: ContentClass) -> Eligible:
        """Return the sites that may serve a client with requests of a class."""
        if client is None:
            return Eligible(self._for_others(content), self._default_name, 0)
        match = self._coverage.find_client(client)
        if match.coverage is not None:
            ranks = self._by_coverage(match.coverage, Reason.BY_COVERAGE, content)
            return Eligible(ranks, match.coverage.name, match.prefix_length)
        if self._geo is None:
            return Eligible(self._for_others(content), self._default_name, match.prefix_length)
        place, length = self._geo.place(client)
        ranks = self._for_others(content) if place == NOWHERE else self._by_place(place, content)
        return Eligible(ranks, self._default_name, max(match.prefix_length, length), place)

    @property
    def _default_name(self) -> str:
        return self.default.name if self.default is not None else ""

    def _kind_of(self, content: ContentClass, coverage: Coverage | None) -> _Kind:
        """Return what of a class counts: classes of one kind have the same sites."""
        own = coverage is not None and self._sites.has_own_weights(content, coverage)
        return content.external, content.name if own else ""

    def _by_coverage(
        self, coverage: Coverage, reason: Reason, content: ContentClass
    ) -> tuple[Rank, ...]:
        key = (coverage.name, self._kind_of(content, coverage))
        ranks = self._of_coverage.get(key)
        if ranks is None:
            ranks = self._of_coverage[key] = self._sites.of_coverage(coverage, reason, content)
        return ranks

    def _for_others(self, content: ContentClass) -> tuple[Rank, ...]:
        """Return the sites for clients of no other coverage, before geography has its say."""
        if self.default is None:
            if self._of_nobody is None:
                self._of_nobody = self._sites.of_nobody()
            return self._of_nobody
        return self._by_coverage(self.default, Reason.BY_DEFAULT, content)

    def _by_place(self, place: Place, content: ContentClass) -> tuple[Rank, ...]:
        key = (place, self._kind_of(content, self.default))
        ranks = self._near.entries.get(key)
        if ranks is None:
            if self.default is None:
                ranks = self._for_others(content)
            else:
                ranks = self._sites.near_of_coverage(self.default, Reason.BY_DEFAULT, content)
            ranks = ranks_near(ranks, place)
            self._near.put(key, ranks)
        return ranks
