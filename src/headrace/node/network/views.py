"""The view in force in the supervisor: what was taken, what was refused, and how it ages."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

import structlog

from headrace.topology.model import Topology
from headrace.topology.view import NO_VIEW, ServerState, View
from headrace.topology.view_age import aged, ended, step_of_age
from headrace.topology.view_codec import AHEAD_S, ViewError, check_network, check_newer, decode_view

LOG_AGAIN_S = 600.0
"""A kind of refusal of one source that was logged is not logged again for so long; its count has
each."""

log = structlog.get_logger("headrace.network")


@dataclass(slots=True)
class Views:
    """What is known of views. `network` is the own one's name, `said` the newest view as it
    was written, `over` the servers whose orders have ended since; times are Unix time."""

    max_age_s: float
    network: str = ""
    said: View = NO_VIEW
    source: str = ""
    taken_at: float = 0.0
    step: int = 0
    over: frozenset[str] = frozenset()
    refused: Counter[str] = field(default_factory=Counter)
    last_refusal: str = ""
    places: Mapping[str, str] = field(default_factory=dict)
    """Where the sources are, of those whose name does not say it."""
    _logged: dict[tuple[str, str], float] = field(default_factory=dict)

    def offer(self, data: bytes, source: str, now: float) -> bool:
        """Take a document if it is newer; return whether it was. Raises ViewError."""
        try:
            view = decode_view(data)
            check_network(view, self.network)
            newer = check_newer(view, self.said, now)
        except ViewError as error:
            self.refuse(error, source, now)
            raise
        if newer:
            self.said, self.source, self.taken_at = view, source, now
            log.debug("view_taken", version=view.version, source=source)
            self.grow_older(now)
        return newer

    def after(self, now: float) -> str:
        """Return what a view must be later than to be taken: when it was made, and its version.

        One from the future, since the clock was set back, gives way to any.
        """
        said = self.said
        return "0,0" if said.made_at > now + AHEAD_S else f"{said.made_at:.9f},{said.version}"

    def refuse(self, error: ViewError, source: str, now: float) -> None:
        """Count a view that is refused, and log it unless one like it was just before."""
        kind = str(error.kind)
        self.refused[kind] += 1
        where = f"{source} {self.places[source]}" if source in self.places else source
        self.last_refusal = f"{where}: {error}"
        if now - self._logged.get((kind, source), -LOG_AGAIN_S) >= LOG_AGAIN_S:
            self._logged[kind, source] = now
            log.warning(
                "view_refused",
                kind=kind,
                source=where,
                problem=str(error),
                stays=self._stays(now),
            )

    def _stays(self, now: float) -> str:
        """Return which view remains in force after a refusal, for people."""
        age_s = self.age_s(now)
        if age_s is None:
            return "no view: the description alone decides"
        return f"view {self.said.version}, made {age_s:.0f} s ago, from {self.source}"

    def age_s(self, now: float) -> float | None:
        """Return how long ago the view was made; None without one."""
        return None if self.said is NO_VIEW else max(0.0, now - self.said.made_at)

    def grow_older(self, now: float) -> bool:
        """Return whether what counts of the view is another than before, by its age."""
        age_s = self.age_s(now)
        before, self.step = self.step, 0 if age_s is None else step_of_age(age_s, self.max_age_s)
        if age_s is not None and self.step and not before:
            log.warning("view_ages", version=self.said.version, age_s=round(age_s))
        # While views are renewed, whoever writes them says what follows an order.
        was_over, self.over = self.over, ended(self.said, now) if self.step else frozenset()
        return self.step != before or self.over != was_over

    def in_force(self, topology: Topology) -> View:
        """Return what counts of the view at its age."""
        return aged(self.said, topology, self.step, self.over)


def not_online(view: View, topology: Topology) -> dict[str, str]:
    """Return the states of the topology's servers that the view does not have as online."""
    return {
        server.name: seen.state.value
        for server in topology.servers
        if (seen := view.servers.get(server.name)) and seen.state is not ServerState.ONLINE
    }
