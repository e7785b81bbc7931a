"""A router that announces prefixes to `Learning`, at times that a test says."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from ipaddress import ip_address, ip_network

from headrace.bgp.events import (
    Attributes,
    DownReason,
    Dropped,
    DropReason,
    Lost,
    Received,
    SessionDown,
    SessionKey,
    SessionUp,
)
from headrace.topology.learnt_rules import LearntRules
from headrace.topology.model import (
    ClientNetwork,
    Coverage,
    Server,
    Site,
    SiteChoice,
    Topology,
)
from headrace.topology.prefix_set import PrefixSet
from headrace.vip.learn.history import Entry
from headrace.vip.learn.learning import Learning

V4 = SessionKey(ip_address("10.0.0.1"))
OTHER_V4 = SessionKey(ip_address("10.0.0.2"))
V6 = SessionKey(ip_address("fd00::1"))
START = 1_764_000_000.0


def learning_topology(rules: LearntRules) -> Topology:
    """Return a network whose site `a`, in the ISP `isp`, learns the coverage `at-a`."""
    return Topology(
        networks=(
            ClientNetwork("isp", (64500,), PrefixSet.of(["81.0.0.0/9", "2a00:1::/32"])),
            ClientNetwork("other", (64501,), PrefixSet.of(["81.200.0.0/16"])),
        ),
        sites=(Site("a", network="isp"), Site("b", network="isp")),
        servers=(Server("a1", "a", "a1.example"), Server("b1", "b", "b1.example")),
        coverage=(
            Coverage("all", (SiteChoice("b"),), default=True),
            Coverage("at-a", (SiteChoice("a"),), learnt=rules),
        ),
    )


@dataclass
class Router:
    """The router, and the clock of the test."""

    learning: Learning
    now: float = START
    as_path: tuple[int, ...] = (64500,)
    entries: list[Entry] = field(default_factory=list)

    def up(self, session: SessionKey = V4) -> None:
        """Let a session come up."""
        self.learning.heard(SessionUp(session), self.now)

    def down(self, session: SessionKey = V4, lost: Iterable[str] = ()) -> None:
        """Let a session end, and what it announced with it."""
        self.learning.heard(SessionDown(session, DownReason.HOLD_TIMER), self.now)
        self.withdraw(*lost, session=session)

    def announce(self, *prefixes: str, session: SessionKey = V4) -> None:
        """Announce some prefixes."""
        for one in prefixes:
            event = Received(session, ip_network(one), Attributes(self.as_path))
            self.learning.heard(event, self.now)

    def withdraw(self, *prefixes: str, session: SessionKey = V4) -> None:
        """Withdraw some."""
        for one in prefixes:
            self.learning.heard(Lost(session, ip_network(one)), self.now)

    def overflow(self, session: SessionKey = V4) -> None:
        """Announce more than the speaker keeps."""
        self.learning.heard(Dropped(session, DropReason.TOO_MANY, "x"), self.now)

    def wait(self, seconds: float, step_s: float = 5.0) -> None:
        """Let time pass."""
        until = self.now + seconds
        while self.now < until:
            self.now = min(until, self.now + step_s)
            self.entries += [one for each in self.learning.tick(self.now) for one in each]

    def told(self, coverage: str = "at-a") -> set[str]:
        """Return what nodes are told."""
        return set(self.learning.document().coverage[coverage])

    def kinds(self) -> list[str]:
        """Return the kinds of what happened."""
        return [one.kind for one in self.entries]
