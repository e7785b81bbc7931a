"""Takes what is heard of one coverage, by itself within bounds or when somebody approves it. Pure.

Whatever is taken is a whole set. The bound of what is taken by itself is one for all changes of an
hour, so that many small ones move no more clients than one may.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from headrace.bgp.announcement import Family
from headrace.errors import HeadraceError
from headrace.topology.learnt_rules import REMEDIES, Filter, LearntRules, NotTaken
from headrace.topology.prefix_set import PrefixSet
from headrace.vip.learn.change import Change, compared
from headrace.vip.learn.heard import Heard
from headrace.vip.learn.history import Entry

WINDOW_S = 3600.0
MOST_RECENT = 10_000


class NotProposedError(HeadraceError):
    """There is no such change to approve or reject."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """A change that waits for approval, since a Unix time, and why."""

    change: Change
    since: float
    why: str


class Learner:
    """One coverage. Times are Unix times; `taken` is what was taken last."""

    def __init__(
        self, name: str, rules: LearntRules, filtering: Filter, taken: PrefixSet, now: float
    ) -> None:
        self.name = name
        self.rules = rules
        self.heard = Heard(rules, filtering, taken, now)
        self.taken = taken
        self.waiting: Waiting | None = None
        self.alarm = ""
        self._settled = taken
        self._change: Change | None = None
        self._lapsed: set[Family] = set()
        self._rejected = ""
        self._recent: deque[tuple[float, float, int]] = deque(maxlen=MOST_RECENT)

    @property
    def in_force(self) -> PrefixSet:
        """What nodes are told: nothing of a family of which no router was heard for too long."""
        return PrefixSet(
            b"" if Family.IPV4 in self._lapsed else self.taken.v4,
            b"" if Family.IPV6 in self._lapsed else self.taken.v6,
        )

    @property
    def lapsed(self) -> list[str]:
        """The families of which nothing is told because no router was heard for too long."""
        return [f"IPv{one.value}" for one in sorted(self._lapsed, key=lambda one: one.value)]

    def rules_are(self, rules: LearntRules, filtering: Filter, now: float) -> None:
        """Follow other rules from now on."""
        self._rejected = ""
        self.rules = rules
        self.heard.rules_are(rules, filtering, now)

    def tick(self, now: float) -> Iterator[Entry]:
        """Let time pass; yield what happened."""
        lapsed = self.heard.lapsed(now)
        for family in sorted(lapsed ^ self._lapsed, key=lambda one: one.value):
            if self._of(family):
                kind = "lapsed" if family in lapsed else "heard-again"
                which = f"IPv{family.value}"
                yield Entry(now, kind, self.name, detail=which)
        self._lapsed = lapsed
        if self.heard.tick(now):
            self._settled = self.heard.settled
            self._change = compared(self.taken, self._settled)
        alarm = self._alarm()
        if alarm != self.alarm:
            self.alarm = alarm
            yield Entry(now, "alarm" if alarm else "alarm-over", self.name, detail=alarm)
        if alarm:
            self.waiting = None
        else:
            yield from self._decide(now)

    def approve(self, digest: str, by: str, now: float) -> Entry:
        """Take the change that waits. Raises NotProposedError."""
        change = self._proposed(digest)
        return self._take(change, now, "approved", by)

    def follow(self, identities: Mapping[str, str], now: float) -> Iterator[Entry]:
        """Take the change that waits if it is one of those that were approved at other servers,
        whose names stand behind them; yield that it was.
        """
        if self.waiting is not None:
            server = identities.get(self.waiting.change.identity)
            if server is not None:
                yield self._take(self.waiting.change, now, "followed", server)

    def reject(self, digest: str, by: str, now: float) -> Entry:
        """Leave the change that waits, until it is another one. Raises NotProposedError."""
        change = self._proposed(digest)
        self._rejected = change.digest
        self.waiting = None
        return _entry(change, now, "rejected", self.name, by)

    def _of(self, family: Family) -> bytes:
        return self.taken.v4 if family is Family.IPV4 else self.taken.v6

    def _alarm(self) -> str:
        if not self.heard.too_many:
            return ""
        return (
            f"more than {self.rules.most} prefixes are announced, so nothing changes: "
            f"{REMEDIES[NotTaken.TOO_MANY]}, then let the session begin again"
        )

    def _decide(self, now: float) -> Iterator[Entry]:
        change = self._change
        if change is None or change.digest == self._rejected:
            self.waiting = None
            return
        self._rejected = ""
        why = self._too_much(change, now)
        if not why:
            yield self._take(change, now, "taken", "automatic")
        elif self.waiting is None:
            self.waiting = Waiting(change, now, why)
            yield _entry(change, now, "waits", self.name, detail=why)
        elif self.waiting.change is not change:
            # It grows while the rest is heard; the history has its beginning and its end.
            self.waiting = Waiting(change, self.waiting.since, why)

    def _too_much(self, change: Change, now: float) -> str:
        """Return why a change is not taken by itself."""
        rules = self.rules
        if not rules.automatic:
            return 'every change waits: taking = "approved"'
        while self._recent and now - self._recent[0][0] >= WINDOW_S:
            self._recent.popleft()
        share = change.share + sum(each for _at, each, _count in self._recent)
        count = change.prefixes + sum(each for _at, _share, each in self._recent)
        if share > rules.most_changed and rules.most_changed < 1:
            return (
                f"{100 * share:.1f} % of the addresses would have changed within an hour, "
                f"most_changed is {100 * rules.most_changed:.1f} %"
            )
        if count > rules.most_prefixes:
            return (
                f"{count} prefixes would have changed within an hour, "
                f"most_prefixes is {rules.most_prefixes}"
            )
        return ""

    def _take(self, change: Change, now: float, kind: str, by: str) -> Entry:
        if kind == "taken":
            self._recent.append((now, change.share, change.prefixes))
        self.taken = change.after
        self._change = compared(self.taken, self._settled)
        self.waiting = None
        return _entry(change, now, kind, self.name, by)

    def _proposed(self, digest: str) -> Change:
        """Return the change that waits. Raises NotProposedError."""
        if self.waiting is None:
            raise NotProposedError(f"no change of {self.name!r} waits")
        change = self.waiting.change
        if digest != change.digest:
            raise NotProposedError(
                f"the change of {self.name!r} that waits is {change.digest}, not {digest[:64]}: "
                "see it with `headrace vip coverage diff`, then name it"
            )
        return change


def _entry(
    change: Change, now: float, kind: str, name: str, by: str = "", detail: str = ""
) -> Entry:
    return Entry(
        now,
        kind,
        name,
        change.digest,
        len(change.added),
        len(change.removed),
        change.share,
        by,
        detail,
        change.identity,
    )
