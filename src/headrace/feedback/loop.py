"""The running loop: probes, reports and the other observers on one side, the view on the other, and
a decision at each tick, or sooner when a server begins to fail.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import time
from collections import Counter
from functools import partial

import structlog

from headrace.config.feedback.model import FeedbackConfig
from headrace.errors import HeadraceError
from headrace.feedback.control.controller import Controller, Step
from headrace.feedback.deciding import Deciding, Moment
from headrace.feedback.exchange.document import VERSION, Document
from headrace.feedback.exchange.others import Others
from headrace.feedback.exchange.telling import Telling
from headrace.feedback.history import History, log_event
from headrace.feedback.kept import Keeper, keep_decided, keep_orders, read_decided, read_orders
from headrace.feedback.observation import Observations, Observer, Outcome, ProbeRecord
from headrace.feedback.observe.made import probe_times_of, puller_of
from headrace.feedback.observe.own_records import FEW_FAILURES, OwnRecords
from headrace.feedback.observe.prober import Prober
from headrace.feedback.observe.reports import ReportPuller, Source, sources_of
from headrace.feedback.observe.targets import probed, probes_of, targets_of
from headrace.feedback.observe.vips import VipsAsking, asked_of
from headrace.feedback.order_join import (
    believed,
    heard,
    new_orders,
    newly_overruled,
    without_forgotten,
)
from headrace.feedback.orders import Orders
from headrace.feedback.publish.published import Published
from headrace.feedback.publish.targets import Targets, read_published
from headrace.feedback.publish.waiting import Waiting
from headrace.feedback.rules import rules_of
from headrace.feedback.shadow import Shadow
from headrace.feedback.states.model import State, States
from headrace.node.network.signed import Secrets
from headrace.topology.model import Topology
from headrace.topology.snapshot import NetworkSnapshot

SOONEST_S = 0.1
"""Between two decisions at least."""
PAUSES_PER_TICK = 3.0
"""How many times longer than a decision the pause after it is at least."""
KEEP_AGAIN_S = 2.0
FIRST_ROUND_S = 10.0
FIRST_ROUND_INTERVALS = 10.0
"""For so long, and so many intervals of probes, an observer without a memory waits for them."""

log = structlog.get_logger("headrace.feedback")


class FeedbackLoop:
    """All of one observer. `adopt_network` comes before `start`."""

    def __init__(
        self, config: FeedbackConfig, secrets: Secrets, observers: Secrets | None = None
    ) -> None:
        """Observe nothing until `adopt_network` and `start`. Nodes are known by the secrets of the
        network, observers by theirs (None: by the same). Raises TokenError.
        """
        self.waiting = Waiting(secrets)
        self.vips = VipsAsking(lambda: self.waiting.secrets)
        self.telling = Telling(secrets if observers is None else observers)
        self.records = OwnRecords()
        self.history = History(config.state_dir)
        self.orders: Orders = believed(read_orders(config.state_dir), time.time())
        self.deciding = Deciding(config.node_id)
        self.shadow = Shadow(self.deciding)
        self.lateness_s = 0.0
        self.outcomes: Counter[str] = Counter()
        self.controller: Controller
        self._own_controller: Controller
        self._network: NetworkSnapshot
        self._targets: Targets
        self._number = time.time_ns() // 1000
        self._soon = asyncio.Event()
        self._counted: tuple[States, Topology, Counter[str]] | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self.keeper = Keeper()
        self._kept_s = 0.0
        self._said_anything = False
        self._configure(config, puller_of(config))

    def _configure(self, config: FeedbackConfig, puller: ReportPuller | None) -> None:
        """Make what depends on the configuration."""
        self.config = config
        own, names = config.node_id, [one.node_id for one in config.observers]
        self.deciding.configure(
            names, config.tick_s, config.publish.renew_s, _first_round_s(config)
        )
        self.others = Others(
            own,
            config.observers,
            lambda: self.telling.secrets,
            config.tick_s,
            self._heard,
            config.network.feedback_ca,
        )
        times, probes = probe_times_of(config), probes_of(config.probes)
        self.prober = Prober((), probes, self._probed, times, config.probing.ca)
        self.puller = puller

    def use_secrets(self, secrets: Secrets, observers: Secrets) -> None:
        """Know the network, and the other observers, by these from now on; none: nobody is told
        anything.
        """
        self.waiting.secrets, self.telling.secrets = secrets, observers

    # Life.

    def adopt_network(self, network: NetworkSnapshot) -> None:
        """Observe this network from now on."""
        self._network = network
        rules = rules_of(self.config)
        self.controller = Controller(network.topology, rules)
        self._own_controller = Controller(network.topology, rules)  # keeps what it explains apart
        self.others.network = network.topology.name
        self.prober.targets = targets_of(network.topology)
        self.deciding.waits_for = probed(self.prober.targets, self.prober.probes)
        if self.puller is not None:
            routers = (Source(one.name, one.admin) for one in self.config.routers)
            self.puller.sources = (*sources_of(network.topology), *routers)
        self.vips.servers = asked_of(network.topology)
        self.records.keep_only({server.name for server in network.topology.servers})

    def start(self) -> None:
        """Begin to observe and to decide, from what was decided before."""
        seen = read_published(self.config.publish.file)
        self.deciding.begin(read_decided(self.config.state_dir), _moment(), seen)
        self._begin()

    async def change(self, config: FeedbackConfig) -> None:
        """Work by another configuration; what is known and decided stays. Raises TokenError, and
        then has changed nothing.
        """
        puller = puller_of(config)
        await self._stop()
        self._configure(config, puller)
        self.adopt_network(self._network)
        self.deciding.hear_first(_moment())
        self._begin()

    async def close(self) -> None:
        """Stop everything, and keep what was decided."""
        await self._stop()
        decided = self.deciding.kept(self.deciding.decision())
        if decided is not None:
            self.keeper.put("decided", partial(keep_decided, self.config.state_dir, decided))
        await self.keeper.close()

    def _begin(self) -> None:
        config = self.config
        self._targets = Targets(config.publish.file, config.publish.sockets)
        self._said_anything = False
        work = {"ticks": self._tick_forever(), "probes": self.prober.run(), "vips": self.vips.run()}
        if self.puller is not None:
            work["reports"] = self.puller.run()
        if len(config.observers) > 1:
            work["observers"] = self.others.run()
        loop = asyncio.get_running_loop()
        self._tasks = [loop.create_task(one, name=name) for name, one in work.items()]

    async def _stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._tasks:
            await self._targets.close()
        self._tasks = []

    def give(self, orders: Orders) -> None:
        """Go by other orders from now on, and tell the other observers."""
        if orders == self.orders:
            return
        for order in new_orders(self.orders, orders):
            log.warning("order_taken", **order)
        for order in newly_overruled(self.orders, orders, time.time()):
            log.warning("order_overruled", **order)
        self.orders = orders
        self._kept_s = -math.inf  # a frozen view is in what is kept, not in what is published
        self.keeper.put("orders", partial(keep_orders, self.config.state_dir, orders))
        self._soon.set()

    # What there is to report.

    @property
    def network_version(self) -> str:
        """The description that is observed."""
        return self._network.version

    def now_s(self) -> float:
        """Return the time by the clock that only counts on."""
        return asyncio.get_running_loop().time()

    def hears(self) -> list[str]:
        """Return whom this observer hears."""
        return self.deciding.hears(self.others.received, _moment())

    def undelivered(self) -> int:
        """Return how often a file or a socket did not take a view."""
        return self._targets.failed.total()

    def problem(self) -> str:
        """Return why this process is of no use; "" if it is: it decides, or follows who does."""
        deciding = self.deciding
        if deciding.decides is not None:
            return ""
        return "nobody decides yet" if deciding.knows else "it does not know all servers yet"

    def shown(self) -> Step | None:
        """Return the last step; of one that follows, what it would have decided itself a moment
        ago. None: nothing was worked out yet.
        """
        return self.deciding.step or self.shadow.step

    def states(self) -> Counter[str]:
        """Return how many servers are in each state; counted once for each memory."""
        known, topology = self.deciding.known().states, self.controller.topology
        counted = self._counted
        if counted is None or counted[0] is not known or counted[1] is not topology:
            records = (known.servers.get(one.name) for one in topology.servers)
            states = Counter(str(State.ONLINE if one is None else one.state) for one in records)
            counted = self._counted = (known, topology, states)
        return counted[2]

    # What comes in.

    def _probed(
        self, server: str, outcome: Outcome, first_byte_s: float | None, total_s: float | None
    ) -> None:
        self.outcomes[outcome] += 1
        now_s = asyncio.get_running_loop().time()
        if self.records.note(server, outcome, first_byte_s, total_s, now_s):
            self._soon.set()

    def _heard(self, before: Document | None, document: Document) -> None:
        told = believed(document.orders, time.time())
        if told is not document.orders:
            self.others.note_unbelieved_orders(document.observer)
        self._join(told)
        if document.decision is not None or _more_fail(before, document):
            self._soon.set()

    def _join(self, told: Orders) -> None:
        """Know also the orders that another knows, or that only what was decided remembers."""
        joined = heard(self.orders, told, self.controller.topology, time.time())
        if joined != self.orders:
            self.give(joined)

    def observations(self, now_s: float) -> Observations:
        """Return all that is known now."""
        own = self.config.node_id
        observers = {own: Observer(own, 0.0, self.records.at(now_s))}
        for name, one in self.others.received.items():
            observers[name] = Observer(name, now_s - one.at_s, one.document.probes)
        reports = {} if self.puller is None else self.puller.at(now_s)
        return Observations(observers, reports, self.vips.at(now_s))

    # Ticks.

    async def _tick_forever(self) -> None:
        loop, tick_s = asyncio.get_running_loop(), self.config.tick_s
        next_s = loop.time()
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(max(0.0, next_s - loop.time())):
                    await self._soon.wait()
            self._soon.clear()
            regular = loop.time() >= next_s
            if regular:
                self.lateness_s = loop.time() - next_s
                next_s = max(next_s + tick_s, loop.time())
            began_s = loop.time()
            try:
                await self.tick()
            except (HeadraceError, OSError) as error:
                log.error("tick_failed", problem=str(error))
            except Exception:  # a fault of ours: the view in force stays
                log.exception("tick_failed")
            # However much fails, most of the time is for probes.
            took_s = loop.time() - began_s
            await asyncio.sleep(max(SOONEST_S, PAUSES_PER_TICK * took_s))

    async def tick(self) -> None:
        """Decide once, publish, and tell the others. Raises HeadraceError or OSError.

        What is decided is worked out in a thread: in a large network that takes so long that probes
        would be late. Cancelled meanwhile, nothing was decided.
        """
        moment, deciding = _moment(), self.deciding
        self.orders = without_forgotten(self.orders, moment.clock)
        observations = self.observations(moment.steady_s)
        decided_before = deciding.decides
        deciding.hear_askers(self.telling.askers.since(time.monotonic() - deciding.alive_s))
        deciding.hear_nodes(self.waiting.held)
        work = deciding.begin_tick(
            moment, self.others.received, observations, self.orders, self.controller
        )
        step = None if work is None else await asyncio.to_thread(work)
        changed = deciding.end_tick(moment, step)
        if step is not None:
            self._join(step.memory.orders)
        if deciding.decides != decided_before:
            log.info("decides", observer=deciding.decides, before=decided_before)
        # What was published before the start is said again as soon as it is known to be the last.
        again = not self._said_anything and deciding.decides is not None
        if deciding.published is not None and (changed or again):
            self._said_anything = True
            self._publish(deciding.published)
        self._note_events()
        self._tell(moment, observations)
        self.waiting.give_up_old(moment.clock)
        senior = self.others.received.get(deciding.decides or "")
        compare = self.shadow.begin(
            moment,
            observations,
            self.orders,
            self._own_controller,
            same_description=senior is not None
            and senior.document.network == self._network.version,
        )
        if compare is not None:
            self.shadow.end(await asyncio.to_thread(compare))

    def _publish(self, published: Published) -> None:
        self._kept_s = -math.inf  # so that what is kept is never older for long
        self._targets.publish(published)
        self.waiting.publish(published, time.time())
        log.debug("view_published", version=published.view.version)

    def _note_events(self) -> None:
        new = self.history.add(self.deciding.events, time.time())
        if new:
            self.keeper.put("history", self.history.write)
        for line in new:
            log_event(line, self.deciding.decides)

    def _tell(self, moment: Moment, observations: Observations) -> None:
        deciding, own = self.deciding, self.config.node_id
        decision = deciding.decision()
        if decision is not None:
            decision.events.extend(self.history.told(time.time()))
        self._number += 1
        probes: dict[str, ProbeRecord] = observations.observers[own].probes
        document = Document(
            version=VERSION,
            observer=own,
            number=self._number,
            awake=deciding.awake,
            hears=deciding.hears(self.others.received, moment),
            decides=deciding.decides or "",
            made_at=deciding.last[0],
            view=deciding.last[1],
            network=self._network.version,
            list_digest=deciding.list_digest,
            network_name=self._network.topology.name,
            probes=probes,
            orders=self.orders,
            decision=decision,
        )
        self.telling.tell(document, moment.clock)
        if moment.steady_s - self._kept_s >= KEEP_AGAIN_S:
            self._kept_s = moment.steady_s
            self.keeper.put_again()
            decided = deciding.kept(decision)
            if decided is not None:
                job = partial(keep_decided, self.config.state_dir, decided)
                self.keeper.put("decided", job)


def _first_round_s(config: FeedbackConfig) -> float:
    return max(FIRST_ROUND_S, FIRST_ROUND_INTERVALS * config.probing.interval_s)


def _moment() -> Moment:
    return Moment(asyncio.get_running_loop().time(), time.time())


def _more_fail(before: Document | None, document: Document) -> bool:
    """Return whether an observer tells of a failed probe that it had not told of."""
    known = {} if before is None else before.probes
    return any(
        one.failures and ((former := known.get(name)) is None or former.failures < one.failures)
        for name, one in document.probes.items()
        if one.failures <= FEW_FAILURES
    )
