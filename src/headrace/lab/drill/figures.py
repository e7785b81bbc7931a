"""What one run of a drill comes to, from what its clients and routers saw. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import msgspec

from headrace.lab.drill.interruption import Interruption, failed, interruption
from headrace.lab.drill.lateness import STALLED_S, explained, lateness_s, own_timeouts, stalled_s
from headrace.lab.drill.moves import Move, back_s, left_owner_s
from headrace.lab.drill.players.played import Played
from headrace.lab.drill.records import Answer, Attempt, Download, Record
from headrace.lab.network.losses import Lost, hopeless
from headrace.lab.network.relay import STARVED_S

_DECIDED_ROW = 20
MOST_FAILURES = 20


class Seen(msgspec.Struct, frozen=True):
    """Everything of one run. `owners` are by VIP, `affected` the VIPs that the event is about;
    `leaving` are the addresses and hosts which request routers are to send nobody to any more.
    """

    began_s: float
    event_s: float
    healed_s: float | None
    ended_s: float
    patience_s: float
    owners: dict[str, str]
    affected: list[str]
    leaving: list[str]
    records: list[Record]
    moves: list[Move]
    played: list[Played] = []
    lost: dict[str, Lost] = {}


class Load(msgspec.Struct, frozen=True):
    """Answers a second that a server gave to the drill's clients, before the event and after."""

    before: float
    after: float


class Failure(msgspec.Struct, frozen=True):
    """A request that failed: when it began, from the event on, and how far it came."""

    client: str
    host: str
    after_s: float
    outcome: str
    reached: str


class Ended(msgspec.Struct, frozen=True):
    """A long download that was cut: when it began and ended, from the event on, and how."""

    client: str
    host: str
    began_s: float
    ended_s: float
    outcome: str
    bytes: int


class Figures(msgspec.Struct, frozen=True):
    """The figures of one run. Times are None where it did not happen until the end.

    `works_again_s` is from the event to the first of a lasting row of successes, of the affected
    VIP and the client that waited longest; `routed_s` until the ISPs' routers sent the last of
    these VIPs elsewhere; `dns_s` and `http_s` until request routers did. `back_s` is from the
    healing until they are with their owners for good. `named_s` is how long requests failed that
    went where DNS had sent them, and `failed_named` how many. `elsewhere` are the clients and VIPs
    that brought a session of TLS to another server than before, `resumed` those that resumed it.
    `outcomes` are what failed requests, of all kinds, ended with, and `failures` the first of each,
    before the healing and since; `ended` are the first downloads that were cut.
    `lost` are packets that the lab's own lines lost meanwhile.
    """

    works_again_s: float | None
    lasted_s: float | None
    others_s: float | None
    routed_s: float | None
    back_s: float | None
    dns_s: float | None
    http_s: float | None
    requests: int
    failed: int
    failed_others: int
    failed_back: int
    wrong: int
    downloads: int
    cut: int
    cut_back: int
    late_s: float
    unjudged: int
    load: dict[str, Load] = {}
    refused: list[str] = []
    played: list[Played] = []
    failed_named: int = 0
    named_s: float | None = 0.0
    elsewhere: int = 0
    resumed: int = 0
    outcomes: dict[str, int] = {}
    failures: list[Failure] = []
    lost: dict[str, Lost] = {}
    ended: list[Ended] = []


@dataclass(slots=True)
class _Counts:
    requests: int = 0
    wrong: int = 0
    failed: int = 0
    failed_others: int = 0
    failed_back: int = 0
    failed_named: int = 0
    cut: int = 0
    cut_back: int = 0
    downloads: int = 0
    unjudged: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    failures: list[Failure] = field(default_factory=list)
    ended: list[Ended] = field(default_factory=list)
    own: list[Interruption] = field(default_factory=list)
    others: list[Interruption] = field(default_factory=list)
    named: list[Interruption] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)


