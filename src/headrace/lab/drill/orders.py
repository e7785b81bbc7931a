"""What each client of a drill does, from the plan of a lab and a scenario. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Literal

from headrace.config.drill.model import DrillConfig
from headrace.lab.drill.records import Asked, Body, Named, Orders, Target
from headrace.lab.network.configuration import HOST, HTTP_PORT, HTTPS_PORT, authority_file
from headrace.lab.network.plan import Kind, LabPlan, Machine

_MOST_DOWNLOADED = 4
"""From so many VIPs there are long downloads."""
_HOLD_S = 3.0
"""How long clients keep what DNS said: as long as the lab's request routers say."""
_QUESTIONS: tuple[tuple[int, Literal["dns", "http"]], ...] = ((53, "dns"), (HTTP_PORT, "http"))


def owners(plan: LabPlan) -> dict[str, str]:
    """Return the owner of each VIP, of both families."""
    return {
        address: machine.name
        for machine in plan.of(Kind.SERVER)
        for pair in machine.vips
        for address in pair
    }


def affected(plan: LabPlan, config: DrillConfig) -> list[str]:
    """Return the VIPs that a drill's event is about."""
    return [vip for vip, owner in owners(plan).items() if owner in config.affected]


def next_hops(plan: LabPlan, isp: str) -> dict[str, str]:
    """Return the servers by the addresses that the router of an ISP reaches them at."""
    return {
        address: machine.name
        for machine in plan.of(Kind.SERVER)
        if machine.isp == isp
        for address in (machine.ipv4, machine.ipv6)
    }


def clients(plan: LabPlan) -> list[Machine]:
    """Return one client of each ISP."""
    first: dict[str, Machine] = {}
    for machine in plan.of(Kind.CLIENT):
        first.setdefault(machine.isp, machine)
    return list(first.values())


def orders_for(
    plan: LabPlan, config: DrillConfig, small: Body, long: Body, from_s: float, until_s: float
) -> dict[str, Orders]:
    """Return the orders of each client, by its name."""
    vips = affected(plan, config)
    load = config.load
    return {
        machine.name: Orders(
            from_s=from_s,
            until_s=until_s,
            name=HOST,
            small=small,
            long=long,
            patience_s=load.patience_s,
            targets=list(
                _targets(owners(plan), vips, config, len(clients(plan)), tls=plan.config.tls)
            ),
            ca=str(authority_file(plan)) if plan.config.tls else "",
            downloads=[
                Target(vip, HTTP_PORT, 0.25, phase_s=0.1 * number)
                for vip in (vips[:_MOST_DOWNLOADED] if load.vips else ())
                for number in range(load.downloads)
            ],
            named=Named(HTTP_PORT, load.named_s, _HOLD_S) if plan.of(Kind.ROUTER) else None,
            download_s=load.download_s,
            asked=[
                Asked(router.ipv4, port, kind, load.questions_s)
                for router in plan.of(Kind.ROUTER)
                for port, kind in _QUESTIONS
            ],
        )
        for machine in clients(plan)
    }


def _targets(
    every: Mapping[str, str], vips: list[str], config: DrillConfig, askers: int, *, tls: bool
) -> Iterator[Target]:
    """Yield what is asked, each at a moment of its own, so that requests do not come in bursts."""
    load = config.load
    own_s = max(load.every_s, len(vips) * askers / load.most)
    others_s = max(load.others_s, (len(every) - len(vips)) * askers / load.most_others)
    for number, vip in enumerate(every):
        if vip in vips and not load.vips:
            continue
        every_s = own_s if vip in vips else others_s
        port = HTTPS_PORT if tls else HTTP_PORT
        yield Target(vip, port, every_s, every_s * number / len(every), secure=tls)


def leaving(plan: LabPlan, config: DrillConfig) -> list[str]:
    """Return what request routers say for a server that they are to send nobody to."""
    machines = [plan.machines[name] for name in config.affected]
    own = [address for machine in machines for address in (machine.ipv4, machine.ipv6)]
    hosts = [f"{machine.name}.{HOST.split('.', 1)[1]}" for machine in machines]
    return [*affected(plan, config), *own, *hosts]
