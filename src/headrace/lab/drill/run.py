"""Runs a drill once: clients ask, steps are taken at their times, routers' routes are followed."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from headrace.config.drill.consistency import longest_s
from headrace.config.drill.model import DrillConfig, StepTable
from headrace.lab.drill.bodies import long_body, small_body
from headrace.lab.drill.expanded import expanded
from headrace.lab.drill.figures import Seen
from headrace.lab.drill.hands import Hands
from headrace.lab.drill.netlink import RouteWatch
from headrace.lab.drill.orders import affected, clients, leaving, next_hops, orders_for, owners
from headrace.lab.drill.players.audience import Audience
from headrace.lab.drill.players.viewers import viewers
from headrace.lab.drill.process import ENDS_S, ClientProcess
from headrace.lab.errors import LabError
from headrace.lab.network.control import Lab
from headrace.lab.network.losses import Lost, lost, since
from headrace.lab.network.plan import Kind
from headrace.lab.network.relay import COUNT_S

HOME_WITHIN_S = 180.0
STEADY_S = 5.0
"""For so long every VIP is with its owner before a run begins."""
_BEGIN_S = 0.2
_POLL_S = 0.02


@dataclass(slots=True)
class Times:
    """When the steps were taken that count."""

    began_s: float
    event_s: float = 0.0
    healed_s: float | None = None


class Drill:
    """A drill in a lab that runs. Use as an asynchronous context manager: it leaves the lab healed.

    `watches` follow the routers of the ISPs, by their names.
    """

    def __init__(self, lab: Lab, config: DrillConfig, players: Collection[str] = ()) -> None:
        self._lab = lab
        self._config = expanded(config, lab.plan)
        self._viewers = list(viewers(lab.plan, self._config, players))
        self._hands = Hands(lab)
        self._stack = contextlib.ExitStack()
        self._watches: dict[str, RouteWatch] = {}
        self._owners = owners(lab.plan)
        self._affected = affected(lab.plan, self._config)

    async def __aenter__(self) -> Drill:
        """Begin to follow the routes. Raises LabError."""
        for machine in self._lab.plan.of(Kind.ISP):
            hops = next_hops(self._lab.plan, machine.name)
            # Routes to VIPs of other ISPs lead to their routers.
            own = [vip for vip, owner in self._owners.items() if owner in hops.values()]
            watch = RouteWatch(self._lab.plan.namespace(machine.name), hops, own)
            self._watches[machine.name] = self._stack.enter_context(watch)
        return self

    async def __aexit__(self, kind: type[BaseException] | None, *_error: object) -> None:
        """Heal the lab, and end. Where this was cancelled, the lab ends next: nobody waits for
        servers to return.
        """
        self._stack.close()
        if kind is None or not issubclass(kind, asyncio.CancelledError):
            await self._hands.restore()

    async def once(self) -> Seen:
        """Run it once, and return what was seen. Raises LabError, OSError."""
        await self._settle()
        config, plan = self._config, self._lab.plan
        async with contextlib.AsyncExitStack() as stack:
            audience = await stack.enter_async_context(Audience(self._viewers))
            processes = {one.name: ClientProcess(plan.namespace(one.name)) for one in clients(plan)}
            await asyncio.gather(*(stack.enter_async_context(one) for one in processes.values()))
            lost_before = await asyncio.to_thread(lost, plan)
            from_s = time.monotonic() + _BEGIN_S
            until_s = from_s + longest_s(config) + ENDS_S
            orders = orders_for(plan, config, small_body(), long_body(), from_s, until_s)
            times = Times(from_s)
            for name, process in processes.items():
                await process.begin(orders[name])
            await _until(from_s + config.before_s)
            await self._take_steps(times)
            await asyncio.sleep(config.after_s)
            ended_s = time.monotonic()
            played = await audience.end(times.event_s)
            records = await asyncio.gather(*(one.end() for one in processes.values()))
        for name, record in zip(processes, records, strict=True):
            record.client = name
        return Seen(
            began_s=from_s,
            event_s=times.event_s,
            healed_s=times.healed_s,
            ended_s=ended_s,
            patience_s=config.load.patience_s,
            owners=self._owners,
            affected=self._affected,
            leaving=leaving(plan, config),
            records=records,
            moves=sorted(
                (move for watch in self._watches.values() for move in watch.moves()),
                key=lambda move: move.at_s,
            ),
            played=played,
            lost=since(lost_before, await asyncio.to_thread(self._lost_now)),
        )

    def _lost_now(self) -> dict[str, Lost]:
        time.sleep(2 * COUNT_S)  # relays say so then at the latest
        return lost(self._lab.plan)

    async def _settle(self) -> None:
        """Heal what a run before has left, and wait until every VIP is with its owner, and stays.

        A server that was cut off has its VIPs back before it hears that the loop saw it fail: then
        it lets them go again, until the loop sees it serve.
        """
        await self._hands.restore()
        home_s = until_s = time.monotonic()
        until_s += HOME_WITHIN_S
        while time.monotonic() - home_s < STEADY_S:
            if not self._is_home(self._owners):
                left_s = until_s - time.monotonic()
                await self._wait(self._is_home, self._owners, left_s, "every VIP is with its owner")
                home_s = time.monotonic()
            await asyncio.sleep(_POLL_S)

    async def _take_steps(self, times: Times) -> None:
        config = self._config
        base_s = time.monotonic()
        event = next((at for at, step in enumerate(config.steps) if step.event), 0)
        for number, step in enumerate(config.steps):
            if step.at_s is not None:
                await _until(base_s + step.at_s)
            await self._moment(step)
            now_s = time.monotonic()
            if number == event:
                times.event_s = now_s
            if step.healed:
                times.healed_s = now_s
            await self._hands.take(step)

    async def _moment(self, step: StepTable) -> None:
        """Wait for what a step waits for. Raises LabError when that does not come."""
        owners = {one.name for name in step.on for one in self._lab.plan.group(name)}
        vips = [vip for vip, owner in self._owners.items() if owner in owners]
        names = ", ".join(step.on)
        if step.when == "moved":
            await self._wait(self._has_moved, vips, step.within_s, f"VIPs of {names} have moved")
        elif step.when == "gone":
            await self._wait(self._is_gone, vips, step.within_s, f"VIPs of {names} are gone")
        elif step.when == "home":
            await self._wait(self._is_home, vips, step.within_s, f"VIPs of {names} are back")
        elif step.when is not None:
            until_s = time.monotonic() + step.within_s
            while late := await self._hands.not_ready(step.on, alive=step.when == "alive"):
                if time.monotonic() > until_s:
                    lacks = ", ".join(late)
                    raise LabError(f"{lacks}: not {step.when} within {step.within_s:g} s")
                await asyncio.sleep(5 * _POLL_S)

    async def _wait(self, test: object, vips: Collection[str], within_s: float, what: str) -> None:
        assert callable(test)
        until_s = time.monotonic() + within_s
        while not test(vips):
            if time.monotonic() > until_s:
                raise LabError(f"{what}: not within {within_s:g} s; routes: {self._routes(vips)}")
            await asyncio.sleep(_POLL_S)

    def _now(self) -> Mapping[str, str]:
        return {vip: who for watch in self._watches.values() for vip, who in watch.now().items()}

    def _is_home(self, vips: Collection[str]) -> bool:
        now = self._now()
        return all(now.get(vip) == self._owners[vip] for vip in vips)

    def _is_gone(self, vips: Collection[str]) -> bool:
        now = self._now()
        return not any(now.get(vip) for vip in vips)

    def _has_moved(self, vips: Collection[str]) -> bool:
        now = self._now()
        return all(now.get(vip, "") not in ("", self._owners[vip]) for vip in vips)

    def _routes(self, vips: Collection[str]) -> str:
        now = self._now()
        wrong = (f"{vip} at {now.get(vip) or 'nobody'}" for vip in vips)
        return ", ".join(wrong)


async def _until(at_s: float) -> None:
    await asyncio.sleep(max(0.0, at_s - time.monotonic()))