def figures_of(seen: Seen) -> Figures:
    """Return the figures."""
    counts = _Counts()
    for record in seen.records:
        _count(counts, seen, record)
        for one in record.downloads:
            _count_download(counts, seen, record.client, one)
    if line := hopeless(seen.lost):
        counts.refused.append(
            f"the lab's relay of {line} was {seen.lost[line].starved} times more than "
            f"{1000 * STARVED_S:.0f} ms late: the machine had no time for the lab"
        )
    attempts = [one for record in seen.records for one in record.attempts]
    moved_s = [
        left_owner_s(seen.moves, vip, seen.owners[vip], seen.event_s) for vip in seen.affected
    ]
    answers = [one for record in seen.records for one in record.answers]
    healed_s = seen.healed_s
    elsewhere = list(resumed_elsewhere(seen))
    return Figures(
        works_again_s=worst([one.works_again_s for one in counts.own]),
        lasted_s=worst([one.lasted_s for one in counts.own]),
        others_s=worst([one.lasted_s for one in counts.others]),
        routed_s=worst(moved_s),
        back_s=None
        if healed_s is None
        else worst([back_s(seen.moves, vip, seen.owners[vip], healed_s) for vip in seen.affected]),
        dns_s=decided_s(answers, "dns", seen),
        http_s=decided_s(answers, "http", seen),
        requests=counts.requests,
        failed=counts.failed,
        failed_others=counts.failed_others,
        failed_back=counts.failed_back,
        wrong=counts.wrong,
        downloads=counts.downloads,
        cut=counts.cut,
        cut_back=counts.cut_back,
        late_s=lateness_s(attempts, seen.began_s, seen.ended_s),
        unjudged=counts.unjudged,
        load=load_of(seen),
        refused=counts.refused,
        failed_named=counts.failed_named,
        outcomes=dict(counts.outcomes),
        failures=list(_first_of_each(counts.failures, _after_s(seen, healed_s))),
        ended=sorted(counts.ended, key=lambda one: one.ended_s)[:MOST_FAILURES],
        lost=seen.lost,
        elsewhere=len(elsewhere),
        resumed=sum(elsewhere),
        named_s=worst([one.lasted_s for one in counts.named]),
        played=seen.played,
    )


def _after_s(seen: Seen, at_s: float | None) -> float:
    return float("inf") if at_s is None else at_s - seen.event_s


def _first_of_each(failures: Iterable[Failure], healed_after_s: float) -> Iterator[Failure]:
    """Yield the first failures of each outcome before the healing, and since: a reset is another
    matter than a hundred timeouts before it, and what fails on the way back than on the way out."""
    known = Counter[tuple[str, bool]]()
    for one in sorted(failures, key=lambda one: one.after_s):
        kind = one.outcome, one.after_s >= healed_after_s
        known[kind] += 1
        if known[kind] <= MOST_FAILURES:
            yield one


def worst(times_s: Sequence[float | None]) -> float | None:
    """Return the longest, and None if one never ended. 0 of none."""
    known = [one for one in times_s if one is not None]
    return max(known, default=0.0) if len(known) == len(times_s) else None


def _count(counts: _Counts, seen: Seen, record: Record) -> None:
    """Count the requests of a client."""
    attempts = record.attempts
    unjudged = own_timeouts(attempts, seen.patience_s)
    judged = [one for place, one in enumerate(attempts) if place not in unjudged]
    counts.requests += len(attempts)
    counts.unjudged += len(unjudged) + sum(one.outcome == "refrained" for one in attempts)
    counts.wrong += sum(one.outcome == "wrong" for one in attempts)
    healed_s = float("inf") if seen.healed_s is None else seen.healed_s
    for one in judged:
        if failed(one):
            counts.outcomes[one.outcome] += 1
            after_s = round(one.began_s - seen.event_s, 3)
            counts.failures.append(
                Failure(record.client, one.host, after_s, one.outcome, one.reached)
            )
            if one.host not in seen.owners:
                counts.failed_named += 1
            elif one.host not in seen.affected:
                counts.failed_others += 1
            elif one.began_s >= healed_s:
                counts.failed_back += 1
            else:
                counts.failed += 1
    for host, of_host in by_host(judged):
        if host not in seen.owners:
            # Clients come back to whom they left: what happens then counts as well.
            counts.named.append(interruption(of_host, seen.event_s))
            continue
        found = interruption(of_host, seen.event_s, healed_s)
        if host not in seen.affected:
            counts.others.append(found)
            continue
        counts.own.append(found)
        stood_s = stalled_s(of_host, seen.event_s)
        if stood_s > STALLED_S:
            counts.refused.append(
                f"{record.client} to {host}: no answer for {1000 * stood_s:.0f} ms already when "
                "the event came: the lab was starved"
            )
        if found.works_again_s is not None:
            until_s = min(healed_s, seen.ended_s)
            late_s = explained(attempts, seen.event_s, found.works_again_s, until_s)
            if late_s is not None:
                counts.refused.append(
                    f"{record.client} to {host}: {1000 * found.works_again_s:.0f} ms, while the "
                    f"client was {1000 * late_s:.0f} ms late itself"
                )


