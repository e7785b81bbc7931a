"""Coverage that a server learns: one object between the speaker, the nodes and the operator. Pure:
times are Unix times.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256

from headrace.bgp.announcement import IPNetwork
from headrace.bgp.events import (
    Attributes,
    Dropped,
    DropReason,
    Lost,
    Received,
    SessionDown,
    SessionKey,
    SessionUp,
    SpeakerEvent,
)
from headrace.topology.ancestors import Ancestors
from headrace.topology.announced_document import MOST_APPROVED, Approved
from headrace.topology.learnt_document import LearntDocument, texts_of
from headrace.topology.learnt_taken import filter_of, owners_of
from headrace.topology.model import Topology
from headrace.topology.prefix_set import NO_PREFIXES, PrefixSet
from headrace.vip.learn.history import MOST_ENTRIES, Entry, KeptCoverage, KeptLearning
from headrace.vip.learn.learner import Learner, NotProposedError
from headrace.vip.learn.status import LearningStatus, status_of

APPROVED_S = 3600.0
_DIGEST_LETTERS = 16


@dataclass(frozen=True, slots=True)
class LearningCounts:
    """Prefixes that nodes are told, changes that wait, coverage with an alarm, and prefixes that
    were announced and not taken.
    """

    prefixes: int = 0
    waiting: int = 0
    alarms: int = 0
    not_taken: int = 0


class Learning:
    """All coverage that is learnt at the site of `server`. `kept` is what `keep` returned before a
    restart, `routers` has the AS number of each router. `history` has the newest entry last.
    """

    def __init__(
        self,
        server: str,
        kept: KeptLearning | None = None,
        routers: Mapping[SessionKey, int] = {},
    ) -> None:
        kept = kept or KeptLearning()
        self.server = server
        self.history: deque[Entry] = deque(kept.history, MOST_ENTRIES)
        self._taken = {one.name: PrefixSet(one.v4, one.v6) for one in kept.coverage}
        self._learners: dict[str, Learner] = {}
        self.routers = routers
        self._network = ""
        self._owners: Ancestors[str] | None = None
        # What routers announce, as the speaker keeps it: for rules that come later.
        self._up: set[SessionKey] = set()
        self._routes: dict[SessionKey, dict[IPNetwork, Attributes]] = {}

    def described(self, topology: Topology, now: float, *, whole: bool = True) -> None:
        """Follow a description from now on. One that is not `whole` lacks its prefixes:
        the clients of other networks are then those of the description before.
        """
        self._network = topology.name
        here = next((one.site for one in topology.servers if one.name == self.server), "")
        wanted = [one for one in topology.coverage if one.learnt and one.learnt.site == here]
        if whole:
            self._owners = owners_of(topology.networks) if wanted else None
        former, self._learners = self._learners, {}
        for one in wanted:
            assert one.learnt is not None
            filtering = filter_of(topology, one, self._owners)
            known = former.get(one.name)
            if known is None or known.rules.router_as != one.learnt.router_as:
                taken = self._taken.get(one.name, NO_PREFIXES) if known is None else known.taken
                known = Learner(one.name, one.learnt, filtering, taken, now)
                self._tell(known, now)
            elif one.learnt != known.rules:
                known.rules_are(one.learnt, filtering, now)
                self._tell(known, now)
            else:
                known.heard.rules_are(one.learnt, filtering, now)
            self._learners[one.name] = known

    @property
    def learns(self) -> bool:
        """Whether there is anything to learn here."""
        return bool(self._learners)

    def heard(self, event: SpeakerEvent, now: float) -> None:
        """Take in what the speaker reports."""
        match event:
            case SessionUp(session):
                self._up.add(session)
            case SessionDown(session):
                self._up.discard(session)
            case Received(session, prefix, attributes):
                self._routes.setdefault(session, {})[prefix] = attributes
            case Lost(session, prefix):
                self._routes.get(session, {}).pop(prefix, None)
        for learner in self._learners.values():
            self._hear(learner, event, now)

    def tick(self, now: float) -> Iterator[list[Entry]]:
        """Let time pass, about once a second; yield what happened, coverage by coverage: with many
        prefixes each takes its time, and others may have theirs in between.
        """
        for one in list(self._learners.values()):
            found = list(one.tick(now))
            self.history.extend(found)
            yield found

    def approve(self, coverage: str, digest: str, by: str, now: float) -> Entry:
        """Take the change that waits. Raises NotProposedError."""
        entry = self._learner(coverage).approve(digest, by, now)
        self.history.append(entry)
        return entry

    def reject(self, coverage: str, digest: str, by: str, now: float) -> Entry:
        """Leave a change that waits. Raises NotProposedError."""
        entry = self._learner(coverage).reject(digest, by, now)
        self.history.append(entry)
        return entry

    def approved(self, now: float) -> tuple[Approved, ...]:
        """Return what was approved at this server within the last hour: the others of its site
        follow that, and nobody follows who only followed.
        """
        found = [
            Approved(one.coverage, one.identity)
            for one in self.history
            if one.kind == "approved" and one.identity and 0 <= now - one.at <= APPROVED_S
        ]
        return tuple(found[-MOST_APPROVED:])

    def follow(self, told: Mapping[str, tuple[Approved, ...]], now: float) -> list[Entry]:
        """Take what waits here and was approved at other servers, by name; return what happened."""
        found: list[Entry] = []
        for name, one in self._learners.items():
            identities = {
                each.change: server
                for server, approved in told.items()
                for each in approved
                if each.coverage == name
            }
            found.extend(one.follow(identities, now))
        self.history.extend(found)
        return found

    def document(self) -> LearntDocument:
        """Return what nodes are told."""
        coverage = {name: texts_of(one.in_force) for name, one in self._learners.items()}
        digest = sha256(repr(sorted(coverage.items())).encode()).hexdigest()[:_DIGEST_LETTERS]
        return LearntDocument(self.server, self._network, digest, coverage)

    def counts(self) -> LearningCounts:
        """Return the sums of all coverage."""
        every = self._learners.values()
        return LearningCounts(
            sum(len(one.in_force) for one in every),
            sum(one.waiting is not None for one in every),
            sum(bool(one.alarm) for one in every),
            sum(one.heard.refused.total() for one in every),
        )

    def status(self) -> LearningStatus:
        """Return what there is to say."""
        return LearningStatus(
            self.server,
            [status_of(one) for one in self._learners.values()],
            list(reversed(self.history)),
        )

    def keep(self) -> KeptLearning:
        """Return what is to survive a restart."""
        return KeptLearning(
            tuple(
                KeptCoverage(name, one.taken.v4, one.taken.v6)
                for name, one in self._learners.items()
            ),
            tuple(self.history),
        )

    def _tell(self, learner: Learner, now: float) -> None:
        """Tell one what routers have announced."""
        for session in self._up:
            if not self._hears(learner, session):
                continue
            learner.heard.up(session, now)
            for prefix, attributes in self._routes.get(session, {}).items():
                learner.heard.announced(session, prefix, attributes, now)

    def _hear(self, learner: Learner, event: SpeakerEvent, now: float) -> None:
        """Tell one what concerns it."""
        match event:
            case SessionUp(session) if self._hears(learner, session):
                learner.heard.up(session, now)
            case SessionDown(session) if self._hears(learner, session):
                learner.heard.down(session, now)
            case Received(session, prefix, attributes) if self._hears(learner, session):
                learner.heard.announced(session, prefix, attributes, now)
            case Lost(session, prefix) if self._hears(learner, session):
                learner.heard.lost(session, prefix, now)
            case Dropped(None, reason, detail):
                learner.heard.dropped(reason, detail)
            case Dropped(session, reason, detail) if session and self._hears(learner, session):
                learner.heard.dropped(reason, detail)
                if reason is DropReason.TOO_MANY:
                    learner.heard.overflowed(session)

    def _hears(self, learner: Learner, session: SessionKey) -> bool:
        """Return whether a router has a part in a coverage."""
        of = learner.rules.router_as
        return not of or self.routers.get(session) in of

    def _learner(self, coverage: str) -> Learner:
        found = self._learners.get(coverage)
        if found is None:
            some = ", ".join(self._learners) or "none"
            raise NotProposedError(f"{coverage[:64]!r} is not learnt here: what is is {some}")
        return found
