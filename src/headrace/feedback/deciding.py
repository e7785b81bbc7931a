"""Decides at each tick, or follows the observer that does. Reads no clock and no socket.

One observer decides, the senior of those that live (see `exchange.seniority`). It hands on its
memory and its view with its observations. The others publish this very view; when it is gone, the
next continues from the memory that it handed on last.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Final

import msgspec
import structlog

from headrace.feedback.clocks import clocks_alarm
from headrace.feedback.control.controller import Controller, Step
from headrace.feedback.control.memory import (
    NO_MEMORY,
    Memory,
    MemoryDecodeError,
    decode_memory,
    encode_memory,
)
from headrace.feedback.exchange.document import Decision
from headrace.feedback.exchange.lists import Listed, by_list, list_digest, right_list, told
from headrace.feedback.exchange.others import Received
from headrace.feedback.exchange.seniority import Heard, decider, enough
from headrace.feedback.first_round import undetermined, unprobed_alarm
from headrace.feedback.kept import Decided
from headrace.feedback.observation import Observations
from headrace.feedback.order_join import believed
from headrace.feedback.orders import Orders
from headrace.feedback.publish.aside import Aside
from headrace.feedback.publish.published import (
    BEFORE_ALL,
    OTHERS_AHEAD_S,
    Order,
    Published,
    believable,
    next_order,
)
from headrace.feedback.raised import Raised
from headrace.feedback.states.model import Alarm, AlarmKind
from headrace.feedback.states.rules import StateRules
from headrace.topology.view import View
from headrace.topology.view_codec import ViewError

ALIVE_TICKS: Final = 2.5
"""An observer that has not been heard for so many ticks is gone, and one that stood still for as
long first hears what happened meanwhile."""

DIFFER_S: Final = 5.0
"""For so long the alarm stays after lists of observers were found to differ."""
LONGEST_GAP_S: Final = 3600.0
"""More than this is never taken for the time between two steps over a restart."""

log = structlog.get_logger("headrace.feedback")


@dataclass(frozen=True, slots=True)
class Moment:
    """Now, by the clock that only counts on and by the one on the wall."""

    steady_s: float
    clock: float


class Deciding:
    """What is decided. `published` is the view in force, `decides` who decides, None: nobody yet.
    `step` is the last own one; `aside`: whether views are kept from nodes. `waits_for` are the
    servers that probes can say something of. `knows`: there is a memory, or probes have said how
    servers are.
    """

    order: tuple[str, ...]
    list_digest: str
    alive_s: float
    aside: Aside
    _renew_s: float
    _first_round_s: float

    def __init__(self, own: str) -> None:
        self.own = own
        self.published: Published | None = None
        self.decides: str | None = None
        self.step: Step | None = None
        self.memory = NO_MEMORY
        self.events: list[bytes] = []
        self.waits_for: frozenset[str] = frozenset()
        self._own_alarms: dict[AlarmKind, Alarm] = {}
        self._raised, self._own_raised = Raised(), Raised()
        self.knows, self._knows_by_s = False, 0.0
        self._adopted: Decision | None = None
        self._memory_of: Decision | None = None
        self._memory_at_s: float | None = None
        self._now_s: float | None = None
        self._clock = 0.0
        self._asleep_until_s = 0.0
        self._hears_enough = self._followed = self._stands_back = False
        self._askers: Mapping[str, Listed] = {}
        self._differ_until_s = 0.0
        self._last: Order = BEFORE_ALL

    def configure(
        self, order: Sequence[str], tick_s: float, renew_s: float, first_round_s: float
    ) -> None:
        """Work with these observers, ticks and renewals; before anything else. Without a memory it
        waits `first_round_s` at most until it knows all servers.
        """
        self._first_round_s = first_round_s
        self.order = tuple(order) or (self.own,)
        self.list_digest = list_digest(self.order)
        self.alive_s = ALIVE_TICKS * tick_s
        self._renew_s = renew_s
        self.aside = Aside(renew_s)

    def begin(self, decided: Decided | None, moment: Moment, seen: bytes | None = None) -> None:
        """Continue from what was decided before the start. `seen` is a view that was published,
        perhaps after what was kept.
        """
        self._now_s, self._clock = moment.steady_s, moment.clock
        self._knows_by_s = moment.steady_s + self._first_round_s
        self.hear_first(moment)
        if seen is not None:
            self._take_published(seen, moment)
        if decided is None:
            return
        since_s = min(max(0.0, moment.clock - decided.now), LONGEST_GAP_S)
        self._adopted = Decision(decided.memory, decided.view, decided.now)
        self._memory_at_s = moment.steady_s - since_s
        self._take_memory(self._adopted)
        self._take_published(decided.view, moment)

    def _take_published(self, data: bytes, moment: Moment) -> None:
        """Take a view that was published before for the last one, if it is that."""
        try:
            published = Published.read(data)
        except ViewError as error:
            log.error("kept_view_unusable", problem=str(error))
            return
        if published.order > self._last and believable(published.order, moment.clock):
            self.published, self._last = published, published.order

    @property
    def awake(self) -> bool:
        """Whether this observer may decide."""
        return (
            self.knows
            and not self._stands_back
            and self._now_s is not None
            and self._now_s >= self._asleep_until_s
        )

    def known(self) -> Memory:
        """Return what is remembered by whoever decides."""
        if self._adopted is not None:
            self._take_memory(self._adopted)
        return self.memory

    @property
    def alarms(self) -> tuple[Alarm, ...]:
        """What only this observer has to say."""
        return tuple(self._own_alarms.values())

    def say(self, kind: AlarmKind, alarm: Alarm | None) -> None:
        """Raise an alarm of this observer, or end the one of this kind."""
        if alarm is None:
            self._own_alarms.pop(kind, None)
        else:
            self._own_alarms[kind] = alarm

    def all_alarms(self) -> tuple[Alarm, ...]:
        """Return the alarms of whoever decides, and the own ones."""
        decided = self.known().alarms if self.step is None else self.step.alarms
        return (*decided, *self.alarms)

    @property
    def last(self) -> Order:
        """The place of the last view that was published here."""
        return BEFORE_ALL if self.published is None else self.published.order

    def hears(self, received: Mapping[str, Received], moment: Moment) -> list[str]:
        """Return whom this observer hears, itself included."""
        return [
            name
            for name in self.order
            if name == self.own
            or (name in received and moment.steady_s - received[name].at_s <= self.alive_s)
        ]

    def begin_tick(
        self,
        moment: Moment,
        received: Mapping[str, Received],
        observations: Observations,
        orders: Orders,
        controller: Controller,
    ) -> Callable[[], Step] | None:
        """Follow whoever decides, or return what works out what is decided here: it needs nothing
        but values, and may run in a thread.

        `end_tick` comes before the next; without it nothing was decided. What happened is in
        `events`, until the next tick.
        """
        self.events = []
        self._followed = False
        self._pass_time(moment)
        self._look_around(moment, received)
        self._compare_lists(moment, received)
        far = clocks_alarm(received, self.alive_s, moment.steady_s, moment.clock)
        self.say(AlarmKind.CLOCKS_DIFFER, far)
        self._learn(moment, observations, controller.rules.states)
        self.decides = self._who(received, moment)
        if self.decides == self.own:
            return self._to_decide(moment, observations, orders, controller)
        if self.decides is not None:
            self._followed = self._follow(received[self.decides], moment)
        return None

    def end_tick(self, moment: Moment, step: Step | None) -> bool:
        """Decide what was worked out since `begin_tick` at this moment, if anything was; return
        whether there is another view to publish.
        """
        own = self._own_raised.events(self.alarms, moment.clock)
        if step is None:
            self.events += own
            return self._followed
        self._adopted = None
        self.step, self.memory, self._memory_at_s = step, step.memory, moment.steady_s
        self.events = [msgspec.json.encode(one) for one in step.changes]
        self.events += [*self._raised.events(step.alarms, moment.clock), *own]
        return self._number(step.view, moment)

    def decision(self) -> Decision | None:
        """Return what the others are told of what was decided here; None when they decide."""
        if self.decides != self.own or self.step is None or self.published is None:
            return None
        return Decision(encode_memory(self.memory), self.published.data, self.memory.at)

    def kept(self, decision: Decision | None) -> Decided | None:
        """Return what is to survive a restart; `decision` is what the others are told now."""
        decision = decision or self._adopted
        return None if decision is None else Decided(decision.now, decision.memory, decision.view)

    def _pass_time(self, moment: Moment) -> None:
        before_s = moment.steady_s if self._now_s is None else self._now_s
        # While a virtual machine is suspended only the clock on the wall continues.
        gone_s = max(moment.steady_s - before_s, moment.clock - (self._clock or moment.clock))
        if gone_s > self.alive_s:
            log.warning("stood_still", for_s=round(gone_s, 1))
            self.hear_first(moment)
        self._now_s, self._clock = moment.steady_s, moment.clock
        if not believable(self._last, moment.clock):
            # The clock was set back: nodes would take no view from then until it is there again.
            self._last = (0.0, self._last[1])

    def _look_around(self, moment: Moment, received: Mapping[str, Received]) -> None:
        """Note what others have published; and hear them first, when enough are heard again."""
        for one in received.values():
            order = (one.document.made_at, one.document.view)
            if believable(order, moment.clock, OTHERS_AHEAD_S):
                self._last = max(self._last, order)
        before, self._hears_enough = (
            self._hears_enough,
            enough(self.order, frozenset(self.hears(received, moment))),
        )
        if self._hears_enough and not before:
            self.hear_first(moment)

    def _learn(self, moment: Moment, observations: Observations, rules: StateRules) -> None:
        """Note whether it is known how all servers are: from a memory, or by own probes. What is
        not known after a bounded time is told as an alarm.
        """
        if self.knows and AlarmKind.UNPROBED not in self._own_alarms:
            return
        own = observations.observers.get(self.own)
        unknown = undetermined(self.waits_for, {} if own is None else own.probes, rules)
        self.knows = self.knows or not unknown or moment.steady_s >= self._knows_by_s
        told = unprobed_alarm(unknown) if self.knows and unknown else None
        self.say(AlarmKind.UNPROBED, told)

    def hear_nodes(self, held: Order) -> None:
        """Know the newest view that a node said it has, which matters where too few are heard."""
        now_s = self._now_s
        if now_s is not None:
            known = None if self._hears_enough else self._last
            self.aside.hear_nodes(held, known, now_s, self._clock)
            self.say(AlarmKind.ASIDE, self.aside.alarm(self.own, now_s))

    def hear_askers(self, askers: Mapping[str, Listed]) -> None:
        """Know which lists those have that ask this observer now."""
        self._askers = askers

    def _compare_lists(self, moment: Moment, received: Mapping[str, Received]) -> None:
        """Stand back while more observers have another list than this one."""
        heard = {
            name: Listed(one.document.list_digest, one.document.hears)
            for name, one in received.items()
            if moment.steady_s - one.at_s <= self.alive_s
        }
        lists = {**self._askers, **heard, self.own: Listed(self.list_digest)}
        found = by_list(self.own, lists, self.order)
        right = right_list(found, self.list_digest, heard, self._askers)
        self._stands_back = right != self.list_digest
        text = told(self.own, found, lists, stands_back=self._stands_back)
        if text:
            self._differ_until_s = moment.steady_s + DIFFER_S
            self.say(AlarmKind.OBSERVERS_DIFFER, Alarm(AlarmKind.OBSERVERS_DIFFER, "", text))
        elif moment.steady_s >= self._differ_until_s:
            self.say(AlarmKind.OBSERVERS_DIFFER, None)

    def hear_first(self, moment: Moment) -> None:
        """Decide nothing before the others, if there are any, could be heard."""
        if len(self.order) > 1:
            self._asleep_until_s = moment.steady_s + self.alive_s

    def _who(self, received: Mapping[str, Received], moment: Moment) -> str | None:
        heard = {
            name: Heard(
                moment.steady_s - one.at_s, one.document.awake, frozenset(one.document.hears)
            )
            for name, one in received.items()
            if abs(one.clock_off_s(moment.steady_s, moment.clock)) <= OTHERS_AHEAD_S
        }
        if self._stands_back:
            # By another list than ours; whoever decides by it says so.
            decide = [name for name in heard if received[name].document.decides == name]
            return decider(sorted(decide), heard, self.alive_s)
        own = frozenset(self.hears(received, moment))
        heard[self.own] = Heard(0.0, self.awake, own)
        return decider(self.order, heard, self.alive_s)

    def _to_decide(
        self,
        moment: Moment,
        observations: Observations,
        orders: Orders,
        controller: Controller,
    ) -> Callable[[], Step]:
        if self._adopted is not None:
            self._take_memory(self._adopted)
        last_s = moment.steady_s if self._memory_at_s is None else self._memory_at_s
        elapsed_s = max(0.0, moment.steady_s - last_s)
        memory, now = self.memory, moment.clock
        return partial(controller.step, memory, observations, now, elapsed_s, orders)

    def _take_memory(self, decision: Decision) -> None:
        """Continue from the memory that another handed on; from ours when it cannot be read."""
        if decision is self._memory_of:
            return
        self._memory_of = decision
        try:
            memory = decode_memory(decision.memory)
            orders = believed(memory.orders, self._clock)
            self.memory = msgspec.structs.replace(memory, orders=orders)
            self.knows = True
        except MemoryDecodeError as error:
            log.error("memory_refused", problem=str(error))

    def _number(self, view: View, moment: Moment) -> bool:
        """Publish a view that says something new, or that has not been said for long."""
        known = self.published
        # Whoever is cut off renews later than the others do, so that nodes can tell of these.
        renew_s = self._renew_s if self._hears_enough else self.aside.long_s
        if self.aside.is_aside(moment.steady_s) or (
            known is not None
            and known.order == self._last
            and known.says_the_same(view)
            and 0.0 <= moment.clock - known.view.made_at < renew_s
        ):
            return False
        made_at, version = next_order(self._last, moment.clock)
        self.published = Published.of(replace(view, made_at=made_at, version=version))
        self._last = self.published.order
        return True

    def _follow(self, one: Received, moment: Moment) -> bool:
        decision = one.document.decision
        if decision is None or decision is self._adopted:
            return False
        self._adopted, self.step, self._memory_at_s = decision, None, one.at_s
        if not self.knows:
            self._take_memory(decision)
        self.events = list(decision.events)
        if self.published is not None and decision.view == self.published.data:
            return False
        try:
            published = Published.read(decision.view)
        except ViewError as error:
            log.error(
                "view_of_observer_refused", observer=one.document.observer, problem=str(error)
            )
            return False
        if published.order < self._last or not believable(published.order, moment.clock):
            return False
        self.published, self._last = published, published.order
        return True
