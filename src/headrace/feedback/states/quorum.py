"""What observers together say of a server, and which of them are to be believed. Pure.

Those are heard that are configured, alive and not blind. One that sees most of everything fail
where the others see it serve is at fault itself, and counted out. Of the rest a majority decides.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from headrace.feedback.observation import DEAD, Observer, Outcome, ProbeRecord
from headrace.feedback.states.model import Evidence, Why
from headrace.feedback.states.rules import StateRules

MOST_EVIDENCE = 6


@dataclass(frozen=True, slots=True)
class Panel:
    """The observers of a step, by name: those that are believed, and why others are not. `votes`
    is how many make a quorum; `few`: too few are left to take anything out.
    """

    sound: tuple[str, ...]
    silent: tuple[str, ...]
    blind: tuple[str, ...]
    unsound: tuple[str, ...]
    votes: int
    few: bool

    @property
    def alone(self) -> bool:
        """Return whether one observer decides by itself."""
        return len(self.sound) == 1


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a quorum says of a server. `down`: it failed, `dead` moreover: nothing is there, and
    `refused` that it said so itself. `reasons` are of what failed, the most frequent first.
    `failures`, `slow` and `successes` are what a quorum has seen in a row at least; `seen` is by
    how many it was probed lately.
    """

    seen: int = 0
    down: bool = False
    dead: bool = False
    refused: bool = False
    failures: int = 0
    slow: int = 0
    successes: int = 0
    reasons: tuple[Why, ...] = ()


UNSEEN = Verdict()


def choose_panel(
    observers: Mapping[str, Observer], servers: Collection[str], rules: StateRules
) -> Panel:
    """Return which observers are to be believed in a step."""
    configured = sorted(set(rules.observers))
    heard = {
        name: observers[name]
        for name in configured
        if name in observers and observers[name].age_s <= rules.observer_age_s
    }
    bad = {name: _bad(one, servers, rules) for name, one in heard.items()}
    blind = {name for name, seen in bad.items() if len(seen) * 2 < len(servers)}
    seeing = {name: seen for name, seen in bad.items() if name not in blind}
    unsound = _unsound(seeing, rules.unsound)
    sound = tuple(name for name in seeing if name not in unsound)
    return Panel(
        sound,
        tuple(name for name in configured if name not in heard),
        tuple(sorted(blind)),
        tuple(sorted(unsound)),
        len(sound) // 2 + 1,
        2 * len(sound) < len(configured) or not sound,
    )


def judge(
    panel: Panel, observers: Mapping[str, Observer], server: str, hinted: bool, rules: StateRules
) -> Verdict:
    """Return what the panel says of a server.

    `hinted`: others' failures speak against it too, so that one failed probe of each is enough.
    """
    records = fresh_records(panel.sound, observers, server, rules).values()
    if len(records) < panel.votes:
        return UNSEEN
    votes = panel.votes
    more = rules.alone if panel.alone else 0
    against = [why for one in records if (why := why_down(one, more, hinted, rules)) is not None]
    dead = sum(one.outcome in DEAD for one in records)
    refused = sum(one.outcome is Outcome.REFUSED for one in records)
    failing = against or [Why(one.outcome) for one in records if one.outcome is not Outcome.OK]
    return Verdict(
        len(records),
        len(against) >= votes,
        dead >= votes,
        refused >= votes,
        _quorum_has(votes, (one.failures for one in records)),
        _quorum_has(votes, (one.slow for one in records)),
        _quorum_has(votes, (one.successes for one in records)),
        tuple(sorted(set(failing), key=lambda why: (-failing.count(why), why))),
    )


def why_down(record: ProbeRecord, more: int, hinted: bool, rules: StateRules) -> Why | None:
    """Return why a server failed as one observer sees it, who must have seen so many probes more;
    None: it did not."""
    if record.outcome is Outcome.OK:
        return Why.LOSSY if _is_lossy(record, rules) else None
    needed = 1 if hinted else rules.failures
    if record.outcome is Outcome.REFUSED:
        needed = min(needed, rules.refusals)
    if record.failures >= needed + more:
        return Why(record.outcome)
    if record.slow >= rules.slow + more:
        return Why.SLOW
    return Why.LOSSY if _is_lossy(record, rules) else None


def fresh_records(
    names: Iterable[str], observers: Mapping[str, Observer], server: str, rules: StateRules
) -> dict[str, ProbeRecord]:
    """Return the records of a server that are young enough to count, by observer."""
    found: dict[str, ProbeRecord] = {}
    for name in names:
        observer = observers[name]
        record = observer.probes.get(server)
        if record is not None and record.age_s + observer.age_s <= rules.probe_age_s:
            found[name] = record
    return found


def evidence(
    panel: Panel, observers: Mapping[str, Observer], server: str, rules: StateRules
) -> tuple[Evidence, ...]:
    """Return what the panel's observers said of a server, a bounded part of it."""
    records = fresh_records(panel.sound, observers, server, rules)
    return tuple(
        Evidence(
            name,
            one.outcome,
            round(one.age_s + observers[name].age_s, 3),
            one.failures,
            one.slow,
            one.successes,
        )
        for name, one in list(records.items())[:MOST_EVIDENCE]
    )


def _is_lossy(record: ProbeRecord, rules: StateRules) -> bool:
    return record.failing >= rules.lossy and record.successes < rules.successes


def _bad(observer: Observer, servers: Collection[str], rules: StateRules) -> dict[str, bool]:
    """Return the servers that an observer has probed lately, and whether badly."""
    oldest_s = rules.probe_age_s - observer.age_s
    probes = observer.probes
    return {
        server: record.outcome is not Outcome.OK
        for server in servers
        if (record := probes.get(server)) is not None and record.age_s <= oldest_s
    }


def _unsound(seeing: Mapping[str, Mapping[str, bool]], share: float) -> set[str]:
    """Return who sees more than a share of all servers fail that most others see serve."""
    if len(seeing) < 2:
        return set()
    seen: dict[str, int] = {}
    bad: dict[str, int] = {}
    for one in seeing.values():
        for server, is_bad in one.items():
            seen[server] = seen.get(server, 0) + 1
            if is_bad:
                bad[server] = bad.get(server, 0) + 1
    unsound = set()
    for name, one in seeing.items():
        against = 0
        for server, is_bad in one.items():
            if is_bad and 2 * (seen[server] - bad[server]) > seen[server] - 1:
                against += 1
        if against > share * len(one):
            unsound.add(name)
    return unsound


def _quorum_has(votes: int, counts: Iterable[int]) -> int:
    """Return what a quorum has at least."""
    return sorted(counts, reverse=True)[votes - 1]
