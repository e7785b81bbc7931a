"""Several observers of one network in memory, each with a clock of its own: what they tell each
other takes no time, unless a link is cut, one is stopped, or one is killed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from headrace.feedback.control.controller import Controller, ControllerRules
from headrace.feedback.deciding import Deciding, Moment
from headrace.feedback.exchange.document import (
    VERSION,
    Decision,
    Document,
    decode_document,
    encode_document,
)
from headrace.feedback.exchange.lists import Listed, list_digest
from headrace.feedback.exchange.others import Received
from headrace.feedback.kept import Decided
from headrace.feedback.observation import Observations, Observer, Outcome, ProbeRecord, next_record
from headrace.feedback.order_join import merge
from headrace.feedback.orders import NO_ORDERS, Mode, Orders
from headrace.feedback.publish.published import BEFORE_ALL
from headrace.feedback.publish.waiting import HOLD_S
from headrace.feedback.shadow import Shadow
from headrace.feedback.states.rules import StateRules
from headrace.topology.model import Topology
from headrace.topology.view import View

START = 1_000_000_000.0
RENEW_S = 30.0
FIRST_ROUND_S = 10.0


@dataclass
class Member:
    """One observer. `ahead_s` is by how much its clock is ahead; `blind` sees everything fail,
    `unreached` probes nothing;
    `lie` is what it tells in place of what it decided."""

    name: str
    deciding: Deciding
    shadow: Shadow
    ahead_s: float = 0.0
    runs: bool = True
    blind: bool = False
    unreached: bool = False
    lie: Callable[[Decision], Decision] = lambda decision: decision
    received: dict[str, Received] = field(default_factory=dict)
    records: dict[str, ProbeRecord] = field(default_factory=dict)
    orders: Orders = NO_ORDERS
    kept: Decided | None = None
    published: list[View] = field(default_factory=list)
    events: list[bytes] = field(default_factory=list)
    number: int = 0


class NodesOf:
    """Nodes that follow all observers: the newest view counts. `told` is which they had when they
    asked last: a question is kept for a while.
    """

    def __init__(self, all_of: Observers) -> None:
        self._all = all_of
        self._told_s = 0.0
        self.view: View | None = None
        self.told = BEFORE_ALL

    def look(self) -> None:
        """Take what is published now."""
        newest = [self.view] if self.view is not None else []
        newest += [one.published[-1] for one in self._all.members.values() if one.published]
        self.view = max(newest, key=lambda one: (one.made_at, one.version), default=None)
        if self.view is not None and self._all.now_s >= self._told_s + HOLD_S:
            self._told_s, self.told = self._all.now_s, (self.view.made_at, self.view.version)


class Observers:
    """All of them, ticking one after the other in each second."""

    def __init__(
        self,
        topology: Topology,
        names: Iterable[str] = ("a", "b", "c"),
        ahead_s: Mapping[str, float] = {},
        lists: Mapping[str, Sequence[str]] = {},
    ) -> None:
        self.topology = topology
        self.names = tuple(names)
        self.strangers: dict[str, Listed] = {}  # whoever asks all of them
        self.untruths: dict[str, Callable[[Document], Document]] = {}
        self.lists = {name: tuple(lists.get(name, self.names)) for name in self.names}
        self.now_s = 0.0
        self.failing: dict[str, Outcome] = {}
        self.unprobed: set[str] = set()
        self.cut: set[frozenset[str]] = set()
        self.nodes = NodesOf(self)
        rules = ControllerRules(StateRules(self.names), Mode.STATES)
        self.controller = Controller(topology, rules)
        self.members = {
            name: self._member(name, ahead_s.get(name, 0.0), None) for name in self.names
        }

    def __getitem__(self, name: str) -> Member:
        return self.members[name]

    def seconds(self, count: int) -> None:
        """Let so much time pass."""
        for _ in range(count):
            self.now_s += 1.0
            for member in self.members.values():
                if member.runs:
                    self._tick(member)
            self.nodes.look()

    def kill(self, name: str) -> None:
        """End one: what it knew is gone, but for what it kept."""
        self.members[name].runs = False

    def restart(self, name: str, *, with_state: bool = True) -> None:
        """Start it again."""
        former = self.members[name]
        kept = former.kept if with_state else None
        self.members[name] = self._member(name, former.ahead_s, kept)
        self.members[name].published = former.published

    def stop(self, name: str) -> None:
        """Freeze one: it continues later as if nothing had been."""
        self.members[name].runs = False

    def resume(self, name: str) -> None:
        """Let it continue."""
        self.members[name].runs = True

    def partition(self, *sides: str) -> None:
        """Cut all links between the sides, each given by its members' letters."""
        self.cut = {
            frozenset((one, other))
            for side in sides
            for one in side
            for other in "".join(sides)
            if other not in side
        }

    def decides(self) -> set[str | None]:
        """Return whom those that run take for the one that decides."""
        return {one.deciding.decides for one in self.members.values() if one.runs}

    def views(self) -> set[bytes]:
        """Return the documents that those that run publish now."""
        return {
            one.deciding.published.data
            for one in self.members.values()
            if one.runs and one.deciding.published is not None
        }

    def _member(self, name: str, ahead_s: float, kept: Decided | None) -> Member:
        deciding = Deciding(name)
        deciding.configure(self.lists[name], 1.0, RENEW_S, FIRST_ROUND_S)
        deciding.waits_for = frozenset(one.name for one in self.topology.servers)
        member = Member(name, deciding, Shadow(deciding), ahead_s, kept=kept)
        deciding.begin(kept, self._moment(member))
        return member

    def _moment(self, member: Member) -> Moment:
        return Moment(self.now_s, START + self.now_s + member.ahead_s)

    def _tick(self, member: Member) -> None:
        for server in self.topology.servers:
            if server.name in self.unprobed or member.unreached:
                continue
            outcome = Outcome.TIMEOUT if member.blind else self.failing.get(server.name, Outcome.OK)
            member.records[server.name] = next_record(member.records.get(server.name), outcome)
        observers = {member.name: Observer(member.name, 0.0, dict(member.records))}
        for name, one in member.received.items():
            observers[name] = Observer(name, self.now_s - one.at_s, one.document.probes)
        deciding = member.deciding
        moment = self._moment(member)
        deciding.hear_askers(self._askers(member))
        deciding.hear_nodes(self.nodes.told)
        work = deciding.begin_tick(
            moment,
            member.received,
            Observations(observers),
            member.orders,
            self.controller,
        )
        if deciding.end_tick(moment, None if work is None else work()):
            assert deciding.published is not None
            member.published.append(deciding.published.view)
        member.events += deciding.events
        shadow = member.shadow
        compare = shadow.begin(moment, Observations(observers), member.orders, self.controller)
        if compare is not None:
            shadow.end(compare())
        decision = deciding.decision()
        if decision is not None:
            decision = member.lie(decision)
        member.kept = deciding.kept(decision)
        member.number += 1
        self._tell(
            Document(
                version=VERSION,
                observer=member.name,
                number=member.number,
                awake=deciding.awake,
                hears=deciding.hears(member.received, self._moment(member)),
                decides=deciding.decides or "",
                made_at=deciding.last[0],
                view=deciding.last[1],
                list_digest=deciding.list_digest,
                probes=dict(member.records),
                orders=member.orders,
                decision=decision,
            )
        )

    def _reaches(self, one: str, other: str) -> bool:
        return self[other].runs and one != other and frozenset((one, other)) not in self.cut

    def _askers(self, member: Member) -> dict[str, Listed]:
        """Return who asks an observer: those whose lists have it."""
        return self.strangers | {
            name: Listed(list_digest(self.lists[name]))
            for name in self.names
            if member.name in self.lists[name] and self._reaches(member.name, name)
        }

    def _tell(self, document: Document) -> None:
        name = document.observer
        wire = encode_document(self.untruths[name](document) if name in self.untruths else document)
        for other in self.members.values():
            if name in self.lists[other.name] and self._reaches(name, other.name):
                other.received[name] = Received(decode_document(wire, name), self.now_s)
                other.orders = merge(other.orders, document.orders)
