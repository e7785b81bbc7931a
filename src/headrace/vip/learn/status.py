"""What there is to say of learnt coverage, for people and for those who ask over HTTP."""

from __future__ import annotations

import msgspec

from headrace.topology.learnt_document import texts_of
from headrace.topology.learnt_rules import REMEDIES
from headrace.topology.prefix_set import PrefixSet, set_of_records
from headrace.vip.learn.change import Change, addresses
from headrace.vip.learn.history import Entry
from headrace.vip.learn.learner import Learner, Waiting

MOST_SHOWN = 100


class Refused(msgspec.Struct):
    """Prefixes that were not taken: why, how often, the first of them, and what helps."""

    reason: str
    count: int
    first: str
    remedy: str


class WaitingChange(msgspec.Struct):
    """A change that waits. Of the prefixes the first are named; addresses of IPv6 are networks of
    /64, and the share is that of the family of which more changes.
    """

    digest: str
    since: float
    why: str
    prefixes_added: int
    prefixes_removed: int
    added: list[str]
    removed: list[str]
    v4_added: float
    v4_removed: float
    v6_added: float
    v6_removed: float
    share: float


class CoverageStatus(msgspec.Struct):
    """One coverage: what nodes are told, what is heard, and what waits."""

    name: str
    site: str
    taking: str
    prefixes: int
    v4_addresses: float
    v6_networks: float
    heard: int
    unsettled: int
    alarm: str
    lapsed: list[str]
    waiting: WaitingChange | None
    refused: list[Refused]


class LearningStatus(msgspec.Struct):
    """All of it; `history` begins with the last, `problem` says why nothing is learnt."""

    server: str
    coverage: list[CoverageStatus]
    history: list[Entry]
    problem: str = ""


def status_of(learner: Learner) -> CoverageStatus:
    """Return what there is to say of one coverage."""
    heard, in_force = learner.heard, learner.in_force
    v4, v6 = addresses(in_force)
    return CoverageStatus(
        learner.name,
        learner.rules.site,
        "automatic" if learner.rules.automatic else "approved",
        len(in_force),
        v4,
        v6,
        len(heard),
        heard.unsettled,
        learner.alarm,
        learner.lapsed,
        None if learner.waiting is None else _waiting(learner.waiting),
        [
            Refused(reason.value, count, heard.first.get(reason, ""), REMEDIES[reason])
            for reason, count in heard.refused.most_common()
        ],
    )


def _waiting(waiting: Waiting) -> WaitingChange:
    change: Change = waiting.change
    return WaitingChange(
        change.digest,
        waiting.since,
        waiting.why,
        len(change.added),
        len(change.removed),
        _first(change.added),
        _first(change.removed),
        change.v4.added,
        change.v4.removed,
        change.v6.added,
        change.v6.removed,
        change.share,
    )


def _first(prefixes: PrefixSet) -> list[str]:
    return list(texts_of(set_of_records(prefixes.records()[:MOST_SHOWN])))
