"""What the routers announce of a coverage's clients, without what comes and goes. Pure.

A prefix counts while any session announces it. One that comes or goes counts when it has stayed so
for a time; one that goes again and again is damped. What a session announced stays while that is
down, and for as long after it is up again as a router takes to announce all of it.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from functools import lru_cache

from headrace.bgp.announcement import Family, community_text
from headrace.bgp.events import Attributes, DropReason, SessionKey
from headrace.damping import NO_FLAPS, Flaps, decayed, flapped
from headrace.topology.learnt_rules import Filter, LearntRules, NotTaken
from headrace.topology.prefix_set import V4_RECORD, Prefix, PrefixSet, record_of, set_of_records

RESYNC_S = 60.0
"""A router announces all it has well within this after its session is up."""
HELD_PER_TAKEN = 2
"""So many times as many prefixes as may be taken are remembered, to see when they are fewer."""
MOST_FLAPS = 50_000
SETTLED_PER_S = 5_000
"""A set that changed is compared as a whole, so one of so many prefixes changes once a second at
most, and larger ones less often: when prefixes come and go is the routers' choice."""
_LONGEST_DETAIL = 64
_DROPPED = {
    DropReason.DEFAULT_ROUTE: NotTaken.DEFAULT_ROUTE,
    DropReason.TOO_LONG: NotTaken.TOO_LONG,
    DropReason.TOO_SHORT: NotTaken.TOO_SHORT,
    DropReason.NOT_ALLOWED: NotTaken.NOT_WITHIN,
    DropReason.NOT_GLOBAL: NotTaken.NOT_GLOBAL,
    DropReason.TOO_MANY: NotTaken.TOO_MANY,
}
_FORGET_S = 60.0
_AGAIN_S = 10.0


@dataclass(frozen=True, slots=True)
class FlapRules:
    """Three losses in some minutes keep a prefix from changing for a while: see `damping`."""

    flap_penalty: float = 1000.0
    half_life_s: float = 300.0
    suppress: float = 2500.0
    reuse: float = 750.0
    longest_suppress_s: float = 3600.0


@dataclass(slots=True)
class _Session:
    """A session, or what was kept over a restart: what it announces, since when it is down (None:
    it is up) and, once it is up again, what it has not announced again, since `up_s`.
    """

    family: Family
    routes: set[bytes] = field(default_factory=set)
    down_s: float | None = None
    stale: set[bytes] = field(default_factory=set)
    up_s: float = 0.0