def by_host(attempts: Iterable[Attempt]) -> Iterator[tuple[str, list[Attempt]]]:
    """Yield the requests to each VIP, in the order of their beginnings."""
    found: dict[str, list[Attempt]] = {}
    for one in attempts:
        found.setdefault(one.host, []).append(one)
    for host, those in found.items():
        yield host, sorted(those, key=lambda one: one.began_s)


def _count_download(counts: _Counts, seen: Seen, client: str, one: Download) -> None:
    counts.downloads += 1
    counts.wrong += one.outcome == "wrong"
    # One that could not even begin is no download that was cut: connections count such.
    if one.outcome not in ("short", "reset", "timeout") or not one.bytes:
        return
    if seen.healed_s is not None and one.ended_s >= seen.healed_s:
        counts.cut_back += 1
    elif one.ended_s >= seen.event_s:
        counts.cut += 1
    else:
        return
    began_s, ended_s = (round(at_s - seen.event_s, 3) for at_s in (one.began_s, one.ended_s))
    counts.ended.append(Ended(client, one.host, began_s, ended_s, one.outcome, one.bytes))


def decided_s(answers: Iterable[Answer], kind: str, seen: Seen) -> float | None:
    """Return how long after the event request routers sent nobody there any more: the first of a
    row of answers that name none of the addresses, up to the healing. None if they still did, or
    named none of them before either.
    """
    healed_s = seen.ended_s if seen.healed_s is None else seen.healed_s
    leaving = set(seen.leaving)
    first_s: float | None = None
    row = 0
    those = [one for one in answers if one.kind == kind and one.places]
    if not any(leaving.intersection(one.places) for one in those if one.began_s < seen.event_s):
        return None
    for one in sorted(those, key=lambda one: one.began_s):
        if not seen.event_s <= one.began_s < healed_s:
            continue
        if leaving.intersection(one.places):
            first_s, row = None, 0
            continue
        first_s = one.began_s if first_s is None else first_s
        row += 1
    return None if first_s is None or row < _DECIDED_ROW else first_s - seen.event_s


def resumed_elsewhere(seen: Seen) -> Iterator[bool]:
    """Yield of each client and VIP whether the first answer of another server than the owner, up to
    the healing, was of a session that it resumed: later ones bring that server's own.
    """
    healed_s = seen.ended_s if seen.healed_s is None else seen.healed_s
    for record in seen.records:
        found: set[str] = set()
        for one in sorted(record.attempts, key=lambda one: one.ended_s):
            if one.outcome != "ok" or one.host not in seen.affected or one.host in found:
                continue
            if seen.event_s <= one.began_s < healed_s and one.server != seen.owners[one.host]:
                found.add(one.host)
                if one.resumed is not None:
                    yield one.resumed


def load_of(seen: Seen) -> dict[str, Load]:
    """Return what each server answered, before the event and until the healing."""
    until_s = seen.ended_s if seen.healed_s is None else seen.healed_s
    attempts = [one for record in seen.records for one in record.attempts if one.outcome == "ok"]
    before = _answered(attempts, seen.began_s, seen.event_s)
    after = _answered(attempts, seen.event_s, until_s)
    return {
        server: Load(before.get(server, 0.0), after.get(server, 0.0))
        for server in sorted({*before, *after})
        if server
    }


def _answered(attempts: Collection[Attempt], from_s: float, until_s: float) -> Mapping[str, float]:
    counts = Counter(one.server for one in attempts if from_s <= one.began_s < until_s)
    length_s = max(until_s - from_s, 1e-3)
    return {server: round(count / length_s, 1) for server, count in counts.items()}
