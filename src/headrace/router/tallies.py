"""How often clients were sent where, and why: counted with one addition for each answer."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from headrace.reasons import Reason
from headrace.routing.question import Candidate, Decision
from headrace.telemetry.load_report import MOST_PAIRS, OTHER
from headrace.telemetry.metrics import WorkerMetrics
from headrace.topology.model import ContentClass

NOBODY = "none"
HTTP, DNS = "http", "dns"
"""What clients ask over."""
MOST_COUNTS = 4096
"""In one tally: by reasons and coverage, whose names come and go with descriptions."""

_LISTED = Reason.BY_COVERAGE
_NONE = Reason.NO_SERVER


class Count:
    """A number that only grows."""

    __slots__ = ("number",)

    def __init__(self) -> None:
        self.number = 0


@dataclass(slots=True, eq=False)
class Tally:
    """The answers over one transport that named one server of one site for one class, by the
    decision's reason, whether it was a fallback, and the clients' coverage.
    """

    site: str
    server: str
    content: str
    transport: str = HTTP
    most: int = MOST_COUNTS
    counts: dict[tuple[Reason, bool, str], Count] = field(default_factory=dict)

    def count_of(self, decision: Decision) -> Count:
        """Return where answers by such a decision are counted."""
        key = (decision.reason, decision.fallback, decision.coverage)
        count = self.counts.get(key)
        if count is None:
            if len(self.counts) >= self.most:
                key = (decision.reason, decision.fallback, "")
            count = self.counts.setdefault(key, Count())
        return count

    def count(self, decision: Decision) -> None:
        """Count an answer."""
        self.count_of(decision).number += 1


class Tallies:
    """All that was counted since the start. Their number is bounded by what operators have named:
    servers and classes.
    """

    def __init__(self) -> None:
        self._known: dict[tuple[str, str, str, str], Tally] = {}

    def of(
        self, candidate: Candidate | None, content: ContentClass, transport: str = HTTP
    ) -> Tally:
        """Return the tally of a place, or of no place at all."""
        site = server = NOBODY
        if candidate is not None:
            site = candidate.site.name
            server = NOBODY if candidate.server is None else candidate.server.name
        key = (site, server, content.name, transport)
        tally = self._known.get(key)
        if tally is None:
            tally = self._known[key] = Tally(*key)
        return tally

    def add_to(self, metrics: WorkerMetrics) -> None:
        """Write the sums into the metrics."""
        sites, servers = Counter[str](), Counter[str]()
        classes, reasons = Counter[str](), Counter[str]()
        transports = Counter[str]()
        fallbacks = unknown = 0
        for tally in self._known.values():
            for (reason, fallback, _coverage), count in tally.counts.items():
                number = count.number
                if not number:
                    continue
                sites[tally.site] += number
                servers[tally.server] += number
                classes[tally.content] += number
                reasons[reason.word] += number
                transports[tally.transport] += number
                fallbacks += number * fallback
                if reason is not _LISTED and reason is not _NONE:
                    unknown += number
        metrics.routed_sites, metrics.routed_servers = sites, servers
        metrics.routed_classes, metrics.routed_reasons = classes, reasons
        metrics.routed_transports = transports
        metrics.routed_fallbacks, metrics.routed_unknown_clients = fallbacks, unknown

    def decisions(self) -> list[tuple[str, str, str, int]]:
        """Return how often clients of a coverage were sent to a site, by coverage, class and site:
        the most frequent.
        """
        found = Counter[tuple[str, str, str]]()
        for tally in self._known.values():
            for (_reason, _fallback, coverage), count in tally.counts.items():
                if count.number:
                    found[coverage or OTHER, tally.content, tally.site] += count.number
        return [(*place, number) for place, number in found.most_common(MOST_PAIRS)]