class Heard:
    """The prefixes of one coverage. `kept` are those that counted before a restart."""

    def __init__(
        self, rules: LearntRules, filtering: Filter, kept: PrefixSet, now_s: float
    ) -> None:
        self.refused: Counter[NotTaken] = Counter()
        self.first: dict[NotTaken, str] = {}
        self._rules = rules
        self._filter = filtering
        self._sessions: dict[SessionKey | Family, _Session] = {}
        self._count: Counter[bytes] = Counter()
        self._settled = set(kept.records())
        self._moved: dict[bytes, float] = {}
        self._flaps: dict[bytes, tuple[Flaps, float]] = {}
        self._damping = FlapRules()
        self._forget_s = now_s
        self._changed_s = float("-inf")
        self._overflow: set[SessionKey] = set()
        for family in Family:
            of_family = {one for one in self._settled if _family(one) is family}
            self._sessions[family] = _Session(family, set(of_family), now_s)
            self._count.update(of_family)

    def __len__(self) -> int:
        """Return how many prefixes are announced now, or were before a session ended."""
        return len(self._count)

    @property
    def settled(self) -> PrefixSet:
        """What counts."""
        return set_of_records(list(self._settled))

    @property
    def unsettled(self) -> int:
        """How many prefixes wait because they changed lately, or often."""
        return len(self._moved)

    @property
    def too_many(self) -> bool:
        """Whether more is announced than may be taken."""
        return len(self._count) > self._rules.most or bool(self._overflow)

    def rules_are(self, rules: LearntRules, filtering: Filter, now_s: float) -> None:
        """Judge by other rules from now on; what is known already too, by its prefix."""
        if rules != self._rules:
            self.refused.clear()
            self.first.clear()
        self._rules, self._filter = rules, filtering
        for session in self._sessions.values():
            for record in [one for one in session.routes if filtering.prefix(one) is not None]:
                self._take_away(session, record, now_s, flap=False)

    def up(self, key: SessionKey, now_s: float) -> None:
        """Note that a session is up: what it announced before has to come again."""
        session = self._session(key)
        for each in (session, self._sessions.get(key.family)):
            if each is not None and each.down_s is not None:
                each.down_s, each.up_s, each.stale = None, now_s, set(each.routes)
        self._overflow.discard(key)

    def down(self, key: SessionKey, now_s: float) -> None:
        """Note that a session ended: what it announced stays for a time."""
        session = self._session(key)
        if session.down_s is None:
            session.down_s = now_s

    def dropped(self, reason: DropReason, detail: str) -> None:
        """Count what the speaker did not take; it tells the first of each kind and session."""
        word = _DROPPED.get(reason)
        if word is not None:
            self.refused[word] += 1
            self.first.setdefault(word, detail[:_LONGEST_DETAIL])

    def overflowed(self, key: SessionKey) -> None:
        """Note that a session announces more than its speaker keeps."""
        self._overflow.add(key)

    def announced(
        self, key: SessionKey, prefix: Prefix, attributes: Attributes, now_s: float
    ) -> None:
        """Take a prefix, or count why not."""
        session, record = self._session(key), _record_of(prefix)
        communities: set[str] = set()
        if self._rules.communities:  # else they are of no account, and a router may send many
            communities = {community_text(one) for one in attributes.communities}
            communities |= {community_text(one) for one in attributes.large_communities}
        reason = self._filter.prefix(record) or self._filter.route(attributes.as_path, communities)
        if _family(record).value != prefix.version:
            reason = NotTaken.NOT_GLOBAL  # an IPv4 address written as one of IPv6
        full = len(self._count) >= HELD_PER_TAKEN * self._rules.most
        if reason is None and record not in self._count and full:
            self._overflow.add(key)
            reason = NotTaken.TOO_MANY
        if reason is not None:
            self.refused[reason] += 1
            if reason not in self.first:
                self.first[reason] = str(prefix)
            self._take_away(session, record, now_s)
            return
        session.stale.discard(record)
        if record not in session.routes:
            session.routes.add(record)
            self._count[record] += 1
            if self._count[record] == 1:
                self._move(record, now_s)

    def lost(self, key: SessionKey, prefix: Prefix, now_s: float) -> None:
        """Forget a prefix, unless it is its session that ended."""
        session = self._session(key)
        if session.down_s is None:
            self._take_away(session, _record_of(prefix), now_s)

    def lapsed(self, now_s: float) -> set[Family]:
        """Return the families of which no session was up for so long that nothing counts."""
        return {
            family
            for family in Family
            if all(
                one.down_s is not None and now_s - one.down_s >= self._rules.keep_s
                for one in self._sessions.values()
                if one.family is family
            )
        }

    def tick(self, now_s: float) -> bool:
        """Let time pass; return whether something else counts than before."""
        lapsed = self.lapsed(now_s)
        for key, session in list(self._sessions.items()):
            gone: set[bytes] = set()
            if session.down_s is None and now_s - session.up_s >= RESYNC_S:
                gone, session.stale = session.stale, set()
                if isinstance(key, Family):
                    del self._sessions[key]
            elif session.down_s is not None and session.family not in lapsed:
                gone = session.routes if now_s - session.down_s >= self._rules.keep_s else gone
            for record in list(gone):
                self._take_away(session, record, now_s, flap=False)
        self._forget_flaps(now_s)
        return self._settle(now_s)

    def _session(self, key: SessionKey) -> _Session:
        found = self._sessions.get(key)
        if found is None:
            found = self._sessions[key] = _Session(key.family)
        return found

    def _take_away(
        self, session: _Session, record: bytes, now_s: float, *, flap: bool = True
    ) -> None:
        session.stale.discard(record)
        if record not in session.routes:
            return
        session.routes.discard(record)
        self._count[record] -= 1
        if not self._count[record]:
            del self._count[record]
            if flap:
                self._flap(record, now_s)
            self._move(record, now_s)

    def _move(self, record: bytes, now_s: float) -> None:
        """Note that a prefix came or went; the dict stays in the order of these times."""
        self._moved.pop(record, None)
        if (record in self._count) != (record in self._settled):
            self._moved[record] = now_s

    def _flap(self, record: bytes, now_s: float) -> None:
        if record in self._flaps or len(self._flaps) < MOST_FLAPS:
            flaps = flapped(self._flaps_of(record, now_s), self._damping)
            self._flaps[record] = flaps, now_s

    def _flaps_of(self, record: bytes, now_s: float) -> Flaps:
        flaps, at_s = self._flaps.get(record, (NO_FLAPS, now_s))
        return decayed(flaps, now_s - at_s, self._damping)

    def _forget_flaps(self, now_s: float) -> None:
        if now_s - self._forget_s >= _FORGET_S:
            self._forget_s = now_s
            for record in list(self._flaps):
                if self._flaps_of(record, now_s) == NO_FLAPS:
                    del self._flaps[record]

    def _settle(self, now_s: float) -> bool:
        if self.too_many:
            return False  # and nothing of a flood is left when it is over
        if 0 <= now_s - self._changed_s < len(self._settled) / SETTLED_PER_S:
            return False
        changed = False
        later: list[bytes] = []
        for record, at_s in self._moved.items():
            if now_s - at_s < self._rules.settle_s:
                break
            later.append(record)
        for record in later:
            del self._moved[record]
            if self._flaps_of(record, now_s).suppressed:
                self._moved[record] = now_s - max(0.0, self._rules.settle_s - _AGAIN_S)
            elif record in self._count:
                self._settled.add(record)
                changed = True
            else:
                self._settled.discard(record)
                changed = True
        if changed:
            self._changed_s = now_s
        return changed


@lru_cache(maxsize=1024)
def _record_of(prefix: Prefix) -> bytes:
    """Return it once for all coverages, of which each is told the same one after the other."""
    return record_of(str(prefix))


def _family(record: bytes) -> Family:
    return Family.IPV4 if len(record) == V4_RECORD.size else Family.IPV6
