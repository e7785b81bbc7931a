"""Handover in the running process: each turn decides what to pass on, and the kernel is told."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Callable, Collection, Iterator, Mapping

from headrace.bgp.announcement import Family
from headrace.bgp.session import Session
from headrace.config.vip.handing import HandoverTable
from headrace.vip.announced import heard
from headrace.vip.events import Event, Events
from headrace.vip.handover.cookies import Cookies
from headrace.vip.handover.holding import (
    Failing,
    Holding,
    Port,
    but_for_cut,
    in_doubt,
    keeps_connections,
    next_failing,
    next_holdings,
    next_ports,
    nobody_answers,
    onward,
    targets,
    with_ports,
)
from headrace.vip.handover.lines import Lines
from headrace.vip.handover.listeners import complaint_of
from headrace.vip.handover.passing import Passing, clear
from headrace.vip.handover.ruleset import OVER, PASSED, REFUSED, TAKEN
from headrace.vip.handover.seen import is_up
from headrace.vip.handover.silence import (
    NEVER_DOWN,
    Line,
    Silence,
    heard_lately,
    heard_since,
    next_lines,
    next_silences,
    silent,
)
from headrace.vip.handover.silencing import Silencing
from headrace.vip.handover.wish import Wish, wish_of
from headrace.vip.plan.floor import NEIGHBOUR_AGE_S, Neighbour
from headrace.vip.plan.hearing import Hearing
from headrace.vip.plan.model import Address, Plan
from headrace.vip.plan.order import SiteOrder

FIRST_S = 1.5
"""How long it waits for the other servers' first words. Until then, what the last process left in
the kernel stays."""
TURN_S = 0.05
CUT_OFF = "no router and no neighbour is reached: nothing leaves until one says that it passes on"
DOUBTS = "SYNs are answered with cookies: what is not known is taken here as well"


class Handover:
    """What this server passes on, to whom, what it takes, and what it keeps back: what the VIPs
    `kept_back` would send. `line_changed` is called when one of its lines goes down or is up again.
    """

    def __init__(
        self, table: HandoverTable, events: Events, line_changed: Callable[[], None]
    ) -> None:
        self.enabled = table.enabled is not False
        self.asked_for = table.enabled is True
        rules_turn = asyncio.Lock()
        self.passing = Passing(self._lost, table.port if self.enabled else None, rules_turn)
        self.is_flooded = False
        self._table = table
        self._events = events
        self._cookies = Cookies()
        self._holdings: dict[Address, Holding] = {}
        self._targets: dict[Address, str] = {}
        self._ports: dict[str, Port] = {}
        self._lines = Lines(line_changed)
        self._line: dict[Family, Line] = {}
        self._silencing = Silencing(rules_turn)
        self._silences: dict[Address, Silence] = {}
        self.kept_back: frozenset[Address] = frozenset()
        self._cut_off_at: float | None = None
        self._wish: Wish | None = None
        self._began: float | None = None
        self._silent_at = 0.0
        self._failing: dict[str, Failing] = {}
        self._told = ""
        self._seed = secrets.randbits(32)

    def start(self) -> None:
        """Begin to watch the lines."""
        if self.enabled:
            self._lines.start()

    def turn(
        self,
        order: SiteOrder,
        plan: Plan,
        neighbours: Mapping[str, Neighbour],
        now: float,
        patience_s: float,
        hearings: Mapping[Family, Hearing] = {},
        sessions: Collection[Session] = (),
    ) -> None:
        """Decide, and have it done soon. `plan` is what routers have heard of it; a neighbour that
        has failed for `patience_s` is asked no more. `hearings` say how routers hear this server,
        by the `sessions`.
        """
        if not self.enabled:
            return
        self._tell(now)
        self._began = now if self._began is None else min(self._began, now)
        table = self._table
        if now - self._began < FIRST_S and any(
            name not in neighbours for name in order.servers if name != plan.server
        ):
            return
        if nobody_answers(neighbours):
            self._silent_at = now
        self._silent_at = min(self._silent_at, now)  # the clock may be set back
        self._failing = next_failing(self._failing, neighbours, self._silent_at)
        held = plan.addresses
        since = self._heard_since(now, hearings, sessions)
        self._keep_back(order, plan.server, neighbours, now, since)
        if hearings:
            plan = heard(plan, {family for family, at in since.items() if at is not None})
        lately = bool(hearings) and heard_lately(since.values(), now)
        doubtful = in_doubt(neighbours, self._failing, self._silent_at) if lately else set()
        neighbours = but_for_cut(neighbours, doubtful, self._ports)
        self._ports = next_ports(neighbours, self._ports, now, patience_s)
        neighbours = with_ports(neighbours, self._ports)
        self._holdings = next_holdings(
            order, plan, neighbours, self._holdings, now, table.keep_s, doubtful
        )
        flooded = self._cookies.look(now)
        if flooded is not self.is_flooded:
            self.is_flooded = flooded
            kind = "handover_cookies" if flooded else "handover_no_cookies"
            self._events.add(Event(now, kind, "", DOUBTS if flooded else ""))
        found = targets(order, plan.server, self._holdings, neighbours)
        for event in _changed(self._targets, found, now):
            self._events.add(event)
        self._targets = found
        further = onward(order, plan.server, self._holdings, neighbours)
        wish = wish_of(
            *(order, plan.server, found, table.port, table.most_packets),
            *(further, self._seed, flooded, held),
        )
        if wish is not None:
            self._wish = wish
            self.passing.want(wish)

    def _heard_since(
        self, now: float, hearings: Mapping[Family, Hearing], sessions: Collection[Session]
    ) -> dict[Family, float | None]:
        """Return since when routers hear each family. A line that is down says sooner than the end
        of a session that they do not.
        """
        self._line = next_lines(self._line, sessions, self._lines.up, now)
        return {
            one: heard_since(hearings.get(one), self._line.get(one, NEVER_DOWN), now)
            for one in Family
        }

    def _tell(self, now: float) -> None:
        problem = self.passing.problem or self._silencing.problem
        if problem != self._told:
            self._told = problem
            kind = "handover_problem" if problem else "handover_mended"
            self._events.add(Event(now, kind, "", problem))

    def _keep_back(
        self,
        order: SiteOrder,
        me: str,
        neighbours: Mapping[str, Neighbour],
        now: float,
        since: Mapping[Family, float | None],
    ) -> None:
        """Decide whether this server is cut off, and of which VIPs nothing leaves then."""
        before, broken = self.kept_back, self._silencing.broken
        self._silences = next_silences(
            order, me, self._silences, neighbours, self._ports, since, broken, now
        )
        after = silent(self._silences) if self.takes is not None else frozenset()
        for vip in after ^ before:
            detail = CUT_OFF if vip in after else "what is open here is sent again"
            self._events.add(Event(now, "handover_silence", str(vip), detail))
        self.kept_back = after
        if not after:
            self._cut_off_at = None
        elif self._cut_off_at is None:
            self._cut_off_at = now
        self._silencing.want(after)

    def kept_back_s(self, now: float) -> float | None:
        """Return for how long something is kept back at a Unix time; None where nothing is."""
        return None if self._cut_off_at is None else max(0.0, now - self._cut_off_at)

    @property
    def is_silent(self) -> bool:
        """Whether nothing of some VIP leaves, as this server was cut off."""
        return bool(self._silences)

    def _lost(self, what: str) -> None:
        detail = f"somebody removed or changed {what}: it was made again"
        self._events.add(Event(time.time(), "handover_removed", "", detail))

    async def first(self) -> None:
        """Wait until the kernel does what is wished, for a while: before routers send this server
        the packets of connections that others have. Where there is to be nothing, there is nothing
        left."""
        if not self.enabled and is_up():
            await clear()
        await self._silencing.clear_left()
        loop = asyncio.get_running_loop()
        until_s = loop.time() + 2 * FIRST_S
        while self.enabled and loop.time() < until_s and not self.passing.problem:
            if self._wish is not None and self.passing.done == self._wish:
                return
            await asyncio.sleep(TURN_S)

    def keeps_connections(
        self, order: SiteOrder, me: str, neighbours: Mapping[str, Neighbour], now: float
    ) -> bool:
        """Return whether what is open here stays open when the VIPs move away."""
        return self.takes is not None and keeps_connections(
            order, me, self._holdings, neighbours, now, NEIGHBOUR_AGE_S
        )

    async def close(self, *, remove: bool) -> None:
        """Stop; `remove`: leave nothing in the kernel."""
        await self._lines.close()
        await self._silencing.close()
        await self.passing.close(remove_all=remove)

    # What is said of it.

    @property
    def takes(self) -> int | None:
        """The port at which what others pass on is taken; None where it is not."""
        return self.passing.takes

    @property
    def passes(self) -> dict[Address, str]:
        """Whom what is not known here goes to, by VIP: what the kernel does now, and goes on
        doing."""
        return self.passing.targets

    @property
    def passed(self) -> int:
        """Packets that were passed on."""
        counted = self.passing.counted.packets
        return _passed(counted)

    @property
    def passed_bytes(self) -> int:
        """Their bytes."""
        return _passed(self.passing.counted.size_bytes)

    @property
    def taken_bytes(self) -> int:
        """The bytes of the packets that others have passed on to this server."""
        return self.passing.counted.size_bytes[TAKEN]

    @property
    def refused(self) -> int:
        """Packets to the tunnel, or in it, that are not what siblings pass on."""
        return self.passing.counted.packets[REFUSED]

    def last(self, *, taken: bool) -> float | None:
        """Return the Unix time at which a packet was last taken or passed on; None for none."""
        word = TAKEN if taken else PASSED
        times = [at for name, at in self.passing.counted.last.items() if name.startswith(word)]
        return max(times, default=None)

    @property
    def taken(self) -> int:
        """Packets that others have passed on to this server."""
        return self.passing.counted.packets[TAKEN]

    @property
    def over(self) -> int:
        """Packets that were dropped, for too many were to be passed on."""
        return self.passing.counted.packets[OVER]

    @property
    def problem(self) -> str:
        """Why nothing is passed on, or not all, or nothing is kept back; "" where all is as it
        should be."""
        if not self.enabled:
            return ""
        listeners = complaint_of(self.passing.listeners)
        return self.passing.problem or self._silencing.problem or listeners


def _passed(counted: Mapping[str, int]) -> int:
    return sum(count for name, count in counted.items() if name.startswith(PASSED))


def _changed(
    before: Mapping[Address, str], after: Mapping[Address, str], now: float
) -> Iterator[Event]:
    for vip in before.keys() | after.keys():
        to = after.get(vip, "")
        if before.get(vip, "") != to:
            detail = f"what is not known here goes to {to}" if to else "nothing is passed on"
            yield Event(now, "handover", str(vip), detail)
