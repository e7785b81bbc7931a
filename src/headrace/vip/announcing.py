"""The running process: checks, neighbours, orders and the view on one side, BGP on the other, and a
plan at each change and each turn.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import Callable
from ipaddress import ip_address

import msgspec
import structlog

from headrace.bgp.announcement import Announcement
from headrace.bgp.events import RoutersChanged, SessionDown, SessionUp, SpeakerEvent
from headrace.bgp.session import routers_changed
from headrace.bgp.speaker import Speaker
from headrace.config.vip.model import VipConfig
from headrace.node.network.signed import Secrets
from headrace.topology.announced_document import encode_said
from headrace.topology.model import AdminState, Server
from headrace.topology.snapshot import NetworkSnapshot
from headrace.topology.view import NO_VIEW, View
from headrace.vip.addresses.bound import Bound
from headrace.vip.addresses.here import addresses_elsewhere
from headrace.vip.announced import announceable, changed, heard, said_of
from headrace.vip.checks.checker import Checker
from headrace.vip.checks.judged import Judged
from headrace.vip.clients import Clients
from headrace.vip.edge_admin import EdgeAdmin
from headrace.vip.edge_turn import tell_edge, with_edge
from headrace.vip.ending import end
from headrace.vip.events import Event, Events
from headrace.vip.handover.running import Handover
from headrace.vip.kept import Keeper, boot_id, read_kept
from headrace.vip.learn.running import RunningLearning
from headrace.vip.memory import memory_of, order_line, order_of, with_memory, with_order
from headrace.vip.plan.health import Health, HealthRules, Verdict, checked, verdict
from headrace.vip.plan.model import Address, Memory, Phase, Plan, Why
from headrace.vip.plan.order import SiteOrder, site_order
from headrace.vip.plan.plan import Known, plan
from headrace.vip.plan.wanted import Order, Wanted, believed, only_ordered, wanted_of
from headrace.vip.reloadable import Reloadable, reloadable
from headrace.vip.rules import NoPortError
from headrace.vip.site.neighbours import Neighbours
from headrace.vip.speak.made import make_speaker
from headrace.vip.speak.said import said_of_sessions
from headrace.vip.speak.starting import StartedSpeaker

TURN_S = 0.2
"""A plan is made once in so long at least."""

MISSED_ANSWERS = 3
"""So many answers a neighbour may miss before what it may have is reset here."""
FIRST_CHECKS_S = 5.0

log = structlog.get_logger("headrace.vip")

SpeakerMaker = Callable[[VipConfig, Callable[[SpeakerEvent], None]], Speaker]


class Announcing:
    """All of one server. `adopt_network` comes before `start`."""

    def __init__(
        self, config: VipConfig, secrets: Callable[[], Secrets], maker: SpeakerMaker = make_speaker
    ) -> None:
        """Do nothing until `adopt_network` and `start`. Raises HeadraceError or OSError."""
        self.config = config
        self.me = config.network.me
        self.events = Events()
        self.health: dict[Address, Health] = {}
        self._asked = reloadable(config)
        self.plan = Plan(self.me)
        self.view = self._ordered = NO_VIEW
        self.order: SiteOrder
        self.changes: Counter[str] = Counter()
        self.planned_s = 0.0
        self.began = time.time()
        sessions = self._asked.sessions
        self.said = said_of_sessions(sessions, time.time())
        self.clients = Clients()
        self.handover = Handover(config.handover, self.events, self._line_changed)
        self.learning = RunningLearning(self.me, config.state_dir, self.events)
        self.learning.routers_are(routers_changed(sessions))
        self._secrets = secrets
        self._families = {one.family for one in sessions}
        kept = read_kept(config.state_dir)
        self.keeper = Keeper(config.state_dir, kept)
        self.own: Order | None = order_of(kept)
        self.memory: Memory | None = memory_of(kept)
        self._soon = asyncio.Event()
        self._speaker = StartedSpeaker(
            lambda: maker(self.config, self._heard),
            self._announced,
            self._speaker_failed,
            lambda: self._heard(routers_changed(self._asked.sessions)),
        )
        self._tasks: list[asyncio.Task[None]] = []
        self._edge_task: asyncio.Task[None] | None = None
        own = (ip_address(one) for one in kept.bound if kept.boot == boot_id())
        self.bound = Bound(config.addresses.interface, frozenset(own), self._note_bound)
        self.checker: Checker
        self.neighbours: Neighbours

    # Life.

    def adopt_network(self, network: NetworkSnapshot, view: View) -> None:
        """Plan for this network, and by this view, from now on."""
        topology = network.topology
        if not any(one.name == self.me for one in topology.servers):
            log.error("server_not_described", server=self.me)
            return
        self.order = site_order(topology, topology.server(self.me).site)
        self.view, self._ordered = view, only_ordered(view)
        self.learning.adopt_network(network)
        if self._tasks:
            self.neighbours.want(self._others())
            self._take_checks()
        self._soon.set()

    def start(self) -> None:
        """Bind, check, speak and plan from now on."""
        loop = asyncio.get_running_loop()
        asked = self._asked
        checks = asked.checks_of(self.order.servers[self.me])
        self.checker = Checker(checks, asked.pace, self._checked)
        self.neighbours = Neighbours(asked.asking, asked.check_of, self._secrets, self.events.add)
        self.learning.approved_elsewhere = self.neighbours.approved
        self._plan_now()
        speaks = self._speaker.start(self._known_to_speak)
        self._tasks = [loop.create_task(self._plan_forever()), loop.create_task(speaks)]
        self._ask_edge()
        if self.config.addresses.bind:
            self.bound.start()
        self.checker.start()
        self.handover.start()
        self.learning.start()
        self.neighbours.want(self._others())

    def prepare(self, config: VipConfig) -> Reloadable:
        """Return what is made of a configuration. Raises HeadraceError or OSError, also where the
        server does not serve what it would be asked for.
        """
        made = reloadable(config, self._asked.sessions)
        made.checks_of(self.order.servers[self.me])
        return made

    def change(self, asked: Reloadable) -> None:
        """Ask the VIPs, the neighbours and the edge so from now on, and speak with these routers;
        what is known stays.
        """
        self._asked, self.config = asked, asked.config
        self.checker.pace = self._asked.pace
        self.neighbours.asking, self.neighbours.check_of = asked.asking, asked.check_of
        self._take_checks()
        self._ask_edge()
        if not self._speaker.change(asked.sessions, asked.passwords):
            self._heard(routers_changed(asked.sessions))
        self._soon.set()

    async def close(self) -> None:
        """Stop, and leave as `at_stop` says."""
        keep = self.config.speaker.at_stop == "keep"
        tasks = [*self._tasks, *([] if self._edge_task is None else [self._edge_task])]
        await end(tasks)
        if self._tasks:
            await self.checker.close()
            await self.neighbours.close()
            await self.clients.close()
        await self._speaker.close(graceful=keep)
        await self.learning.close()
        await self.handover.close(remove=not keep)
        if self.config.addresses.bind:
            await self.bound.close(remove=not keep)
        await self.keeper.close()

    def _take_checks(self) -> None:
        """Check by what the description says of ports now."""
        try:
            self.checker.checks = self._asked.checks_of(self.order.servers[self.me])
        except NoPortError as error:
            log.error("checks_unchanged", problem=str(error))

    def _ask_edge(self) -> None:
        if self._edge_task is not None:
            self._edge_task.cancel()
        loop, edge = asyncio.get_running_loop(), self.edge
        self._edge_task = None if edge is None else loop.create_task(edge.run())

    # What operators want.

    def give(self, order: Order | None, by: str) -> None:
        """Go by an operator's order from now on; None takes the last one back."""
        self.own = order
        now = time.time()
        self.keeper.put(with_order(self.keeper.kept, order, by, now))
        self.events.add(Event(now, "order", self.me, order_line(order, by)))
        self._soon.set()

    # What neighbours hear, and what is heard of them.

    def asked_by(self, address: str) -> None:
        """Note that a server of the network with this address has asked what is announced here."""
        if self._tasks:
            self.neighbours.asked_by(address)

    def _line_changed(self) -> None:
        self.neighbours.ask_again()
        self._soon.set()

    def document(self) -> bytes:
        """Return what the other servers of the site are told."""
        takes, passes = self.handover.takes, self.handover.passes
        approved, clients = self.learning.approved(), self.clients.count()
        said = said_of(self.plan, self.phase, self.said.up, takes, passes, approved, clients)
        return encode_said(said)

    @property
    def rules(self) -> HealthRules:
        """When a VIP is sound."""
        return self._asked.rules

    @property
    def edge(self) -> EdgeAdmin | None:
        """The edge on this machine, where it can be asked."""
        return self._asked.edge

    @property
    def phase(self) -> Phase:
        """How far this server is on its way out."""
        return Phase.SERVING if self.memory is None else self.memory.drain.phase

    @property
    def speaker_problem(self) -> str:
        """Why the speaker does not speak yet; "" where it does."""
        return self._speaker.problem

    def problem(self) -> str:
        """Return why nothing is announced from here; "" where there is nothing to complain of."""
        return self.speaker_problem or (self.bound.problem if self.config.addresses.bind else "")

    def age_s(self) -> float:
        """Return how long ago the last plan was made."""
        return asyncio.get_running_loop().time() - self.planned_s

    def wish(self, now: float) -> Wanted:
        """Return what is wanted of this server at a Unix time, and whose words say so."""
        view = believed(self.view, self.view_age_s(now), self.me)
        return wanted_of(self.order, view, now, self.me, self.own)

    def verdict(self, health: Health) -> Verdict:
        """Return what checks of a VIP say now."""
        return verdict(health, asyncio.get_running_loop().time(), self.rules)

    def view_age_s(self, now: float) -> float:
        """Return how old the view is at a Unix time; 0 without one."""
        return max(0.0, now - self.view.made_at) if self.view.made_at else 0.0

    # Turns.

    async def _plan_forever(self) -> None:
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(TURN_S):
                    await self._soon.wait()
            self._soon.clear()
            try:
                self._plan_now()
            except Exception:  # what was announced stays; the watchdog ends it if this does not
                log.exception("plan_failed")

    def _plan_now(self) -> None:
        now = time.time()
        neighbours = self.neighbours.at(now) if self._tasks else {}
        if self.own is not None and self.own.until is not None and now >= self.own.until:
            self.give(None, "its time")
        up = self.said.up_since_asked()
        known = Known(
            self.order,
            self.me,
            {vip: self.verdict(one) for vip, one in self.health.items()},
            neighbours,
            self.view,
            self.view_age_s(now),
            self.own,
            self.clients.count(),
            self.handover.keeps_connections(self.order, self.me, neighbours, now),
            up,
            self.rules,
            self.config.routes_stay,
            addresses_elsewhere(self.order.servers.get(self.me)),
        )
        found, self.memory = plan(known, self.memory, now)
        if found != self.plan:
            former, self.plan = self.plan, found  # first: whatever fails below holds nothing up
            for event in changed(former, found, now):
                self.changes[event.kind] += 1
                self.events.add(event)
        self._adopt_addresses()
        leaves = self.wish(now).state is not AdminState.ONLINE
        self.clients.want(self.plan.addresses if leaves else ())
        self._tell_edge(now)
        if self._tasks:
            patience_s = MISSED_ANSWERS * self._asked.asking.interval_s
            told, hearings = heard(self.plan, up), self.memory.hearings
            self.handover.turn(
                *(self.order, told, neighbours, now, patience_s, hearings, self._asked.sessions)
            )
            self.neighbours.hurries = self.handover.is_silent
        self._speaker.tell()
        self.keeper.put(with_memory(self.keeper.kept, self.memory))
        self.planned_s = asyncio.get_running_loop().time()

    def _adopt_addresses(self) -> None:
        addresses = self.plan.addresses
        self.checker.keeps = self.phase is Phase.SERVING
        self.checker.want(addresses)
        self.bound.want(addresses)
        for gone in self.health.keys() - set(addresses):
            del self.health[gone]

    def _checked(self, vip: Address, judged: Judged) -> None:
        """Take the result of a check."""
        if judged.unbound:
            self.bound.missed()
        found, why = with_edge(judged, self.edge)
        now_s = asyncio.get_running_loop().time()
        before = self.health.get(vip, Health(since=now_s))
        after = checked(before, found, why, now_s, self.rules)
        self.health[vip] = after
        if after.soundness is not before.soundness:
            self._soon.set()

    # The edge.

    def _tell_edge(self, now: float) -> None:
        """Only what somebody wants counts: what the loop observes, it observes by what the edge
        reports.
        """
        if self.edge is not None:
            wish = wanted_of(self.order, self._ordered, now, self.me, self.own)
            tell_edge(self.edge, self.keeper, leaves=wish.state is not AdminState.ONLINE)

    # BGP.

    async def _known_to_speak(self) -> None:
        """Wait, for a while, until it is known what to begin with."""
        if self.config.routes_stay:
            await self._first_checks()
        await self.handover.first()

    def _announced(self) -> frozenset[Announcement]:
        return announceable(self.plan, self._families)

    def _speaker_failed(self, problem: str) -> None:
        self.events.add(Event(time.time(), "speaker_failed", "", problem))

    async def _first_checks(self) -> None:
        """Wait, for a while, until it is known what is served: a router that kept the routes over a
        restart drops those that the speaker does not begin with.
        """
        until_s = asyncio.get_running_loop().time() + FIRST_CHECKS_S
        while asyncio.get_running_loop().time() < until_s:
            await asyncio.sleep(TURN_S)
            if all(one.why is not Why.NOT_CHECKED for one in self.plan.vips):
                return

    def _heard(self, event: SpeakerEvent) -> None:
        if isinstance(event, RoutersChanged):
            self._families = {one.family for one in event.routers}
            self.learning.routers_are(event)
            self._soon.set()
        self.learning.heard(event)
        for told in self.said.heard(event, time.time()):
            self.events.add(told)
        if isinstance(event, (SessionUp, SessionDown)):
            self._soon.set()

    # Small parts.

    def _others(self) -> list[Server]:
        return [one for name, one in self.order.servers.items() if name != self.me]

    async def _note_bound(self, own: frozenset[Address]) -> None:
        """Have it on the disk which addresses are this process's own, where the disk takes it: an
        address that is left behind one day does no harm, and one that is not bound serves nobody.
        """
        bound = tuple(sorted(str(one) for one in own))
        self.keeper.put(msgspec.structs.replace(self.keeper.kept, bound=bound, boot=boot_id()))
        with contextlib.suppress(OSError):  # it is logged, and tried again with the next change
            await self.keeper.flush()
