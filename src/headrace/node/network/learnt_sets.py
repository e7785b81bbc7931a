"""What the servers of sites said that they learnt, put together: every prefix that one of a site's
servers has. Pure. Times are of a clock that does not jump.

Servers of a site hear the same routers, each on sessions of its own, so one that misses a prefix
has lost a session sooner than the ISP its clients. A server that was not heard for `keep` counts no
more; until it was heard first, or for as long, what was known before stays.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from headrace.topology.learnt_document import LearntDocument, prefixes_in
from headrace.topology.learnt_rules import NotTaken
from headrace.topology.learnt_taken import filter_of, taken
from headrace.topology.model import AdminState, Coverage, Server, Topology
from headrace.topology.prefix_set import NO_PREFIXES, PrefixSet


@dataclass(frozen=True, slots=True)
class Said:
    """A server's set of a coverage, and when it was heard last."""

    prefixes: PrefixSet
    at_s: float


def sources_of(topology: Topology) -> list[Server]:
    """Return the servers that are asked."""
    sites = {one.learnt.site for one in topology.coverage if one.learnt is not None}
    return [
        one
        for one in topology.servers
        if one.site in sites and one.vip_listener_url and one.state is not AdminState.WITHDRAWN
    ]


class LearntSets:
    """What is known. `refused` counts prefixes that a server said and the rules do not allow, each
    time that it says another set; `first` names one of each kind, with its server.
    """

    def __init__(self) -> None:
        self.refused: Counter[str] = Counter()
        self.first: dict[str, str] = {}
        self._waited_since_s: dict[tuple[str, str], float] = {}
        self._said: dict[tuple[str, str], Said] = {}
        self._documents: dict[str, LearntDocument] = {}
        self._unions: dict[str, tuple[tuple[PrefixSet, ...], PrefixSet]] = {}

    def digest(self, server: str) -> str:
        """Return what stands for a server's last document."""
        document = self._documents.get(server)
        return "" if document is None else document.digest

    def offer(
        self, server: Server, document: LearntDocument, topology: Topology, now_s: float
    ) -> None:
        """Take what a server says. All of it or, where it cannot be read, nothing.

        Raises LearntError.
        """
        new: dict[tuple[str, str], Said] = {}
        kinds: Counter[str] = Counter()
        for coverage in _learnt_at(topology, server.site):
            # One that it does not know yet, by an older description, it says nothing of.
            if coverage.name in document.coverage and coverage.learnt is not None:
                filtering = filter_of(topology, coverage, None)
                found = taken(prefixes_in(document, coverage.name), coverage.learnt.most, filtering)
                for reason, count in found.refused.items():
                    kinds[reason.value] += count
                    self.first[reason.value] = f"{found.first[reason]} of {server.name}"
                if NotTaken.TOO_MANY not in found.refused:
                    new[server.name, coverage.name] = Said(found.prefixes, now_s)
        if document != self._documents.get(server.name):
            self.refused += kinds
        self._documents[server.name] = document
        self._said.update(new)

    def unchanged(self, server: Server, now_s: float) -> None:
        """Note that a server still says what it said last."""
        for (name, coverage), said in list(self._said.items()):
            if name == server.name:
                self._said[name, coverage] = Said(said.prefixes, now_s)

    def forget(self, topology: Topology) -> None:
        """Forget what is of servers, or coverage, that a new description does not have.

        All are asked again for everything, since the rules may be others.
        """
        names = {one.name for one in sources_of(topology)}
        coverage = {one.name for one in topology.coverage if one.learnt is not None}
        known: tuple[dict[tuple[str, str], Any], ...] = (self._said, self._waited_since_s)
        for each in known:
            for server, name in list(each):
                if server not in names or name not in coverage:
                    del each[server, name]
        self._documents.clear()

    def wanted(
        self, topology: Topology, present: Callable[[Coverage], PrefixSet], now_s: float
    ) -> Iterator[tuple[Coverage, PrefixSet]]:
        """Yield each coverage that learns, with its prefixes. `present` returns those it has.

        One whose servers together said too much is left out: it stays as it is.
        """
        servers = sources_of(topology)
        for one in topology.coverage:
            if one.learnt is None:
                continue
            here = [each.name for each in servers if each.site == one.learnt.site]
            if not here:
                continue  # somebody else writes the file
            parts, waits = [], False
            for name in here:
                said = self._said.get((name, one.name))
                if said is not None and now_s - said.at_s < one.learnt.keep_s:
                    parts.append(said.prefixes)
                elif said is None:
                    since_s = self._waited_since_s.setdefault((name, one.name), now_s)
                    waits = waits or now_s - since_s < one.learnt.keep_s
            if waits:
                parts.append(present(one))
            found = self._union(one.name, tuple(parts))
            if len(found) <= one.learnt.most:
                yield one, found
            else:
                self.first[NotTaken.TOO_MANY.value] = f"{len(found)} prefixes of {one.learnt.site}"

    def _union(self, coverage: str, parts: tuple[PrefixSet, ...]) -> PrefixSet:
        """Return all prefixes of some sets, which are mostly those of the last time."""
        known = self._unions.get(coverage)
        if known is not None and known[0] == parts:
            return known[1]
        found = NO_PREFIXES
        for one in parts:
            found |= one
        self._unions[coverage] = parts, found
        return found


def _learnt_at(topology: Topology, site: str) -> list[Coverage]:
    return [one for one in topology.coverage if one.learnt is not None and one.learnt.site == site]
