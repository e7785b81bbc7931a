"""What happened at each service, as plain integers that the request path increments directly.

Bounded: the services beyond the limit, in the configuration's order, share one tally. A service
keeps its tally over reloads; one that is gone takes its own along.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

OTHER = "other"


class ServiceTally:
    """One service's counts since the worker started."""

    __slots__ = ("bytes_sent", "errors", "hits", "origin_failures", "requests")

    def __init__(self) -> None:
        self.requests = 0
        self.hits = 0
        self.bytes_sent = 0
        self.errors = 0
        self.origin_failures = 0


class ServiceTallies:
    """All services' counts of one worker."""

    def __init__(self) -> None:
        self.other = ServiceTally()
        self._known: dict[str, ServiceTally] = {}

    def plan(self, names: Iterable[str], limit: int) -> dict[str, ServiceTally]:
        """Return each service's tally under a configuration that may yet be refused; changes
        nothing.
        """
        found: dict[str, ServiceTally] = {}
        for number, name in enumerate(names):
            known = self._known.get(name)
            found[name] = self.other if number >= limit else known or ServiceTally()
        return found

    def adopt(self, tallies: Mapping[str, ServiceTally]) -> None:
        """Take these services from now on."""
        self._known = {name: tally for name, tally in tallies.items() if tally is not self.other}

    def of(self, name: str) -> ServiceTally:
        """Return the tally of a service by its name."""
        return self._known.get(name, self.other)

    def counts(self, what: str) -> dict[str, int]:
        """Return one of the counts by the services' names, as far as anything was counted."""
        found = {name: getattr(tally, what) for name, tally in self._known.items()}
        found[OTHER] = found.get(OTHER, 0) + getattr(self.other, what)
        return {name: count for name, count in found.items() if count}
